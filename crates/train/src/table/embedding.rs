//! The table: weights, the attached optimiser's state, and when each row was last brought up to date.

use super::bags::Bags;
use super::denormals::FlushDenormals;
use super::gradients::Gradients;
use super::lanes::{RowOp, along, load, store};
use super::optimiser::{Missed, RowOptimiser, Rows, Stale, start};
use super::pages::{Mark, Pages};
use super::rule::Rule;
use crate::kernel::{Job, prefetch, run};

/// How many ids ahead a row's mark, and then its weights and state, are asked for.
const MARKS_AHEAD: usize = 32;
const ROWS_AHEAD: usize = 16;
/// Rows brought up to date at a time where all are.
const SWEEP: usize = 4096;

/// A table of embedding vectors `[rows, dim]` with its optimiser.
///
/// A training step is [`gather`](Self::gather), the model, [`accumulate`](Self::accumulate), [`step`](Self::step); its
/// cost grows with the number of ids, not with the number of rows. Whatever is read has first been brought up to
/// date, so the table always looks as if a dense optimiser had moved all rows in every step.
///
/// The clock counts the table's own steps: those before which something was accumulated. A table that a step does not
/// use takes no step, as a PyTorch parameter without a gradient.
pub struct EmbeddingTable {
    pub(super) name: String,
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) weights: Pages<f32>,
    pub(super) marks: Pages<Mark>,
    pub(super) attached: Option<Attached>,
    gradients: Gradients,
    stale: Vec<Stale>,
}

/// An optimiser at work.
pub(super) struct Attached {
    pub rule: Rule,
    pub optimiser: Box<dyn RowOptimiser>,
    /// The learning rate of every step so far; its length is the clock.
    pub lrs: Vec<f64>,
    /// `[rows, vectors, dim]`.
    pub state: Pages<f32>,
}

impl EmbeddingTable {
    /// A table with the given weights, `[rows, dim]` row by row.
    ///
    /// # Panics
    /// Where the weights are no whole number of rows, and as [`with_init`](Self::with_init).
    pub fn new(weights: Vec<f32>, dim: usize) -> Self {
        assert!(dim > 0 && weights.len().is_multiple_of(dim), "{} weights in rows of {dim}", weights.len());
        Self::with_init(weights.len() / dim, dim, |own| own.copy_from_slice(&weights))
    }

    /// A table whose weights, zero at first, are written in place: for large ones.
    ///
    /// # Panics
    /// Rows of width 0; more rows than 32 bits can number.
    pub fn with_init(rows: usize, dim: usize, init: impl FnOnce(&mut [f32])) -> Self {
        assert!(dim > 0, "an embedding has at least one column");
        assert!(u32::try_from(rows).is_ok(), "{rows} rows: row numbers have 32 bits");
        let mut weights = Pages::zeroed(rows * dim);
        init(&mut weights);
        let (gradients, stale) = (Gradients::default(), Vec::new());
        let marks = Pages::zeroed(rows);
        Self { name: "(unnamed)".into(), rows, dim, weights, marks, attached: None, gradients, stale }
    }

    /// Gives the table a name for messages.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The rule of the attached optimiser.
    pub fn rule(&self) -> Option<Rule> {
        self.attached.as_ref().map(|attached| attached.rule)
    }

    /// Steps taken since the optimiser was attached.
    pub fn clock(&self) -> u32 {
        self.attached.as_ref().map_or(0, |attached| attached.lrs.len() as u32)
    }

    /// Starts a new optimiser, with zero state and its clock at 0. Rows first get all the moves that the previous
    /// one, if any, owes them.
    pub fn attach(&mut self, rule: Rule) {
        self.detach();
        let optimiser = start(rule);
        let mut state = Pages::zeroed(self.rows * self.dim * optimiser.vectors());
        if optimiser.initial_state() != 0.0 {
            state.fill(optimiser.initial_state());
        }
        self.attached = Some(Attached { rule, optimiser, lrs: Vec::new(), state });
    }

    /// Brings all rows up to date and drops the optimiser, its state, and gradients not yet used.
    pub fn detach(&mut self) {
        self.refresh_all();
        self.gradients.clear();
        if self.attached.take().is_some_and(|attached| !attached.lrs.is_empty()) {
            self.marks.clear();
        }
    }

