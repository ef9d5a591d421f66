//! The formulas of `torch.optim` (2.11), line by line, on a dense parameter, and a driver that feeds a table and such
//! a parameter the same random sparse steps.

use std::ops::{Add, Div, Mul, Sub};

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::table::{Bags, EmbeddingTable, Rule};

/// `f32`, as PyTorch computes, or `f64`, to tell rounding from error.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    fn of(x: f64) -> Self;
    fn root(self) -> Self;
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn wide(self) -> f64 {
        self.into()
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn wide(self) -> f64 {
        self
    }
}

/// A dense parameter with its optimiser; `a` and `b` are its state, in the order of the table's.
#[derive(Clone)]
pub struct Dense<F> {
    pub w: Vec<F>,
    a: Vec<F>,
    b: Vec<F>,
    t: i32,
    rule: Rule,
}

impl<F: Real> Dense<F> {
    pub fn new(w: &[f32], rule: Rule) -> Self {
        let w = w.iter().map(|&w| F::of(w.into())).collect();
        let mut dense = Self { w, a: vec![], b: vec![], t: 0, rule };
        dense.attach(rule);
        dense
    }

    pub fn attach(&mut self, rule: Rule) {
        let initial = match rule {
            Rule::Adagrad { initial_accumulator, .. } => initial_accumulator,
            _ => 0.0,
        };
        (self.a, self.b) = (vec![F::of(initial); self.w.len()], vec![F::of(0.0); self.w.len()]);
        (self.t, self.rule) = (0, rule);
    }

    pub fn set_row(&mut self, id: u32, row: &[f32]) {
        let own = &mut self.w[id as usize * row.len()..][..row.len()];
        own.iter_mut().zip(row).for_each(|(own, &x)| *own = F::of(x.into()));
    }

    pub fn step(&mut self, grad: &[f32], lr: f64) {
        self.t += 1;
        let c = F::of;
        for (i, &g) in grad.iter().enumerate() {
            let g = c(g.into());
            let (w, a, b) = (&mut self.w[i], &mut self.a[i], &mut self.b[i]);
            match self.rule {
                Rule::Adam { beta1, beta2, eps, weight_decay } => {
                    let g = g + c(weight_decay) * *w;
                    *a = *a + c(1.0 - beta1) * (g - *a);
                    *b = *b * c(beta2) + c(1.0 - beta2) * g * g;
                    let step_size = lr / (1.0 - beta1.powi(self.t));
                    let root = (1.0 - beta2.powi(self.t)).sqrt();
                    let denom = b.root() / c(root) + c(eps);
                    *w = *w + c(-step_size) * (*a / denom);
                }
                Rule::Adagrad { lr_decay, eps, weight_decay, .. } => {
                    let g = g + c(weight_decay) * *w;
                    let clr = lr / (1.0 + f64::from(self.t - 1) * lr_decay);
                    *a = *a + g * g;
                    *w = *w + c(-clr) * (g / (a.root() + c(eps)));
                }
                Rule::Sgd { momentum, weight_decay } => {
                    let g = g + c(weight_decay) * *w;
                    *a = c(momentum) * *a + g;
                    *w = *w + c(-lr) * *a;
                }
            }
        }
    }
}

/// The largest difference between two parameters.
pub fn distance(x: &[impl Real], y: &[impl Real]) -> f64 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(x, y)| (x.wide() - y.wide()).abs()).fold(0.0, f64::max)
}

/// A table and a dense parameter that start equal.
pub struct Pair {
    pub table: EmbeddingTable,
    pub dense: Dense<f32>,
    pub exact: Dense<f64>,
    pub start: Vec<f32>,
    pub rng: Xoshiro256PlusPlus,
}

pub fn uniform(rng: &mut impl Rng) -> f32 {
    rng.random_range(-1.0..1.0)
}

impl Pair {
    pub fn new(rows: usize, dim: usize, rule: Rule, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let start: Vec<f32> = (0..rows * dim).map(|_| 0.1 * uniform(&mut rng)).collect();
        let mut table = EmbeddingTable::new(start.clone(), dim).named("pair");
        table.attach(rule);
        let (dense, exact) = (Dense::new(&start, rule), Dense::new(&start, rule));
        Self { table, dense, exact, start, rng }
    }

    /// One step on a few random rows, as bags with weights and repeated ids.
    pub fn step(&mut self, lr: f64) {
        let (rows, dim) = (self.table.rows(), self.table.dim());
        let rng = &mut self.rng;
        let mut dense_grad = vec![0.0f32; rows * dim];
        for _ in 0..rng.random_range(1..3) {
            let n = rng.random_range(1..8);
            // Half of the steps prefer a few rows, so that gaps are short and long.
            let most = if rng.random_bool(0.5) { rows } else { rows.div_ceil(8) };
            let ids: Vec<u32> = (0..n).map(|_| rng.random_range(0..most) as u32).collect();
            let weights: Vec<f32> = (0..n).map(|_| uniform(rng)).collect();
            let cut = rng.random_range(0..=n) as u32;
            let offsets = [0, cut, cut, n as u32];
            let plain = rng.random_bool(0.5);
            let bags = if plain {
                Bags::ids(&ids)
            } else {
                Bags { ids: &ids, offsets: Some(&offsets), weights: Some(&weights) }
            };
            let stride = dim + 3;
            let mut out = vec![f32::NAN; bags.len() * stride];
            self.table.gather(&bags, &mut out, stride);
            // Not of what was read: a loss would let differences of one bit grow, in the reference as well. The
            // magnitudes of real gradients differ between columns.
            let grad: Vec<f32> =
                (0..out.len()).map(|k| 0.02 * uniform(rng) * 0.3f32.powi((k % 5) as i32)).collect();
            self.table.accumulate(&bags, &grad, stride);
            for b in 0..bags.len() {
                for j in bags.range(b) {
                    for c in 0..dim {
                        dense_grad[ids[j] as usize * dim + c] += bags.weight(j) * grad[b * stride + c];
                    }
                }
            }
        }
        let (ids, grads) = self.table.touched_grad();
        for (&id, grad) in ids.iter().zip(grads.chunks_exact(dim)) {
            assert_eq!(grad, &dense_grad[id as usize * dim..][..dim], "gradient of row {id}");
        }
        assert!(self.table.step(lr));
        self.dense.step(&dense_grad, lr);
        self.exact.step(&dense_grad, lr);
    }

    /// The largest difference from PyTorch's arithmetic over the largest movement, now.
    pub fn error(&mut self) -> f64 {
        let moved = distance(&self.dense.w, &self.start);
        let error = distance(self.table.weights(), &self.dense.w) / moved;
        assert!(moved > 0.0 && error.is_finite(), "moved {moved}, error {error}");
        error
    }

    /// The same from exact arithmetic: of the table, and of PyTorch's own.
    pub fn rounding(&mut self) -> [f64; 2] {
        let moved = distance(&self.dense.w, &self.start);
        [distance(self.table.weights(), &self.exact.w), distance(&self.dense.w, &self.exact.w)]
            .map(|d| d / moved)
    }
}
