//! Normalisation to mean 0 and variance 1.
use tch::{Device, Kind, Tensor};

/// Added to the variance.
pub(super) const EPS: f64 = 1e-5;

/// Over the last dimension, without a learned scale or shift. What libtorch is given in their place makes its
/// layer normalisation faster than if it were given none.
#[derive(Debug)]
pub(super) struct Unscaled {
    one: Tensor,
    zero: Tensor,
}

impl Unscaled {
    /// For `numbers` in the last dimension.
    pub(super) fn new(numbers: i64, device: Device) -> Self {
        let one = Tensor::ones([numbers], (Kind::Float, device));
        Self { zero: one.zeros_like(), one }
    }

    /// # Shapes
    /// x [.., numbers] -> the same
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.one.size(), Some(&self.one), Some(&self.zero), EPS, false)
    }

    pub(super) fn shallow_clone(&self) -> Self {
        Self { one: self.one.shallow_clone(), zero: self.zero.shallow_clone() }
    }
}

/// Over the last dimension, with a scale of each place in it and no shift; contiguous.
///
/// # Shapes
/// x [.., C], weight `[C]` -> [.., C]
pub(super) fn scaled(x: &Tensor, weight: &Tensor) -> Tensor {
    x.layer_norm(weight.size(), Some(weight), None, EPS, false)
}