    /// Looks up rows and sums them: writes output row `b` to `out[b * stride..][..dim]`, for all `B` bags. An empty
    /// bag gives zeros. What lies between the rows of `out` stays as it is.
    pub fn gather(&mut self, bags: &Bags, out: &mut [f32], stride: usize) {
        self.check(bags, out.len(), stride);
        self.refresh(bags.ids);
        let _flush = FlushDenormals::new();
        run(Gather { weights: &self.weights, bags, out, stride, dim: self.dim });
    }

    /// Adds a look-up's gradient, d loss / d out: row `b` at `grad[b * stride..][..dim]`. Marks the table as part of
    /// the step. May be called several times per step, for different look-ups.
    pub fn accumulate(&mut self, bags: &Bags, grad: &[f32], stride: usize) {
        self.check(bags, grad.len(), stride);
        let _flush = FlushDenormals::new();
        self.gradients.add(&mut self.marks, bags, grad, stride, self.dim);
    }

    /// Whether anything was accumulated since the last step.
    pub fn in_graph(&self) -> bool {
        self.gradients.in_graph
    }

    /// The rows with gradients, each once, in order of first touch `[U]`, and their gradients `[U, dim]`.
    pub fn touched_grad(&self) -> (&[u32], &[f32]) {
        self.gradients.touched(self.dim)
    }

    /// Drops what was accumulated, as `zero_grad(set_to_none=True)`.
    pub fn discard_grad(&mut self) {
        self.gradients.clear();
    }

    /// One step of the optimiser at learning rate `lr`; consumes the gradients. Does nothing, and returns false, if
    /// nothing was accumulated. Panics if no optimiser is attached.
    ///
    /// # Panics
    /// Without an optimiser.
    pub fn step(&mut self, lr: f64) -> bool {
        assert!(self.attached.is_some(), "table {}: a step without an optimiser", self.name);
        if !self.gradients.in_graph {
            return false;
        }
        // Rows may have been accumulated for without being read since the last step.
        let mut gradients = std::mem::take(&mut self.gradients);
        let (ids, grads) = gradients.touched(self.dim);
        self.refresh(ids);
        let attached = self.attached.as_mut().expect("asserted above");
        attached.optimiser.tick(lr);
        attached.lrs.push(lr);
        let rows = Rows { weights: &mut self.weights, state: &mut attached.state, dim: self.dim };
        let _flush = FlushDenormals::new();
        attached.optimiser.step(rows, ids, grads);
        if attached.optimiser.missed() != Missed::Nothing {
            let now = u32::try_from(attached.lrs.len()).expect("fewer than 2^32 steps");
            for &id in ids {
                self.marks[id as usize].last = now;
            }
        }
        gradients.clear();
        self.gradients = gradients;
        true
    }

    /// All weights, `[rows, dim]`, brought up to date.
    pub fn weights(&mut self) -> &[f32] {
        self.refresh_all();
        &self.weights
    }

    /// One row `[dim]`, brought up to date.
    pub fn row(&mut self, id: u32) -> &[f32] {
        Bags::ids(&[id]).check(&self.name, self.rows);
        self.refresh(&[id]);
        &self.weights[id as usize * self.dim..][..self.dim]
    }

    /// Overwrites rows with `values`, `[ids, dim]`; of an id given twice the last values stay. Optimiser state is
    /// kept, as by PyTorch's `weight.data[ids] = values`.
    ///
    /// # Panics
    /// Ids beyond the table; values of another number of rows.
    pub fn set_rows(&mut self, ids: &[u32], values: &[f32]) {
        Bags::ids(ids).check(&self.name, self.rows);
        assert_eq!(values.len(), ids.len() * self.dim, "table {}: values of {} rows", self.name, ids.len());
        // The state has to take part in the missed steps with the old weights.
        self.refresh(ids);
        for (&id, value) in ids.iter().zip(values.chunks_exact(self.dim)) {
            self.weights[id as usize * self.dim..][..self.dim].copy_from_slice(value);
        }
    }

