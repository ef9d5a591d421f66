//! MMoE (Ma et al., KDD 2018): experts that all domains and tasks share, a gate over them and a tower for each pair.
//!
//! Shapes: B rows, D domains, T tasks, M experts, E an expert's last width.
use crate::{
    config::{check_stacks, flat_width},
    entry,
    heads::Heads,
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check_number, resolve},
    nn::{MlpConfig, Norm, StackedLinear, StackedMlp, mix},
};
use serde::{Deserialize, Serialize};

/// MMoE's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MmoeConfig {
    /// The registry's name, `mmoe`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Number of experts M.
    pub experts: i64,
    /// Widths of an expert's layers.
    pub expert: Vec<i64>,
    /// Widths of a tower's hidden layers.
    pub tower: Vec<i64>,
    /// Normalisation of all hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl MmoeConfig {
    fn check(&self) -> Result<()> {
        check_number(self.experts, "experts")?;
        check_stacks(self.dim, self.dropout, &[("expert", &self.expert), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "mmoe",
    &["gates.*", "towers.*"],
    |value| resolve(value, MmoeConfig::check),
    |schema, value, build| Mmoe::net(schema, &serde_yaml::from_value(value)?, build),
)
.isolated();

/// logit_{d,t} = tower_{d,t}(Σ_i g_{d,t,i}(z) f_i(z)), g_{d,t}(z) = softmax(W_{d,t} z + b_{d,t}), z = fields and reals.
///
/// Parameters `experts.*` with M copies; `gates.*` of inputs -> M and `towers.*` with D·T copies.
#[derive(Debug)]
pub struct Mmoe {
    experts: StackedMlp,
    gates: StackedLinear,
    towers: Heads,
}

impl Mmoe {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &MmoeConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &MmoeConfig) -> Self {
        let (inputs, width) = (flat_width(schema, config.dim), config.expert[config.expert.len() - 1]);
        let towers = (schema.scenarios.len() * schema.tasks.len()) as i64;
        let (m, expert) = (config.experts, config.mlp(&config.expert));
        Self {
            experts: StackedMlp::new(&mut p.sub("experts"), m, inputs, &expert, None),
            gates: StackedLinear::new(&mut p.sub("gates"), towers, inputs, m),
            towers: Heads::new(&mut p.sub("towers"), schema, width, &config.mlp(&config.tower)),
        }
    }
}

impl CtrModel for Mmoe {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let z = x.flat();
        let gates = self.towers.layers(&z, &x.groups, train, |heads, rows| self.gates.on_one(rows, heads));
        let u = mix(&gates, &self.experts.on_one(&z, train));
        Output { logits: self.towers.on_each(&u, &x.groups, train), aux: vec![] }
    }
}
