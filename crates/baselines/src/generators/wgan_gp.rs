//! WGAN-GP (Gulrajani et al., NeurIPS 2017): a WGAN whose critic is held to slope 1 by a penalty in the place of
//! clipping.
use super::{Adversarial, Constraint, CriticConfig, NetworksConfig, TrainingConfig, wgan::WASSERSTEIN};
use anyhow::Result;
use scenarec_train::{Build, config::check};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub(super) const NAME: &str = "wgan-gp";

/// WGAN-GP's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WganGpConfig {
    /// Generator and critic.
    pub networks: NetworksConfig,
    /// The critic.
    pub critic: CriticConfig,
    /// How they are trained.
    pub training: TrainingConfig,
    /// Weight of the gradient penalty.
    pub penalty: f64,
}

impl WganGpConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.networks.check()?;
        self.critic.check()?;
        self.training.check()?;
        let penalty = self.penalty;
        check(penalty > 0.0 && penalty.is_finite(), "penalty", || format!("{penalty} is not above 0"))
    }

    /// A WGAN-GP of rows of `shape` [C, d].
    pub fn source(&self, shape: [i64; 2], build: Build) -> Result<Adversarial> {
        self.check()?;
        let &Self { ref networks, critic, training, penalty } = self;
        let constraint = Constraint::GradientPenalty(penalty);
        Adversarial::new(NAME, networks, critic, training, WASSERSTEIN, constraint, shape, build)
    }
}

/// E (‖∇f(x̂)‖₂ − 1)², the gradient being part of the graph, so that it can be differentiated by f's parameters.
///
/// # Shapes
/// f [B, N] -> [B, 1], rows x̂ [B, N] -> scalar
pub fn gradient_penalty(f: impl Fn(&Tensor) -> Tensor, rows: &Tensor) -> Result<Tensor> {
    let rows = rows.detach().set_requires_grad(true);
    // No row's score depends on another row, so the gradient of the sum has each row's own.
    let sum = f(&rows).sum(Kind::Float);
    let (keep_graph, create_graph) = (true, true);
    let gradient = Tensor::f_run_backward(&[&sum], &[&rows], keep_graph, create_graph)?.remove(0);
    let norm = gradient.norm_scalaropt_dim(2.0, [1i64].as_slice(), false);
    Ok((norm - 1.0).square().mean(Kind::Float))
}
