//! What the machine can do at most.
use serde::Serialize;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// Measured rates, the best of some repetitions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// Multiplications with an addition each, in the product of two f32 matrices of 2048 x 2048.
    pub multiply_adds_per_second: f64,
    /// Bytes read and written in copying 256 MiB.
    pub bytes_per_second: f64,
}

impl Machine {
    /// With the threads that libtorch has.
    pub fn measure() -> Self {
        let _guard = tch::no_grad_guard();
        let (n, floats) = (2048_i64, 1_i64 << 26);
        let of = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let (a, b, mut out) = (of(&[n, n]), of(&[n, n]), of(&[n, n]));
        let product = best(|| drop(out.addmm_out(&out.shallow_clone(), &a, &b)));
        let (from, mut to) = (of(&[floats]), of(&[floats]));
        let copy = best(|| to.copy_(&from));
        out = out.detach();
        drop(out);
        Self {
            multiply_adds_per_second: (n * n * n) as f64 / product,
            bytes_per_second: 8.0 * floats as f64 / copy,
        }
    }
}

/// The least of seven times, in seconds.
pub(super) fn best(mut f: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    (0..7).map(time).fold(f64::INFINITY, f64::min)
}
