//! Adam, as `torch.optim.Adam`:
//!
//! ```text
//! g = grad + weight_decay w       m += (1 - beta1) (g - m)       v = beta2 v + (1 - beta2) g g
//! w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
//! ```
//!
//! State of a row: `m`, `v`.

use super::denormals::snap;
use super::lanes::{RowOp, along, load, store};
use super::optimiser::{Missed, RowOptimiser, Rows, Stale};
use super::replay::{Recurrence, Replay};
use super::series::{Moves, Series};
use crate::kernel::{Job, run};

/// Per step: `[lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)]`.
type Scalars = [f32; 2];

#[derive(Clone, Copy)]
struct Constants {
    beta2: f32,
    /// `1 - beta1` and `1 - beta2`, rounded once, as PyTorch does.
    rest1: f32,
    rest2: f32,
    eps: f32,
    weight_decay: f32,
}

impl Constants {
    /// One weight's step with gradient `g`, decay already in it.
    #[inline(always)]
    fn tick(&self, [rate, scale]: Scalars, g: f32, w: &mut f32, m: &mut f32, v: &mut f32) {
        *m += self.rest1 * (g - *m);
        *v = self.beta2 * *v + self.rest2 * (g * g);
        *w -= rate * *m / (v.sqrt() * scale + self.eps);
    }
}

pub(super) struct Adam {
    betas: [f64; 2],
    constants: Constants,
    /// By step, from 1; entry 0 is not used.
    steps: Vec<Scalars>,
    /// Without decay only.
    series: Option<Series>,
    /// `[beta1^gap, beta2^gap]` by gap; without decay only.
    decay: Vec<[f32; 2]>,
}

impl Adam {
    pub fn new(beta1: f64, beta2: f64, eps: f64, weight_decay: f64) -> Self {
        let constants = Constants {
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            eps: eps as f32,
            weight_decay: weight_decay as f32,
        };
        let series = (weight_decay == 0.0).then(|| Series::new(beta1, beta2));
        Self { betas: [beta1, beta2], constants, steps: vec![[0.0; 2]], series, decay: vec![[1.0; 2]] }
    }

    fn now(&self) -> u32 {
        (self.steps.len() - 1) as u32
    }
}

impl RowOptimiser for Adam {
    fn vectors(&self) -> usize {
        2
    }

    fn missed(&self) -> Missed {
        if self.series.is_some() { Missed::Touched } else { Missed::All }
    }

    fn tick(&mut self, lr: f64) {
        let t = self.steps.len();
        let powers = self.betas.map(|beta| beta.powf(t as f64));
        let rate = lr / (1.0 - powers[0]);
        let scale = 1.0 / (1.0 - powers[1]).sqrt();
        self.steps.push([rate as f32, scale as f32]);
        if let Some(series) = &mut self.series {
            series.push(t, rate, scale);
            self.decay.push(powers.map(|x| x as f32));
        }
    }

    fn refresh(&self, rows: Rows, stale: &mut [Stale]) {
        match &self.series {
            Some(series) => run(CatchUp { adam: self, series, rows, stale }),
            None => run(Replay { recurrence: self, rows, stale, now: self.now() }),
        }
    }

    fn step(&self, rows: Rows, ids: &[u32], grads: &[f32]) {
        let scalars = self.steps[self.steps.len() - 1];
        run(Step { constants: self.constants, scalars, rows, ids, grads });
    }
}

impl Recurrence for Adam {
    type Scalars = Scalars;

    #[inline(always)]
    fn vectors(&self) -> usize {
        2
    }

    #[inline(always)]
    fn scalars(&self, t: u32) -> Scalars {
        self.steps[t as usize]
    }

    #[inline(always)]
    fn coast(&self, scalars: Scalars, w: &mut f32, m: &mut f32, v: &mut f32) {
        let g = self.constants.weight_decay * *w;
        self.constants.tick(scalars, g, w, m, v);
    }

    #[inline(always)]
    fn settle(&self, state: f32) -> f32 {
        snap(state)
    }
}

/// A step for rows with gradients.
struct Step<'a> {
    constants: Constants,
    scalars: Scalars,
    rows: Rows<'a>,
    ids: &'a [u32],
    grads: &'a [f32],
}

impl Job for Step<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { constants, scalars, rows: Rows { weights, state, dim }, ids, grads } = self;
        for (&id, grad) in ids.iter().zip(grads.chunks_exact(dim)) {
            let weights = &mut weights[id as usize * dim..][..dim];
            let (m, v) = state[id as usize * 2 * dim..][..2 * dim].split_at_mut(dim);
            along(&mut StepRow { constants, scalars, weights, m, v, grad }, dim);
        }
    }
}

