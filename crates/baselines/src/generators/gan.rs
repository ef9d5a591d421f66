//! GAN (Goodfellow et al., NeurIPS 2014), with the non-saturating loss of its section 3.
//!
//! On two narrow clusters it has not settled after 2000 updates: seeds end with one of them or with both (see the table
//! of [`generators`](super)).
use super::{Adversarial, Constraint, CriticConfig, NetworksConfig, Objective, TrainingConfig};
use anyhow::Result;
use scenarec_train::Build;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub(super) const NAME: &str = "gan";

/// The configuration of a GAN without a constraint on the critic: GAN itself and softmax GAN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GanConfig {
    /// Generator and discriminator.
    pub networks: NetworksConfig,
    /// The discriminator.
    pub critic: CriticConfig,
    /// How they are trained.
    pub training: TrainingConfig,
}

impl GanConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.networks.check()?;
        self.critic.check()?;
        self.training.check()
    }

    /// A GAN of rows of `shape` [C, d]; the critic's scores are the discriminator's logits.
    pub fn gan(&self, shape: [i64; 2], build: Build) -> Result<Adversarial> {
        let objective = Objective {
            critic: discriminator_loss,
            generator: |_, generated| non_saturating_loss(generated),
        };
        self.unconstrained(NAME, objective, shape, build)
    }

    pub(super) fn unconstrained(
        &self,
        name: &'static str,
        objective: Objective,
        shape: [i64; 2],
        build: Build,
    ) -> Result<Adversarial> {
        self.check()?;
        let &Self { ref networks, critic, training } = self;
        Adversarial::new(name, networks, critic, training, objective, Constraint::None, shape, build)
    }
}

/// −E log D(x) − E log(1 − D(G(z))), from logits: 1 − σ(s) = σ(−s).
///
/// # Shapes
/// [B, 1] -> scalar
pub fn discriminator_loss(real: &Tensor, generated: &Tensor) -> Tensor {
    -(real.log_sigmoid().mean(Kind::Float) + (-generated).log_sigmoid().mean(Kind::Float))
}

/// −E log D(G(z)), from logits.
///
/// # Shapes
/// [B, 1] -> scalar
pub fn non_saturating_loss(generated: &Tensor) -> Tensor {
    -generated.log_sigmoid().mean(Kind::Float)
}
