//! The gate that a block's and the prediction network's inputs pass.
use scenarec_train::{
    Params,
    nn::{LayerNorm, Linear},
};
use tch::Tensor;

/// z ⊙ σ(W_1 LN(ReLU(W_0 [z ‖ s] + b_0)) + b_1) (Eqs. 3, 4 and 9).
///
/// Parameters `in.*`, `norm.*`, `out.*`.
#[derive(Debug)]
pub(super) struct Gate {
    first: Linear,
    norm: LayerNorm,
    last: Linear,
}

impl Gate {
    pub fn new(p: &mut Params, inputs: i64, scenario: i64, hidden: i64) -> Self {
        Self {
            first: Linear::new(&mut p.sub("in"), inputs + scenario, hidden),
            norm: LayerNorm::new(&mut p.sub("norm"), hidden),
            last: Linear::new(&mut p.sub("out"), hidden, inputs),
        }
    }

    /// # Shapes
    /// z [B, I], s [B, d] -> [B, I]
    pub fn forward(&self, z: &Tensor, s: &Tensor) -> Tensor {
        let hidden = self.norm.forward(&self.first.forward(&Tensor::cat(&[z, s], 1)).relu_());
        z * self.last.forward(&hidden).sigmoid_()
    }
}
