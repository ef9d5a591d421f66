use crate::{init::Init, params::Params};
use tch::Tensor;

/// y = x Wᵀ + b. Parameters `weight` [out, in] and `bias` `[out]`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// With `torch.nn.Linear`'s initial values.
    pub fn new(p: &mut Params, inputs: i64, outputs: i64) -> Self {
        let weight = p.parameter("weight", &[outputs, inputs], Init::linear(inputs));
        Self { weight, bias: p.parameter("bias", &[outputs], Init::linear(inputs)) }
    }

    /// With given initial values, whatever the net's scheme.
    pub fn with_init(p: &mut Params, inputs: i64, outputs: i64, weight: Init, bias: Init) -> Self {
        let weight = p.parameter_exactly("weight", &[outputs, inputs], weight);
        Self { weight, bias: p.parameter_exactly("bias", &[outputs], bias) }
    }

    /// [out, in].
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[out]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// # Shapes
    /// x [B, in] -> [B, out]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}
