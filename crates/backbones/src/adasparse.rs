//! AdaSparse (Yang et al., CIKM 2022): a network whose neurons are weighted and pruned for every row, by what the
//! row's domain and the neurons themselves say.
//!
//! Shapes: B rows, d width of embeddings, H_l width of hidden layer l.
mod pruners;

use crate::{
    config::{check_stacks, flat_width},
    domain_embedding::DomainEmbedding,
    entry,
};
use anyhow::Result;
use pruners::Pruners;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, resolve},
    model::one_task,
    nn::{Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};

/// AdaSparse's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaSparseConfig {
    /// The registry's name, `adasparse`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<i64>,
    /// How the neurons' factors π are made of the pruner's outputs u.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub form: PruningForm,
    /// Normalisation of the hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// How the neurons' factors π are made of the pruner's outputs u.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PruningForm {
    /// `π = 1[v > ε]`, v = σ(α u). The step has no gradient; π gets that of v (straight through).
    Binarisation {
        /// α.
        alpha: Growing,
        /// ε.
        epsilon: f64,
        /// How many neurons are to be pruned.
        sparsity: Sparsity,
    },
    /// π = β σ(u).
    Scaling {
        /// β.
        beta: f64,
    },
    /// `π = v 1[v > ε]`, v = β σ(α u).
    Fusion {
        /// α.
        alpha: Growing,
        /// β.
        beta: f64,
        /// ε.
        epsilon: f64,
    },
}

/// A number that grows with the training steps: passes of the model in training, of which a step has several where
/// its batch runs in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growing {
    /// Its value in the first step.
    pub start: f64,
    /// What every step adds.
    pub growth: f64,
}

/// The share r of a row's neurons that a layer is to prune. Outside of [min, max] the layer costs
/// λ̂ (r − (min + max)/2)².
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sparsity {
    /// The least share, r_min.
    pub min: f64,
    /// The greatest share, r_max.
    pub max: f64,
    /// λ̂.
    pub weight: Growing,
}

impl AdaSparseConfig {
    fn check(&self) -> Result<()> {
        check_stacks(self.dim, self.dropout, &[("hidden", &self.hidden)])?;
        match self.form {
            PruningForm::Binarisation { alpha, epsilon, sparsity: Sparsity { min, max, weight } } => {
                let key = |name| format!("form.binarisation.{name}");
                check_alpha(alpha, &key("alpha"))?;
                check_epsilon(epsilon, 1.0, &key("epsilon"))?;
                check((0.0..=1.0).contains(&min), &key("sparsity.min"), || format!("a share of {min}"))?;
                check((min..=1.0).contains(&max), &key("sparsity.max"), || {
                    format!("{max} is not in [{min}, 1]")
                })?;
                check(weight.start >= 0.0, &key("sparsity.weight.start"), || {
                    format!("a weight of {}", weight.start)
                })?;
                check_growth(weight, &key("sparsity.weight"))
            }
            PruningForm::Scaling { beta } => check_beta(beta, "form.scaling.beta"),
            PruningForm::Fusion { alpha, beta, epsilon } => {
                check_alpha(alpha, "form.fusion.alpha")?;
                check_beta(beta, "form.fusion.beta")?;
                check_epsilon(epsilon, beta, "form.fusion.epsilon")
            }
        }
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig { hidden: self.hidden.clone(), norm: self.norm, dropout: self.dropout }
    }
}

fn check_alpha(alpha: Growing, key: &str) -> Result<()> {
    check(alpha.start > 0.0, &format!("{key}.start"), || format!("{} is not above 0", alpha.start))?;
    check_growth(alpha, key)
}

fn check_growth(growing: Growing, key: &str) -> Result<()> {
    check(growing.growth >= 0.0, &format!("{key}.growth"), || format!("{} is below 0", growing.growth))
}

fn check_beta(beta: f64, key: &str) -> Result<()> {
    check(beta > 0.0, key, || format!("{beta} is not above 0"))
}

/// Refuses thresholds that keep everything or nothing; v is in (0, `end`).
fn check_epsilon(epsilon: f64, end: f64, key: &str) -> Result<()> {
    check((0.0..end).contains(&epsilon), key, || format!("{epsilon} is not in [0, {end})"))
}

pub(crate) const ENTRY: ModelEntry = entry(
    "adasparse",
    &["{mlp.*,pruners.*,domain}"],
    |value| resolve(value, AdaSparseConfig::check),
    |schema, value, build| AdaSparse::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// h^l ← π^l ⊙ h^l after the activation (and dropout) of every hidden layer l of an MLP on z, fields and reals; π^l = π(u^l),
/// u^l = W_l [e_d ‖ h^l], e_d the domain's embedding. A layer's neurons are its outputs: z has no pruner, the last
/// hidden layer has one.
///
/// The regulariser of binarisation is the mean over rows and hidden layers of λ̂ |r^l − r|², with r^l the share of the
/// layer's neurons that are pruned and r the middle of the range, where r^l is outside of the range; one of the two
/// factors |r^l − r| is a constant.
///
/// Parameters `mlp.*`, `pruners.<l>.weight` [H_l, d + H_l], and `domain` where the data have no domain indicator;
/// buffer `pruners.steps` `[]`.
#[derive(Debug)]
pub struct AdaSparse {
    domain: DomainEmbedding,
    mlp: Mlp,
    pruners: Pruners,
}

impl AdaSparse {
    /// The model with its tables. It has one task.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &AdaSparseConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &AdaSparseConfig) -> Self {
        let inputs = flat_width(schema, config.dim);
        Self {
            domain: DomainEmbedding::new(p, schema, config.dim, config.init),
            mlp: Mlp::new(&mut p.sub("mlp"), inputs, &config.mlp(), Some(1)),
            pruners: Pruners::new(&mut p.sub("pruners"), config.dim as i64, &config.hidden, config.form),
        }
    }
}

impl CtrModel for AdaSparse {
    /// A pass in training counts as a step, with which α and λ̂ grow.
    ///
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let domain = self.domain.forward(x);
        let mut factors = Vec::new();
        let logits = self.mlp.forward_gated(&x.flat(), train, |layer, h| {
            // What goes into layer 0 is z.
            let Some(hidden) = layer.checked_sub(1) else { return h };
            let own = self.pruners.factors(hidden, &domain, &h);
            let pruned = h * &own;
            factors.push(own);
            pruned
        });
        let aux = self.pruners.regulariser(&factors).map(|loss| ("sparsity", loss));
        if train {
            self.pruners.count_step();
        }
        Output { logits, aux: aux.into_iter().collect() }
    }
}
