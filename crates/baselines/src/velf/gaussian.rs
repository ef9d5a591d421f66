//! Diagonal Gaussians.
use tch::{Kind, Tensor};

/// A Gaussian with independent dimensions for every row.
#[derive(Debug)]
pub struct Gaussian {
    /// `[B, d]`.
    pub mean: Tensor,
    /// Log of the variance, `[B, d]`.
    pub log_var: Tensor,
}

impl Gaussian {
    /// mean + σ · noise, `[B, d]`.
    pub fn sample(&self, noise: &Tensor) -> Tensor {
        &self.mean + (&self.log_var * 0.5).exp() * noise
    }

    /// KL(self ‖ other), summed over dimensions, mean over rows: a scalar.
    pub fn divergence(&self, other: &Self) -> Tensor {
        let spread = (&self.log_var - &other.log_var).exp();
        let distance = (&self.mean - &other.mean).square() * (-&other.log_var).exp();
        half_of(&other.log_var - &self.log_var + spread + distance)
    }

    /// KL(self ‖ N(0, I)), summed over dimensions, mean over rows: a scalar.
    pub fn divergence_from_standard(&self) -> Tensor {
        half_of(self.log_var.exp() + self.mean.square() - &self.log_var)
    }
}

/// ½ (terms - 1), summed over dimensions, mean over rows.
fn half_of(terms: Tensor) -> Tensor {
    ((terms - 1.0) * 0.5).sum_dim_intlist([1i64].as_slice(), false, Kind::Float).mean(Kind::Float)
}
