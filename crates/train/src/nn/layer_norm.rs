use crate::{init::Init, params::Params};
use tch::Tensor;

/// Added to the variance, as in `torch.nn.LayerNorm`.
pub(super) const EPS: f64 = 1e-5;

/// `torch.nn.LayerNorm` over the last dimension. Parameters `weight`, `bias` `[C]`.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// Scale 1 and shift 0 unless the net's scheme says otherwise.
    pub fn new(p: &mut Params, channels: i64) -> Self {
        Self::scaled(p, channels, 1.0)
    }

    /// [`LayerNorm::new`] with another scale to begin with.
    pub fn scaled(p: &mut Params, channels: i64, scale: f64) -> Self {
        Self {
            weight: p.parameter("weight", &[channels], Init::Constant(scale)),
            bias: p.parameter("bias", &[channels], Init::Constant(0.0)),
        }
    }

    /// # Shapes
    /// x [.., C] -> [.., C]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), EPS, false)
    }
}
