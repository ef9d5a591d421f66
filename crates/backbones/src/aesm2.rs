//! AESM² (Zou et al., SIGIR 2022) for one task: levels of experts, of which a row uses those that the scenarios' gates
//! tell apart as its scenario's own, and those on which all gates agree.
//!
//! The paper has levels for tasks above those for scenarios; with one task there is nothing for them to do.
//!
//! Shapes: B rows, M scenarios, E experts, d width of embeddings, I an input's width, H an expert's last width.
mod level;
mod selection;

use crate::{
    config::{check_stacks, flat_width},
    domain_embedding::DomainEmbedding,
    entry,
    heads::Heads,
};
use anyhow::Result;
use level::Level;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, check_number, resolve},
    model::one_task,
    nn::{Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// AESM²'s configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aesm2Config {
    /// The registry's name, `aesm2`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Number of levels.
    pub levels: i64,
    /// Number E of a level's experts.
    pub experts: i64,
    /// How many of them a row takes as its scenario's own.
    pub specific_experts: i64,
    /// How many of them a row takes as shared; they may be among its scenario's own.
    pub shared_experts: i64,
    /// Widths of an expert's layers, in every level.
    pub expert: Vec<i64>,
    /// Whose the towers are.
    pub towers: Towers,
    /// Widths of a tower's hidden layers.
    pub tower: Vec<i64>,
    /// Standard deviation, in units of E, of the noise on the gates' logits in training.
    pub noise_scale: f64,
    /// Weight of the divergence of the specific experts in the loss.
    pub specific_kl: f64,
    /// Weight of the divergence of the shared experts in the loss.
    pub shared_kl: f64,
    /// Normalisation of all hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// Whose the towers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Towers {
    /// A tower for each scenario.
    PerScenario,
    /// One for all.
    Shared,
}

impl Aesm2Config {
    fn check(&self) -> Result<()> {
        check_number(self.levels, "levels")?;
        check_number(self.experts, "experts")?;
        for (key, k) in [("specific_experts", self.specific_experts), ("shared_experts", self.shared_experts)]
        {
            check_number(k, key)?;
            check(k <= self.experts, key, || format!("{k} of {} experts", self.experts))?;
        }
        check(self.noise_scale >= 0.0, "noise_scale", || format!("a deviation of {}", self.noise_scale))?;
        for (key, weight) in [("specific_kl", self.specific_kl), ("shared_kl", self.shared_kl)] {
            check(weight >= 0.0, key, || format!("a weight of {weight}"))?;
        }
        check_stacks(self.dim, self.dropout, &[("expert", &self.expert), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

// What the gates of one scenario say moves the choice of experts, and the divergences, of all.
pub(crate) const ENTRY: ModelEntry = entry(
    "aesm2",
    &["{levels.*.gates,towers,tower}.*"],
    |value| resolve(value, Aesm2Config::check),
    |schema, value, build| Aesm2::net(schema, &serde_yaml::from_value(value)?, build),
);

/// logit = tower_m(h^L), m the row's scenario; h^l = Σ_j w_j f_j(h^{l−1}) over a row's experts, h^0 = z, fields and
/// reals.
///
/// With the gates' logits G = gates([h^{l−1} ‖ s]), s the scenario's embedding, and p_j = softmax over scenarios of
/// G_{·j}, a row's experts are those with the least KL(onehot(m) ‖ p_j), its scenario's own, and those with the least
/// KL(uniform ‖ p_j), the shared ones; w is the softmax over them of G_m. The loss gets the means over rows and experts
/// of both divergences of what was chosen, summed over levels. In training G has noise. The choice has no gradient;
/// weights and divergences have theirs.
///
/// With one scenario all divergences are 0, and the experts with the lowest numbers are chosen.
///
/// Parameters `levels.<l>.experts.*` (E copies), `levels.<l>.gates.*` (M copies of [h ‖ s] -> E); `towers.*` (M copies)
/// or `tower.*`; `domain` where the data have no domain indicator.
#[derive(Debug)]
pub struct Aesm2 {
    scenario: DomainEmbedding,
    levels: Vec<Level>,
    head: Head,
    /// Weights of the specific and of the shared experts' divergence.
    weights: [f64; 2],
}

#[derive(Debug)]
enum Head {
    PerScenario(Heads),
    Shared(Mlp),
}

impl Aesm2 {
    /// The model with its tables. It has one task.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &Aesm2Config, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &Aesm2Config) -> Self {
        let (scenarios, width) = (schema.scenarios.len() as i64, config.expert[config.expert.len() - 1]);
        let scenario = DomainEmbedding::new(p, schema, config.dim, config.init);
        let level = |l: i64| {
            let inputs = if l == 0 { flat_width(schema, config.dim) } else { width };
            Level::new(&mut p.sub("levels").sub(&l.to_string()), scenarios, inputs, config)
        };
        let levels = (0..config.levels).map(level).collect();
        let tower = config.mlp(&config.tower);
        let head = match config.towers {
            Towers::PerScenario => Head::PerScenario(Heads::new(&mut p.sub("towers"), schema, width, &tower)),
            Towers::Shared => Head::Shared(Mlp::new(&mut p.sub("tower"), width, &tower, Some(1))),
        };
        Self { scenario, levels, head, weights: [config.specific_kl, config.shared_kl] }
    }
}

impl CtrModel for Aesm2 {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let s = self.scenario.forward(x);
        let mut h = x.flat();
        let mut kl = Vec::new();
        for level in &self.levels {
            let (mixed, own) = level.forward(&h, &s, &x.scenario, train);
            h = mixed;
            kl.push(own);
        }
        let logits = match &self.head {
            Head::PerScenario(towers) => towers.on_shared(&h, &x.groups, train),
            Head::Shared(tower) => tower.forward(&h, train),
        };
        let aux =
            |which: usize| kl.iter().map(|of_level| &of_level[which]).sum::<Tensor>() * self.weights[which];
        Output { logits, aux: vec![("specific_kl", aux(0)), ("shared_kl", aux(1))] }
    }
}
