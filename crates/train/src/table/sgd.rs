//! Gradient descent, as `torch.optim.SGD`:
//!
//! ```text
//! g = grad + weight_decay w       b = momentum b + g       w -= lr b
//! ```
//!
//! State of a row: `b`, with momentum only. A row without a gradient moves with decay or momentum. With momentum alone
//! it slides by `b sum_k lr_(t0 + k) momentum^k`, a sum shared by all rows last seen in `t0`. Decay is replayed: its
//! product over the missed steps would be closer to the truth than PyTorch's floats, which get stuck when a step is
//! below their resolution, but equal is what the table promises.

use std::collections::VecDeque;

use super::denormals::snap;
use super::lanes::{RowOp, along, load, store};
use super::optimiser::{Missed, RowOptimiser, Rows, Stale};
use super::replay::{Recurrence, Replay};
use crate::kernel::{Job, run};

/// The buffer has vanished when this is left of it.
const VANISHED: f64 = 1e-9;

pub(super) struct Sgd {
    momentum: f64,
    weight_decay: f64,
    /// Learning rates by step, from 1; entry 0 is not used.
    rates: Vec<f32>,
    /// With momentum alone: steps whose sums still grow, and the sums by step.
    sliding: VecDeque<(usize, f64)>,
    slides: Vec<f32>,
}

impl Sgd {
    pub fn new(momentum: f64, weight_decay: f64) -> Self {
        Self { momentum, weight_decay, rates: vec![0.0], sliding: VecDeque::new(), slides: vec![0.0] }
    }

    fn now(&self) -> usize {
        self.rates.len() - 1
    }
}

impl RowOptimiser for Sgd {
    fn vectors(&self) -> usize {
        usize::from(self.momentum > 0.0)
    }

    fn missed(&self) -> Missed {
        match (self.momentum > 0.0, self.weight_decay > 0.0) {
            (_, true) => Missed::All,
            (true, false) => Missed::Touched,
            (false, false) => Missed::Nothing,
        }
    }

    fn tick(&mut self, lr: f64) {
        let t = self.rates.len();
        self.rates.push(lr as f32);
        if self.missed() == Missed::Touched {
            let reach = (VANISHED.ln() / self.momentum.ln()).ceil() as usize;
            if self.sliding.front().is_some_and(|&(oldest, _)| t - oldest > reach) {
                self.sliding.pop_front();
            }
            for (last, sum) in &mut self.sliding {
                *sum += lr * self.momentum.powi((t - *last) as i32);
                self.slides[*last] = *sum as f32;
            }
            self.sliding.push_back((t, 0.0));
            self.slides.push(0.0);
        }
    }

    fn refresh(&self, rows: Rows, stale: &mut [Stale]) {
        if self.weight_decay > 0.0 {
            run(Replay { recurrence: self, rows, stale, now: self.now() as u32 });
        } else {
            run(CatchUp { sgd: self, rows, stale });
        }
    }

    fn step(&self, rows: Rows, ids: &[u32], grads: &[f32]) {
        run(Step { sgd: self, rows, ids, grads });
    }
}

impl Recurrence for Sgd {
    type Scalars = f32;

    #[inline(always)]
    fn vectors(&self) -> usize {
        usize::from(self.momentum > 0.0)
    }

    #[inline(always)]
    fn scalars(&self, t: u32) -> f32 {
        self.rates[t as usize]
    }

    #[inline(always)]
    fn coast(&self, rate: f32, w: &mut f32, buffer: &mut f32, _: &mut f32) {
        *buffer = self.momentum as f32 * *buffer + self.weight_decay as f32 * *w;
        *w -= rate * *buffer;
    }

    #[inline(always)]
    fn settle(&self, state: f32) -> f32 {
        snap(state)
    }
}

/// A row's buffer, `[dim]` with momentum and empty without.
#[inline(always)]
fn buffer(state: &mut [f32], row: usize, dim: usize) -> &mut [f32] {
    if state.is_empty() { state } else { &mut state[row * dim..][..dim] }
}

/// Momentum alone.
struct CatchUp<'a> {
    sgd: &'a Sgd,
    rows: Rows<'a>,
    stale: &'a [Stale],
}

impl Job for CatchUp<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { sgd, rows: Rows { weights, state, dim }, stale } = self;
        for &Stale { row, last } in stale {
            let slide = sgd.slides[last as usize];
            let fade = sgd.momentum.powf((sgd.now() - last as usize) as f64) as f32;
            let buffer = &mut state[row as usize * dim..][..dim];
            let weights = &mut weights[row as usize * dim..][..dim];
            along(&mut CatchUpRow { slide, fade, weights, buffer }, dim);
        }
    }
}

struct CatchUpRow<'a> {
    slide: f32,
    fade: f32,
    weights: &'a mut [f32],
    buffer: &'a mut [f32],
}

impl RowOp for CatchUpRow<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut w = load::<N>(self.weights, at);
        let mut b = load::<N>(self.buffer, at);
        for i in 0..N {
            w[i] -= b[i] * self.slide;
            b[i] = snap(b[i] * self.fade);
        }
        store(self.buffer, at, &b);
        store(self.weights, at, &w);
    }
}

struct Step<'a> {
    sgd: &'a Sgd,
    rows: Rows<'a>,
    ids: &'a [u32],
    grads: &'a [f32],
}

impl Job for Step<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { sgd, rows: Rows { weights, state, dim }, ids, grads } = self;
        let constants = [sgd.momentum as f32, sgd.weight_decay as f32, sgd.rates[sgd.now()]];
        for (&id, grad) in ids.iter().zip(grads.chunks_exact(dim)) {
            let buffer = buffer(state, id as usize, dim);
            let weights = &mut weights[id as usize * dim..][..dim];
            along(&mut StepRow { constants, weights, buffer, grad }, dim);
        }
    }
}

struct StepRow<'a> {
    /// Momentum, weight decay, learning rate.
    constants: [f32; 3],
    weights: &'a mut [f32],
    buffer: &'a mut [f32],
    grad: &'a [f32],
}

impl RowOp for StepRow<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let [momentum, weight_decay, rate] = self.constants;
        let mut w = load::<N>(self.weights, at);
        let mut step = load::<N>(self.grad, at);
        for i in 0..N {
            step[i] += weight_decay * w[i];
        }
        if !self.buffer.is_empty() {
            let b = load::<N>(self.buffer, at);
            for i in 0..N {
                step[i] = snap(momentum * b[i] + step[i]);
            }
            store(self.buffer, at, &step);
        }
        for i in 0..N {
            w[i] -= rate * step[i];
        }
        store(self.weights, at, &w);
    }
}