struct StepRow<'a> {
    constants: Constants,
    scalars: Scalars,
    weights: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    grad: &'a [f32],
}

impl RowOp for StepRow<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut w = load::<N>(self.weights, at);
        let mut m = load::<N>(self.m, at);
        let mut v = load::<N>(self.v, at);
        let grad = load::<N>(self.grad, at);
        for i in 0..N {
            let g = grad[i] + self.constants.weight_decay * w[i];
            self.constants.tick(self.scalars, g, &mut w[i], &mut m[i], &mut v[i]);
            m[i] = snap(m[i]);
            v[i] = snap(v[i]);
        }
        store(self.weights, at, &w);
        store(self.m, at, &m);
        store(self.v, at, &v);
    }
}

/// Missed steps without decay.
struct CatchUp<'a> {
    adam: &'a Adam,
    series: &'a Series,
    rows: Rows<'a>,
    stale: &'a [Stale],
}

impl Job for CatchUp<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { adam, series, rows: Rows { weights, state, dim }, stale } = self;
        let now = adam.now();
        let eps = adam.constants.eps;
        for &Stale { row, last } in stale {
            let weights = &mut weights[row as usize * dim..][..dim];
            let (m, v) = state[row as usize * 2 * dim..][..2 * dim].split_at_mut(dim);
            let decay = adam.decay[(now - last) as usize];
            let moves = series.moves[last as usize];
            if moves.centre > 0.0 {
                along(&mut ByPolynomial { eps, moves, decay, weights, m, v }, dim);
            } else {
                let steps = &adam.steps[last as usize + 1..];
                let factors = &series.factors[1..];
                along(&mut ByTerm { eps, steps, factors, decay, weights, m, v }, dim);
            }
        }
    }
}

struct ByPolynomial<'a> {
    eps: f32,
    moves: Moves,
    decay: [f32; 2],
    weights: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl RowOp for ByPolynomial<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut w = load::<N>(self.weights, at);
        let mut m = load::<N>(self.m, at);
        let mut v = load::<N>(self.v, at);
        let terms = self.moves.terms;
        for i in 0..N {
            let scaled = v[i].sqrt() * self.moves.centre;
            let inverse = 1.0 / (scaled + self.eps);
            let q = scaled * inverse;
            let mut sum = terms[terms.len() - 1];
            for &term in terms.iter().rev().skip(1) {
                sum = sum * q + term;
            }
            w[i] -= m[i] * inverse * sum;
            m[i] = snap(m[i] * self.decay[0]);
            v[i] = snap(v[i] * self.decay[1]);
        }
        store(self.weights, at, &w);
        store(self.m, at, &m);
        store(self.v, at, &v);
    }
}

struct ByTerm<'a> {
    eps: f32,
    /// From the first missed step on.
    steps: &'a [Scalars],
    /// `[beta1^k, beta2^(k/2)]` from `k = 1` until the first moment has vanished.
    factors: &'a [[f32; 2]],
    decay: [f32; 2],
    weights: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl RowOp for ByTerm<'_> {
    #[inline(always)]
    fn lanes<const N: usize>(&mut self, at: usize) {
        let mut w = load::<N>(self.weights, at);
        let mut m = load::<N>(self.m, at);
        let mut v = load::<N>(self.v, at);
        let roots = v.map(f32::sqrt);
        let mut sum = [0.0; N];
        let terms = self.steps.len().min(self.factors.len());
        let (pairs, odd) = self.steps[..terms].as_chunks::<2>();
        let (pair_factors, odd_factor) = self.factors[..terms].as_chunks::<2>();
        for (steps, factors) in pairs.iter().zip(pair_factors) {
            // a / x + b / y in one division. The product stays far inside the range of floats: eps is at least 1e-15.
            let [a, b] = [steps[0][0] * factors[0][0], steps[1][0] * factors[1][0]];
            let [r0, r1] = [steps[0][1] * factors[0][1], steps[1][1] * factors[1][1]];
            for i in 0..N {
                let x = roots[i] * r0 + self.eps;
                let y = roots[i] * r1 + self.eps;
                sum[i] += (a * y + b * x) / (x * y);
            }
        }
        for (step, factor) in odd.iter().zip(odd_factor) {
            let a = step[0] * factor[0];
            let r = step[1] * factor[1];
            for i in 0..N {
                sum[i] += a / (roots[i] * r + self.eps);
            }
        }
        for i in 0..N {
            w[i] -= m[i] * sum[i];
            m[i] = snap(m[i] * self.decay[0]);
            v[i] = snap(v[i] * self.decay[1]);
        }
        store(self.weights, at, &w);
        store(self.m, at, &m);
        store(self.v, at, &v);
    }
}
