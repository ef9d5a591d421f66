//! One click-through-rate model per file, and the registry that names them.
mod adasparse;
mod adatt;
mod aesm2;
mod aitm;
mod behaviours;
mod config;
mod dcn;
mod deepfm;
mod domain_embedding;
mod domain_representation;
mod fnn;
mod heads;
mod m2m;
mod m3oe;
mod maria;
mod mlp;
mod mmoe;
mod pepnet;
mod ple;
mod pnn;
mod sfpnet;
mod shared_bottom;
mod star;
mod wide_deep;
mod xdeepfm;

use anyhow::{Result, bail};
use scenarec_data::{Kind, Schema};
use scenarec_train::{Build, Net};
use serde_yaml::Value;

pub use adasparse::{AdaSparse, AdaSparseConfig, Growing, PruningForm, Sparsity};
pub use adatt::{AdaTt, AdaTtConfig};
pub use aesm2::{Aesm2, Aesm2Config, Towers};
pub use aitm::{Aitm, AitmConfig, DomainOrder};
pub use behaviours::{BehaviourPooling, BehavioursConfig, DinConfig, TokenVector};
pub use config::DeepConfig;
pub use dcn::{Dcn, DcnConfig};
pub use deepfm::{DeepFm, DeepFmConfig};
pub use fnn::Fnn;
pub use m2m::{M2m, M2mConfig};
pub use m3oe::{Fusion, FusionScope, M3oe, M3oeConfig};
pub use maria::{Maria, MariaConfig, RefinersConfig};
pub use mlp::Mlp;
pub use mmoe::{Mmoe, MmoeConfig};
pub use pepnet::{PepNet, PepNetConfig};
pub use ple::{Ple, PleConfig};
pub use pnn::Pnn;
pub use sfpnet::{ContextFold, ResidualInput, SfpNet, SfpNetConfig};
pub use shared_bottom::{SharedBottom, SharedBottomConfig};
pub use star::{ReducedStar, Star, StarConfig, StarForm};
pub use wide_deep::WideDeep;
pub use xdeepfm::{CinActivation, XDeepFm, XDeepFmConfig};

/// A model's entry in the registry.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry {
    /// Its name in configurations.
    pub name: &'static str,
    /// Globs of the parameters that the recipe `bilevel` learns in its outer step; those of them that a configuration
    /// lacks are left out.
    pub outer: &'static [&'static str],
    /// Globs of the dense parameters that belong to single scenarios: what Diff-MSR fine-tunes (its Section 3.5). Stacks
    /// hold all scenarios' copies; rows of one scenario give the others' a gradient of exactly 0. Where all scenarios share
    /// one logit nothing belongs to one alone, and these are all dense parameters, to be learned in a copy of the model.
    /// Every glob matches a parameter in every configuration.
    pub specific: &'static [&'static str],
    /// Whether `specific`, learned from rows of one scenario, leaves the logits of the others' rows as they are, to the bit,
    /// in every configuration, as long as batch norm's running statistics stay. Where it does not, only a copy of the model
    /// does.
    pub isolated: bool,
    /// Whether all scenarios share one logit per task: nothing but their fields tells them apart.
    pub one_logit: bool,
    /// Whether it reads behaviour sequences itself. The others get them as one more field, where their configuration has
    /// the key `behaviours`, and else do without.
    pub sequences: bool,
    resolve: fn(Value) -> Result<Value>,
    build: fn(&Schema, Value, Build) -> Result<Net>,
}

impl ModelEntry {
    const fn new(
        name: &'static str,
        specific: &'static [&'static str],
        resolve: fn(Value) -> Result<Value>,
        build: fn(&Schema, Value, Build) -> Result<Net>,
    ) -> Self {
        Self {
            name,
            outer: &[],
            specific,
            isolated: false,
            one_logit: false,
            sequences: false,
            resolve,
            build,
        }
    }

    /// Checks a configuration and fills in every default.
    pub fn resolve(&self, mut config: Value) -> Result<Value> {
        if self.sequences {
            return (self.resolve)(config);
        }
        let behaviours = BehavioursConfig::take(&mut config)?;
        let mut config = (self.resolve)(config)?;
        if let Some(own) = behaviours {
            config[behaviours::KEY] = serde_yaml::to_value(own)?;
        }
        Ok(config)
    }

    /// Builds the net for a resolved configuration.
    pub fn build(&self, schema: &Schema, mut config: Value, build: Build) -> Result<Net> {
        if self.sequences {
            return (self.build)(schema, config, build);
        }
        match BehavioursConfig::take(&mut config)? {
            Some(own) => {
                let net = (self.build)(&behaviours::extended(schema)?, config, build)?;
                behaviours::with_behaviours(net, schema, &own)
            }
            None => {
                let mut schema = schema.clone();
                schema.fields.retain(|f| !matches!(f.kind, Kind::Sequence { .. }));
                (self.build)(&schema, config, build)
            }
        }
    }

    /// A model whose specific parameters are out of other scenarios' reach.
    const fn isolated(self) -> Self {
        Self { isolated: true, ..self }
    }

    /// A model in which all scenarios share one logit.
    const fn one_logit(self) -> Self {
        Self { one_logit: true, ..self }
    }

    /// A model that reads behaviour sequences.
    const fn sequences(self) -> Self {
        Self { sequences: true, ..self }
    }

    const fn outer(self, globs: &'static [&'static str]) -> Self {
        Self { outer: globs, ..self }
    }
}

/// All models.
pub const MODELS: &[ModelEntry] = &[
    deepfm::ENTRY,
    wide_deep::ENTRY,
    dcn::ENTRY,
    pnn::ENTRY,
    m3oe::ENTRY,
    mlp::ENTRY,
    shared_bottom::ENTRY,
    mmoe::ENTRY,
    ple::ENTRY,
    adatt::ENTRY,
    star::ENTRY,
    m2m::ENTRY,
    fnn::ENTRY,
    xdeepfm::ENTRY,
    aitm::ENTRY,
    sfpnet::ENTRY,
    aesm2::ENTRY,
    adasparse::ENTRY,
    pepnet::ENTRY,
    maria::ENTRY,
];

/// The model called `name`.
pub fn model(name: &str) -> Result<&'static ModelEntry> {
    match MODELS.iter().find(|m| m.name == name) {
        Some(entry) => Ok(entry),
        None => {
            let known: Vec<_> = MODELS.iter().map(|m| m.name).collect();
            bail!("unknown model {name:?}; known are {}", known.join(", "))
        }
    }
}

/// Builds the net a resolved configuration describes; its `name` chooses the model.
pub fn build(schema: &Schema, config: &Value, build: Build) -> Result<Net> {
    let name = config.get("name").and_then(Value::as_str).unwrap_or_default();
    model(name)?.build(schema, config.clone(), build)
}
