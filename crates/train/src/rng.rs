//! Random streams of our own: libtorch's generator is global, so nothing here draws from it.
//!
//! Every consumer (an initialised parameter, a dropout layer, a shuffle) has a stream of its own, named after it: what
//! one of them draws never depends on how often another one drew.
use crate::memory;
use rand::{RngExt, SeedableRng, distr::Open01};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{cell::RefCell, rc::Rc};
use tch::{Device, Kind, Tensor};

/// The generator used everywhere.
pub type Rng = Xoshiro256PlusPlus;

/// A generator that a layer draws from and that its net knows too, which is saved with the net in checkpoints.
pub type Stream = Rc<RefCell<Rng>>;

/// The stream called `name` of the run with seed `seed`.
pub fn stream(seed: u64, name: &str) -> Rng {
    let mut hash = blake3::Hasher::new();
    hash.update(&seed.to_le_bytes()).update(name.as_bytes());
    Rng::from_seed(*hash.finalize().as_bytes())
}

/// A seed for one part of a run, so that its streams differ from those of the parts that use the run's seed itself.
pub fn derive(seed: u64, part: &str) -> u64 {
    stream(seed, part).random()
}

/// Standard normal numbers, f32 on the CPU.
pub fn normal(shape: &[i64], rng: &mut Rng) -> Tensor {
    let out = Tensor::empty(shape, (Kind::Float, Device::Cpu));
    memory::with_slice_mut(&out, |values| values.iter_mut().for_each(|v| *v = rng.sample(StandardNormal)));
    out
}

/// Numbers of the standard Gumbel distribution, -ln(-ln u) with u uniform in (0, 1), f32 on the CPU.
pub fn gumbel(shape: &[i64], rng: &mut Rng) -> Tensor {
    let out = Tensor::empty(shape, (Kind::Float, Device::Cpu));
    let mut draw = || {
        let u: f64 = rng.sample(Open01);
        -(-u.ln()).ln()
    };
    memory::with_slice_mut(&out, |values| values.iter_mut().for_each(|v| *v = draw() as f32));
    out
}

/// Whole numbers below `end`, i64 `[n]` on the CPU.
pub fn below(end: i64, n: usize, rng: &mut Rng) -> Tensor {
    Tensor::from_slice(&(0..n).map(|_| rng.random_range(0..end)).collect::<Vec<i64>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_and_name_only() {
        let first = |seed, name| stream(seed, name).random::<u64>();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
    /// Mean and variance are Euler's constant and π²/6.
    #[test]
    fn gumbel_numbers_have_gumbels_moments() {
        let x = gumbel(&[200, 1000], &mut stream(1, "x"));
        assert!((x.mean(Kind::Double).double_value(&[]) - 0.577_216).abs() < 0.01);
        assert!((x.var(true).double_value(&[]) - std::f64::consts::PI.powi(2) / 6.0).abs() < 0.03);
        assert!(x.isfinite().all().double_value(&[]) == 1.0);
    }
}
