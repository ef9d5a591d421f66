//! The models of all crates.
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, ModelEntry, Net,
    model::{name_in, named},
};
use serde_yaml::Value;

/// All models, in the order of the registries.
pub fn models() -> impl Iterator<Item = &'static ModelEntry> + Clone {
    scenarec_backbones::MODELS.iter().chain(scenarec_contrastive::MODELS)
}

/// The model called `name`.
pub fn model(name: &str) -> Result<&'static ModelEntry> {
    named(models(), name)
}

/// The model that a resolved configuration names.
pub fn of_config(config: &Value) -> Result<&'static ModelEntry> {
    model(name_in(config))
}

/// The crate of the model that a resolved configuration names; that of the click-through-rate models where it names none.
pub fn crate_of(config: &Value) -> &'static str {
    let of_contrast = scenarec_contrastive::MODELS.iter().any(|m| m.name == name_in(config));
    if of_contrast { "contrastive" } else { "backbones" }
}

/// Builds the net a resolved configuration describes.
pub fn build(schema: &Schema, config: &Value, build: Build) -> Result<Net> {
    of_config(config)?.build(schema, config.clone(), build)
}
