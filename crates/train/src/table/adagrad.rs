//! Adagrad, as `torch.optim.Adagrad`:
//!
//! ```text
//! g = grad + weight_decay w       sum += g g       w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(sum) + eps)
//! ```
//!
//! State of a row: `sum`. Without decay a row without a gradient does not move.

use super::lanes::{RowOp, along, load, store};
use super::optimiser::{Missed, RowOptimiser, Rows, Stale};
use super::replay::{Recurrence, Replay};
use crate::kernel::{Job, run};

#[derive(Clone, Copy)]
struct Constants {
    eps: f32,
    weight_decay: f32,
}

impl Constants {
    /// One weight's step with gradient `g`, decay already in it.
    #[inline(always)]
    fn tick(&self, rate: f32, g: f32, w: &mut f32, sum: &mut f32) {
        *sum += g * g;
        *w -= rate * (g / (sum.sqrt() + self.eps));
    }
}

pub(super) struct Adagrad {
    lr_decay: f64,
    initial: f32,
    constants: Constants,
    /// The decayed learning rate by step, from 1; entry 0 is not used.
    rates: Vec<f32>,
}

impl Adagrad {
    pub fn new(lr_decay: f64, eps: f64, initial: f64, weight_decay: f64) -> Self {
        let constants = Constants { eps: eps as f32, weight_decay: weight_decay as f32 };
        Self { lr_decay, initial: initial as f32, constants, rates: vec![0.0] }
    }
}

impl RowOptimiser for Adagrad {
    fn vectors(&self) -> usize {
        1
    }

    fn initial_state(&self) -> f32 {
        self.initial
    }

    fn missed(&self) -> Missed {
        if self.constants.weight_decay == 0.0 { Missed::Nothing } else { Missed::All }
    }

    fn tick(&mut self, lr: f64) {
        let before = (self.rates.len() - 1) as f64;
        self.rates.push((lr / (1.0 + before * self.lr_decay)) as f32);
    }

    fn refresh(&self, rows: Rows, stale: &mut [Stale]) {
        run(Replay { recurrence: self, rows, stale, now: (self.rates.len() - 1) as u32 });
    }

    fn step(&self, rows: Rows, ids: &[u32], grads: &[f32]) {
        run(Step { constants: self.constants, rate: self.rates[self.rates.len() - 1], rows, ids, grads });
    }
}

impl Recurrence for Adagrad {
    type Scalars = f32;

    #[inline(always)]
    fn vectors(&self) -> usize {
        1
    }

    #[inline(always)]
    fn scalars(&self, t: u32) -> f32 {
        self.rates[t as usize]
    }

    #[inline(always)]
    fn coast(&self, rate: f32, w: &mut f32, sum: &mut f32, _: &mut f32) {
        let g = self.constants.weight_decay * *w;
        self.constants.tick(rate, g, w, sum);
    }

    #[inline(always)]
    fn settle(&self, state: f32) -> f32 {
        state
    }
}

struct Step<'a> {
    constants: Constants,
    rate: f32,
    rows: Rows<'a>,
    ids: &'a [u32],
    grads: &'a [f32],
}

impl Job for Step<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { constants, rate, rows: Rows { weights, state, dim }, ids, grads } = self;
        for (&id, grad) in ids.iter().zip(grads.chunks_exact(dim)) {
            let weights = &mut weights[id as usize * dim..][..dim];
            let sums = &mut state[id as usize * dim..][..dim];
            along(&mut StepRow { constants, rate, weights, sums, grad }, dim);
        }
    }
}

struct StepRow<'a> {
    constants: Constants,
    rate: f32,
    weights: &'a mut [f32],
    sums: &'a mut [f32],
    grad: &'a [f32],
}

impl RowOp for StepRow<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut w = load::<N>(self.weights, at);
        let mut sums = load::<N>(self.sums, at);
        let grad = load::<N>(self.grad, at);
        for i in 0..N {
            let g = grad[i] + self.constants.weight_decay * w[i];
            self.constants.tick(self.rate, g, &mut w[i], &mut sums[i]);
        }
        store(self.weights, at, &w);
        store(self.sums, at, &sums);
    }
}