    /// Overwrites all weights, `[rows, dim]`, and keeps optimiser state: to go back to the best epoch, say.
    ///
    /// # Panics
    /// Values of another number of rows.
    pub fn set_weights(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.weights.len(), "table {}: values of all rows", self.name);
        self.refresh_all();
        self.weights.copy_from_slice(values);
    }

    /// The mean of all rows, `[dim]`.
    pub fn mean(&mut self) -> Vec<f32> {
        self.refresh_all();
        let mut sums = vec![0.0f64; self.dim];
        for row in self.weights.chunks_exact(self.dim) {
            for (sum, &weight) in sums.iter_mut().zip(row) {
                *sum += f64::from(weight);
            }
        }
        sums.iter().map(|sum| (sum / self.rows as f64) as f32).collect()
    }

    fn check(&self, bags: &Bags, outside: usize, stride: usize) {
        bags.check(&self.name, self.rows);
        let needed = match bags.len() {
            0 => 0,
            rows => (rows - 1) * stride + self.dim,
        };
        assert!(
            stride >= self.dim && outside >= needed,
            "table {}: {} rows of {} at stride {stride} need {needed} floats, not {outside}",
            self.name,
            bags.len(),
            self.dim
        );
    }

    /// Brings rows up to date; ids are in range, and may repeat.
    fn refresh(&mut self, ids: &[u32]) {
        let now = self.clock();
        let Some(attached) = &mut self.attached else { return };
        let missed = attached.optimiser.missed();
        let width = attached.optimiser.vectors() * self.dim;
        if missed == Missed::Nothing || now == 0 {
            return;
        }
        self.stale.clear();
        let rows = Rows { weights: &mut self.weights, state: &mut attached.state, dim: self.dim };
        for (j, &id) in ids.iter().enumerate() {
            if let Some(&far) = ids.get(j + MARKS_AHEAD) {
                prefetch(&self.marks, far as usize);
            }
            if let Some(&near) = ids.get(j + ROWS_AHEAD) {
                let near = near as usize;
                prefetch_row(rows.weights, near * self.dim, self.dim);
                if self.marks[near].last != 0 || missed == Missed::All {
                    prefetch_row(rows.state, near * width, width);
                }
            }
            let mark = &mut self.marks[id as usize];
            if mark.last != now && (mark.last != 0 || missed == Missed::All) {
                self.stale.push(Stale { row: id, last: mark.last });
                // Now, so that a repeated id is listed once.
                mark.last = now;
            }
        }
        if !self.stale.is_empty() {
            let _flush = FlushDenormals::new();
            attached.optimiser.refresh(rows, &mut self.stale);
        }
    }

    /// Brings all rows up to date.
    pub(super) fn refresh_all(&mut self) {
        let mut ids = Vec::with_capacity(SWEEP);
        for first in (0..self.rows).step_by(SWEEP) {
            ids.clear();
            ids.extend(first as u32..(first + SWEEP).min(self.rows) as u32);
            self.refresh(&ids);
        }
    }
}

/// Asks for the cache lines of `len` floats from `at` on.
#[inline(always)]
fn prefetch_row(floats: &[f32], at: usize, len: usize) {
    for line in (0..len).step_by(16) {
        prefetch(floats, at + line);
    }
}

struct Gather<'a> {
    weights: &'a [f32],
    bags: &'a Bags<'a>,
    out: &'a mut [f32],
    stride: usize,
    dim: usize,
}

impl Job for Gather<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { weights, bags, out, stride, dim } = self;
        for b in 0..bags.len() {
            let out = &mut out[b * stride..][..dim];
            let range = bags.range(b);
            if range.is_empty() {
                out.fill(0.0);
            }
            for (n, j) in range.enumerate() {
                if let Some(&next) = bags.ids.get(j + ROWS_AHEAD) {
                    prefetch(weights, next as usize * dim);
                }
                let row = &weights[bags.ids[j] as usize * dim..][..dim];
                along(&mut AddRow { out: &mut *out, row, weight: bags.weight(j), first: n == 0 }, dim);
            }
        }
    }
}

struct AddRow<'a> {
    out: &'a mut [f32],
    row: &'a [f32],
    weight: f32,
    first: bool,
}

impl RowOp for AddRow<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut sum = if self.first { [0.0; N] } else { load::<N>(self.out, at) };
        let row = load::<N>(self.row, at);
        for i in 0..N {
            sum[i] += self.weight * row[i];
        }
        store(self.out, at, &sum);
    }
}
