use crate::{init::Init, params::Params};
use tch::Tensor;

/// `torch.nn.BatchNorm1d`: momentum 0.1, eps 1e-5. Parameters `weight`, `bias` `[C]`; buffers `running_mean`,
/// `running_var` `[C]`.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    /// Scale 1 and shift 0 unless the net's scheme says otherwise.
    pub fn new(p: &mut Params, channels: i64) -> Self {
        Self {
            weight: p.parameter("weight", &[channels], Init::Constant(1.0)),
            bias: p.parameter("bias", &[channels], Init::Constant(0.0)),
            running_mean: p.buffer("running_mean", &[channels], 0.0),
            running_var: p.buffer("running_var", &[channels], 1.0),
        }
    }

    /// In training the batch's own statistics are used and the running ones updated.
    ///
    /// # Shapes
    /// x [B, C] -> [B, C]; in training B is at least 2
    ///
    /// # Panics
    /// In training with one row.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        // The variance of one row is 0, and its unbiased estimate NaN, which would stay in the running statistics.
        assert!(
            !train || x.size()[0] > 1,
            "batch norm in training needs more than one row, not {:?}",
            x.size()
        );
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            0.1,
            1e-5,
            false,
        )
    }
}
