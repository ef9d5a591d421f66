//! Softmax GAN (Lin, 2017): cross-entropies between a softmax over a batch's real and generated rows and what it should
//! be: for the discriminator uniform over the real ones, for the generator uniform over all.
//!
//! On two clusters it has not settled after 2000 updates: every seed ends with rows of one only (see the table of
//! [`generators`](super)). By the score of a generated row its loss has the derivative 1/|B| less the row's softmax,
//! which vanishes where the discriminator tells nothing.
use super::{Adversarial, GanConfig, Objective};
use anyhow::Result;
use scenarec_train::Build;
use tch::{Kind, Tensor};

pub(super) const NAME: &str = "softmax-gan";

impl GanConfig {
    /// A softmax GAN of rows of `shape` [C, d]; the critic's score is μ, the lower the more real.
    pub fn softmax_gan(&self, shape: [i64; 2], build: Build) -> Result<Adversarial> {
        let objective = Objective { critic: softmax_discriminator_loss, generator: softmax_generator_loss };
        self.unconstrained(NAME, objective, shape, build)
    }
}

/// Mean of μ over the real rows B₊, plus ln Z, with Z = Σ e^(−μ) over B = B₊ ∪ B₋.
///
/// # Shapes
/// μ of real rows and of generated ones, [B, 1] -> scalar
pub fn softmax_discriminator_loss(real: &Tensor, generated: &Tensor) -> Tensor {
    real.mean(Kind::Float) + log_partition(&Tensor::cat(&[real, generated], 0))
}

/// Mean of μ over all rows of B, plus ln Z.
///
/// # Shapes
/// μ of real rows and of generated ones, [B, 1] -> scalar
pub fn softmax_generator_loss(real: &Tensor, generated: &Tensor) -> Tensor {
    let all = Tensor::cat(&[real, generated], 0);
    all.mean(Kind::Float) + log_partition(&all)
}

/// ln Σ e^(−μ).
fn log_partition(scores: &Tensor) -> Tensor {
    (-scores).flatten(0, 1).logsumexp([0i64].as_slice(), false)
}
