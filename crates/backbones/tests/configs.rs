//! The models' configurations, for tests and benchmarks.
use scenarec_backbones::MODELS;
use scenarec_train::{ModelEntry, testing::model_config};
use serde_yaml::Value;

/// A model's configuration in the file of its name.
pub fn default_config(model: &ModelEntry) -> Value {
    config_file(&model.name.replace('_', "-"))
}

/// The configuration in `configs/models/<name>.yaml`, complete.
pub fn config_file(name: &str) -> Value {
    model_config(MODELS.iter(), name)
}
