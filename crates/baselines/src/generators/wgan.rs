//! WGAN (Arjovsky, Chintala, Bottou, ICML 2017): the generator minimises a Wasserstein distance, which a critic with
//! clipped weights estimates.
use super::{Adversarial, Constraint, CriticConfig, NetworksConfig, Objective, TrainingConfig};
use anyhow::Result;
use scenarec_train::{Build, config::check};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub(super) const NAME: &str = "wgan";

/// WGAN's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WganConfig {
    /// Generator and critic.
    pub networks: NetworksConfig,
    /// The critic.
    pub critic: CriticConfig,
    /// How they are trained.
    pub training: TrainingConfig,
    /// After each of its steps the critic's parameters are cut off at this distance from 0.
    pub clip: f64,
}

impl WganConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.networks.check()?;
        self.critic.check()?;
        self.training.check()?;
        let clip = self.clip;
        check(clip > 0.0 && clip.is_finite(), "clip", || format!("{clip} is not above 0"))
    }

    /// A WGAN of rows of `shape` [C, d].
    pub fn source(&self, shape: [i64; 2], build: Build) -> Result<Adversarial> {
        self.check()?;
        let &Self { ref networks, critic, training, clip } = self;
        Adversarial::new(NAME, networks, critic, training, WASSERSTEIN, Constraint::Clip(clip), shape, build)
    }
}

pub(super) const WASSERSTEIN: Objective = Objective {
    critic: wasserstein_critic_loss,
    generator: |_, generated| wasserstein_generator_loss(generated),
};

/// E f(G(z)) − E f(x): what the critic maximises, negated.
///
/// # Shapes
/// [B, 1] -> scalar
pub fn wasserstein_critic_loss(real: &Tensor, generated: &Tensor) -> Tensor {
    generated.mean(Kind::Float) - real.mean(Kind::Float)
}

/// −E f(G(z)).
///
/// # Shapes
/// [B, 1] -> scalar
pub fn wasserstein_generator_loss(generated: &Tensor) -> Tensor {
    -generated.mean(Kind::Float)
}
