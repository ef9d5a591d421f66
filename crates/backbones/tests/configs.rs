//! The models' default configurations, for tests and benchmarks.
use scenarec_backbones::ModelEntry;
use serde_yaml::Value;
use std::{fs, path::Path};

/// A model's configuration in its file of configs/models, complete.
pub fn default_config(model: &ModelEntry) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/models");
    let path = folder.join(format!("{}.yaml", model.name.replace('_', "-")));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(file["model"], model.name);
    let mut config = file["config"].clone();
    config["name"] = model.name.into();
    (model.resolve)(config).unwrap()
}
