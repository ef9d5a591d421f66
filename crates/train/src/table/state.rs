//! Everything needed to go on later as if nothing had happened.

use super::embedding::{Attached, EmbeddingTable};
use super::optimiser::start;
use super::pages::Pages;
use super::rule::Rule;
use crate::checkpoint::{Carrier, Resumable};
use anyhow::{Context, Result, ensure};

/// A table's weights and optimiser. Rows are saved as they are, not brought up to date, so that saving costs no
/// replay, and going on gives the same bits as not having stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct TableState {
    /// The length of a row.
    pub dim: usize,
    /// `[rows, dim]`, each row as of the step in [`OptimiserState::last`].
    pub weights: Vec<f32>,
    /// The attached optimiser, if any.
    pub optimiser: Option<OptimiserState>,
}

/// An optimiser at work.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimiserState {
    /// Which one.
    pub rule: Rule,
    /// The learning rate of every step so far; their number is the clock.
    pub lrs: Vec<f64>,
    /// The step that each row is up to date with, `[rows]`.
    pub last: Vec<u32>,
    /// Adam: `[rows, 2, dim]`, first and second moment. Adagrad: `[rows, dim]`, the sums. SGD: `[rows, dim]`, the
    /// momentum buffers, or empty without momentum.
    pub state: Vec<f32>,
}

impl EmbeddingTable {
    /// A copy of the table's state. Gradients not yet used are not part of it.
    pub fn state(&self) -> TableState {
        let optimiser = self.attached.as_ref().map(|attached| OptimiserState {
            rule: attached.rule,
            lrs: attached.lrs.clone(),
            last: self.marks.iter().map(|mark| mark.last).collect(),
            state: attached.state.to_vec(),
        });
        TableState { dim: self.dim, weights: self.weights.to_vec(), optimiser }
    }

    /// Puts a saved state in place of the table's own, whatever that is. Panics if its shape is another one.
    ///
    /// # Panics
    /// Where the saved shape is another one.
    pub fn restore(&mut self, saved: &TableState) {
        let shape = [saved.weights.len() / saved.dim.max(1), saved.dim];
        assert_eq!(shape, [self.rows, self.dim], "table {}: shape of the saved weights", self.name);
        self.discard_grad();
        self.marks.clear();
        self.weights.copy_from_slice(&saved.weights);
        self.attached = saved.optimiser.as_ref().map(|saved| {
            let mut optimiser = start(saved.rule);
            for &lr in &saved.lrs {
                optimiser.tick(lr);
            }
            let mut state = Pages::zeroed(self.rows * self.dim * optimiser.vectors());
            assert_eq!(saved.state.len(), state.len(), "table {}: length of the saved state", self.name);
            assert_eq!(saved.last.len(), self.rows, "table {}: length of the saved clock", self.name);
            let now = saved.lrs.len() as u32;
            assert!(saved.last.iter().all(|&last| last <= now), "table {}: rows from the future", self.name);
            state.copy_from_slice(&saved.state);
            for (mark, &last) in self.marks.iter_mut().zip(&saved.last) {
                mark.last = last;
            }
            Attached { rule: saved.rule, optimiser, lrs: saved.lrs.clone(), state }
        });
    }
}

impl Resumable for EmbeddingTable {
    /// Rows as they are, not brought up to date, with what they owe. The rule is that of the optimiser which is attached.
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        ensure!(!self.in_graph(), "table {}: a checkpoint between a gradient and its step", self.name);
        carrier.slice("weights", &mut self.weights)?;
        let mut attached = self.attached.is_some();
        carrier.flag("attached", &mut attached)?;
        let mut last: Vec<u32> = self.marks.iter().map(|mark| mark.last).collect();
        if carrier.reads() {
            self.marks.clear();
        }
        if !attached {
            self.attached = None;
            return Ok(());
        }
        let name = &self.name;
        let own = self.attached.as_mut().with_context(|| format!("table {name} has no optimiser"))?;
        carrier.list("lrs", &mut own.lrs)?;
        carrier.slice("state", &mut own.state)?;
        carrier.slice("last", &mut last)?;
        if carrier.reads() {
            own.optimiser = start(own.rule);
            own.lrs.iter().for_each(|&lr| own.optimiser.tick(lr));
            self.marks.iter_mut().zip(last).for_each(|(mark, last)| mark.last = last);
        }
        Ok(())
    }
}
