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

/// The sources of the model that a resolved configuration names, as [`id::source_hash`](crate::id::source_hash) knows them; none where
/// it names none.
pub fn source_of(config: &Value) -> Option<String> {
    let crates = [("backbones", scenarec_backbones::MODELS), ("contrastive", scenarec_contrastive::MODELS)];
    let name = name_in(config);
    let found = crates.into_iter().find(|(_, models)| models.iter().any(|m| m.name == name));
    found.map(|(of, _)| format!("{of}/{name}"))
}

/// Builds the net a resolved configuration describes.
pub fn build(schema: &Schema, config: &Value, build: Build) -> Result<Net> {
    of_config(config)?.build(schema, config.clone(), build)
}
