//! Shared Bottom (Caruana, Machine Learning 28, 1997): one network for all domains and tasks, a tower for each pair
//! (M3oE, Section 3.1, baseline ShBot).
//!
//! Shapes: B rows, D domains, T tasks, E last width of the bottom.
use crate::{
    ModelEntry,
    config::{check_stacks, flat_width},
    heads::Heads,
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, Net, Output, Params,
    config::resolve,
    nn::{Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};

/// Shared Bottom's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedBottomConfig {
    /// The registry's name, `shared_bottom`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Widths of the layers that all domains and tasks share.
    pub bottom: Vec<i64>,
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

impl SharedBottomConfig {
    fn check(&self) -> Result<()> {
        check_stacks(self.dim, self.dropout, &[("bottom", &self.bottom), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = ModelEntry::new(
    "shared_bottom",
    &["towers.*"],
    |value| resolve(value, SharedBottomConfig::check),
    |schema, value, build| SharedBottom::net(schema, &serde_yaml::from_value(value)?, build),
)
.isolated();

/// logit_{d,t} = tower_{d,t}(bottom(z)), z = fields and reals.
///
/// Parameters `bottom.*`, `towers.*` with D·T copies.
#[derive(Debug)]
pub struct SharedBottom {
    bottom: Mlp,
    towers: Heads,
}

impl SharedBottom {
    /// The model with its tables.
    pub fn net(schema: &Schema, config: &SharedBottomConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &SharedBottomConfig) -> Self {
        let (inputs, width) = (flat_width(schema, config.dim), config.bottom[config.bottom.len() - 1]);
        Self {
            bottom: Mlp::new(&mut p.sub("bottom"), inputs, &config.mlp(&config.bottom), None),
            towers: Heads::new(&mut p.sub("towers"), schema, width, &config.mlp(&config.tower)),
        }
    }
}

impl CtrModel for SharedBottom {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let u = self.bottom.forward(&x.flat(), train);
        Output { logits: self.towers.on_shared(&u, &x.groups, train), aux: vec![] }
    }
}
