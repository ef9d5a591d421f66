//! The models' default configurations, for tests and benchmarks.
use scenarec_backbones::{ModelEntry, model};
use serde_yaml::Value;
use std::{fs, path::Path};

/// A model's configuration in its file of configs/models, complete.
pub fn default_config(model: &ModelEntry) -> Value {
    let config = config_file(&model.name.replace('_', "-"));
    assert_eq!(config["name"], model.name);
    config
}

/// The configuration in `configs/models/<name>.yaml`, complete.
pub fn config_file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../configs/models/{name}.yaml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_yaml::from_str(&text).unwrap();
    let mut config = file["config"].clone();
    config["name"] = file["model"].clone();
    model(file["model"].as_str().unwrap()).unwrap().resolve(config).unwrap()
}
