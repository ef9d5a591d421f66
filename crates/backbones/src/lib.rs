//! One click-through-rate model per file, and the registry that names them.
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]

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

use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, ModelEntry, Net,
    model::{BuildNet, Resolve, name_in, named},
};
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

/// A model that gets behaviour sequences as one more field, where its configuration has the key `behaviours`, and else does
/// without.
const fn entry(
    name: &'static str,
    specific: &'static [&'static str],
    resolve: Resolve,
    build: BuildNet,
) -> ModelEntry {
    ModelEntry::new(name, specific, resolve, build).wrapped(&behaviours::AROUND)
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
///
/// # Errors
/// A name that no model has; the message lists those that there are.
pub fn model(name: &str) -> Result<&'static ModelEntry> {
    named(MODELS.iter(), name)
}

/// Builds the net a resolved configuration describes; its `name` chooses the model.
///
/// # Errors
/// A name that no model has, a configuration that is not resolved, data that the model cannot serve.
pub fn build(schema: &Schema, config: &Value, build: Build) -> Result<Net> {
    model(name_in(config))?.build(schema, config.clone(), build)
}
