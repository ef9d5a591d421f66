//! Shared Bottom (Caruana, Machine Learning 28, 1997): one network for all domains and tasks, a tower for each pair
//! (M3oE, Section 3.1, baseline ShBot). SFPNet's baseline of the name adds an auxiliary tower that reads the domain (its Section
//! 5.2).
//!
//! Shapes: B rows, D domains, T tasks, E last width of the bottom.
use crate::{
    config::{check_stacks, flat_width},
    domain_embedding::DomainEmbedding,
    entry,
    heads::Heads,
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check_layers, resolve},
    nn::{Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

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
    /// Widths of the hidden layers of a tower for all domains that reads the domain's embedding beside the fields; an absent key
    /// says that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auxiliary: Option<Vec<i64>>,
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
        self.auxiliary.iter().try_for_each(|widths| check_layers("auxiliary", widths))?;
        check_stacks(self.dim, self.dropout, &[("bottom", &self.bottom), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "shared_bottom",
    &["towers.*"],
    |value| resolve(value, SharedBottomConfig::check),
    |schema, value, build| SharedBottom::net(schema, &serde_yaml::from_value(value)?, build),
)
.isolated();

/// logit_{d,t} = tower_{d,t}(bottom(z)) (+ auxiliary([e_d ‖ z])), z = fields and reals, e_d the domain's embedding.
///
/// Parameters `bottom.*`, `towers.*` with D·T copies; `auxiliary.*`, and `domain` where the data have no domain indicator.
#[derive(Debug)]
pub struct SharedBottom {
    bottom: Mlp,
    towers: Heads,
    auxiliary: Option<(DomainEmbedding, Mlp)>,
}

impl SharedBottom {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &SharedBottomConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &SharedBottomConfig) -> Self {
        let (inputs, width) = (flat_width(schema, config.dim), config.bottom[config.bottom.len() - 1]);
        Self {
            bottom: Mlp::new(&mut p.sub("bottom"), inputs, &config.mlp(&config.bottom), None),
            towers: Heads::new(&mut p.sub("towers"), schema, width, &config.mlp(&config.tower)),
            auxiliary: config.auxiliary.as_ref().map(|hidden| {
                let domain = DomainEmbedding::new(p, schema, config.dim, config.init);
                let (inputs, tasks) = (config.dim as i64 + inputs, schema.tasks.len() as i64);
                (domain, Mlp::new(&mut p.sub("auxiliary"), inputs, &config.mlp(hidden), Some(tasks)))
            }),
        }
    }
}

impl CtrModel for SharedBottom {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let z = x.flat();
        let mut logits = self.towers.on_shared(&self.bottom.forward(&z, train), &x.groups, train);
        if let Some((domain, auxiliary)) = &self.auxiliary {
            logits += auxiliary.forward(&Tensor::cat(&[domain.forward(x), z], 1), train);
        }
        Output { logits, aux: vec![] }
    }
}
