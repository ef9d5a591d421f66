//! One click-through-rate model per file, and the registry that names them.
mod adatt;
mod config;
mod dcn;
mod deepfm;
mod domain_embedding;
mod domain_representation;
mod heads;
mod m2m;
mod m3oe;
mod mlp;
mod mmoe;
mod ple;
mod pnn;
mod shared_bottom;
mod star;
mod wide_deep;

use anyhow::{Result, bail};
use scenarec_data::Schema;
use scenarec_train::{Build, Net};
use serde_yaml::Value;

pub use adatt::{AdaTt, AdaTtConfig};
pub use config::DeepConfig;
pub use dcn::{Dcn, DcnConfig};
pub use deepfm::DeepFm;
pub use m2m::{M2m, M2mConfig};
pub use m3oe::{Fusion, FusionScope, M3oe, M3oeConfig};
pub use mlp::Mlp;
pub use mmoe::{Mmoe, MmoeConfig};
pub use ple::{Ple, PleConfig};
pub use pnn::Pnn;
pub use shared_bottom::{SharedBottom, SharedBottomConfig};
pub use star::{ReducedStar, Star, StarConfig, StarForm};
pub use wide_deep::WideDeep;

/// A model's entry in the registry.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry {
    /// Its name in configurations.
    pub name: &'static str,
    /// Globs of the parameters that the recipe `bilevel` learns in its outer step; those of them that a configuration
    /// lacks are left out.
    pub outer: &'static [&'static str],
    /// Checks a configuration and fills in every default.
    pub resolve: fn(Value) -> Result<Value>,
    /// Builds the net for a resolved configuration.
    pub build: fn(&Schema, Value, Build) -> Result<Net>,
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
    (model(name)?.build)(schema, config.clone(), build)
}
