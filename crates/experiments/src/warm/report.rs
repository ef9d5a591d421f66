//! How well generated embeddings meet trained ones that the generator never saw.
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a run of `warm` tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Old items.
    pub old: usize,
    /// New items.
    pub new: usize,
    /// What the folds decided.
    pub choice: Choice,
    /// What was measured on old items that were held out.
    pub held_out: HeldOut,
}

/// How the generator is trained and used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Passes over the old items: the median of what was best for the folds.
    pub epochs: usize,
    /// How far embeddings go from the old items' mean to what is generated, 0 to 1: what met the folds' trained
    /// embeddings best.
    pub strength: f64,
}

/// Errors against trained embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Items.
    pub items: usize,
    /// Of the generated embeddings.
    pub generated: Fit,
    /// Of the mean embedding of the items learned from.
    pub mean: Fit,
    /// Mean squared error of zero.
    pub zero: f64,
}

/// How near some vectors are to others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Mean squared error over all numbers.
    pub mse: f64,
    /// Mean cosine.
    pub cosine: f64,
}

impl HeldOut {
    /// `made` against `trained`, both `[items, d]`; `learned` are the embeddings learned from.
    pub(super) fn new(made: &[f32], trained: &[f32], learned: &[f32], dim: usize) -> Self {
        let n = (learned.len() / dim) as f64;
        let mean_of = |j: usize| learned.iter().skip(j).step_by(dim).map(|v| f64::from(*v)).sum::<f64>() / n;
        let mean: Vec<f32> = (0..dim).map(|j| mean_of(j) as f32).collect();
        let items = trained.len() / dim;
        let zero = squared_error(trained, &vec![0.0; trained.len()]);
        let against = |v: &[f32]| Fit { mse: squared_error(v, trained), cosine: cosine(v, trained, dim) };
        Self { items, generated: against(made), mean: against(&mean.repeat(items)), zero }
    }
}

/// Mean over all numbers.
pub(super) fn squared_error(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    sum / a.len() as f64
}

/// Mean over all rows; a row of zeros counts 0.
fn cosine(a: &[f32], b: &[f32], dim: usize) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let one = |(a, b): (&[f32], &[f32])| {
        let norms = (dot(a, a) * dot(b, b)).sqrt();
        if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
    };
    a.chunks(dim).zip(b.chunks(dim)).map(one).sum::<f64>() / (a.len() / dim) as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, choice: Choice { epochs, strength }, held_out } = self;
        let HeldOut { items, generated, mean, zero } = held_out;
        writeln!(f, "{new} new items from {old} old ones; {epochs} epochs, strength {strength:.2}")?;
        writeln!(f, "on {items} old items that were held out   mean squared error   cosine")?;
        let mut line = |what: &str, mse: f64, cosine: &str| writeln!(f, "{what:<38} {mse:>20.6} {cosine:>8}");
        line("  generated", generated.mse, &format!("{:.3}", generated.cosine))?;
        line("  the mean embedding", mean.mse, &format!("{:.3}", mean.cosine))?;
        line("  zero", *zero, "-")
    }
}
