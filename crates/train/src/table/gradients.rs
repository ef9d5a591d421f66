//! The gradients of one step, summed per row.

use super::bags::Bags;
use super::lanes::{RowOp, along, load, store};
use super::pages::Mark;
use crate::kernel::{Job, prefetch, run};

/// How many ids ahead memory is asked for.
const AHEAD: usize = 24;

/// Sums of gradients for the rows that a step touched, in order of first touch.
#[derive(Default)]
pub(super) struct Gradients {
    rows: Vec<u32>,
    /// At least `[rows, dim]`; what lies beyond is left over from earlier steps.
    sums: Vec<f32>,
    /// Whether anything was accumulated since the last step, be it for no row at all.
    pub in_graph: bool,
}

impl Gradients {
    /// The touched rows `[U]` and their gradients `[U, dim]`.
    pub fn touched(&self, dim: usize) -> (&[u32], &[f32]) {
        (&self.rows, &self.sums[..self.rows.len() * dim])
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.in_graph = false;
    }

    /// Adds the gradients of a look-up: `grad` holds row `b` of d loss / d out at `b * stride`.
    pub fn add(&mut self, marks: &mut [Mark], bags: &Bags, grad: &[f32], stride: usize, dim: usize) {
        self.in_graph = true;
        let most = (self.rows.len() + bags.ids.len()) * dim;
        if self.sums.len() < most {
            self.sums.resize(most, 0.0);
        }
        run(Add { rows: &mut self.rows, sums: &mut self.sums, marks, bags, grad, stride, dim });
    }
}

struct Add<'a> {
    rows: &'a mut Vec<u32>,
    sums: &'a mut [f32],
    marks: &'a mut [Mark],
    bags: &'a Bags<'a>,
    grad: &'a [f32],
    stride: usize,
    dim: usize,
}

impl Job for Add<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { rows, sums, marks, bags, grad, stride, dim } = self;
        for b in 0..bags.len() {
            let grad = &grad[b * stride..][..dim];
            for j in bags.range(b) {
                let id = bags.ids[j];
                if let Some(&far) = bags.ids.get(j + AHEAD) {
                    prefetch(marks, far as usize);
                }
                // A sparse set: a row's mark names a slot, and is believed if the slot names the row. So marks need
                // no clearing between steps.
                let mark = &mut marks[id as usize];
                let slot = mark.slot as usize;
                let known = rows.get(slot) == Some(&id);
                let slot = if known { slot } else { rows.len() };
                if !known {
                    mark.slot = slot as u32;
                    rows.push(id);
                }
                let sum = &mut sums[slot * dim..][..dim];
                along(&mut AddRow { sum, grad, weight: bags.weight(j), fresh: !known }, dim);
            }
        }
    }
}

struct AddRow<'a> {
    sum: &'a mut [f32],
    grad: &'a [f32],
    weight: f32,
    /// The sum holds an earlier step's values, to be overwritten.
    fresh: bool,
}

impl RowOp for AddRow<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut sum = if self.fresh { [0.0; N] } else { load::<N>(self.sum, at) };
        let grad = load::<N>(self.grad, at);
        for i in 0..N {
            sum[i] += self.weight * grad[i];
        }
        store(self.sum, at, &sum);
    }
}
