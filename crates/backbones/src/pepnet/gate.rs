//! PEPNet's gate.
use scenarec_train::{Params, nn::Linear};
use tch::Tensor;

/// γ, the upper end of a gate's range; 1 in the middle leaves things as they are.
const GAMMA: f64 = 2.0;

/// Gate NU: δ = γ σ(W' ReLU(W z + b) + b'), the hidden layer as wide as δ.
///
/// Parameters `in.*`, `out.*`.
#[derive(Debug)]
pub(super) struct GateNu {
    first: Linear,
    last: Linear,
}

impl GateNu {
    pub fn new(p: &mut Params, inputs: i64, outputs: i64) -> Self {
        Self {
            first: Linear::new(&mut p.sub("in"), inputs, outputs),
            last: Linear::new(&mut p.sub("out"), outputs, outputs),
        }
    }

    /// # Shapes
    /// z [B, in] -> [B, out], between 0 and γ
    pub fn forward(&self, z: &Tensor) -> Tensor {
        self.last.forward(&self.first.forward(z).relu_()).sigmoid_() * GAMMA
    }
}
