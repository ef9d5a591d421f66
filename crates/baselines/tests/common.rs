//! What the methods' tests share.
use anyhow::Result;
use scenarec_data::{Dataset, Table};
use scenarec_train::testing::{ITEMS, dataset};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The `config` of a file of configs/methods, of type `C`.
pub fn config<C: DeserializeOwned>(file: &str) -> C {
    let file: serde_yaml::Value = serde_yaml::from_str(file).unwrap();
    let mut config = file["config"].clone();
    config["name"] = file["method"].clone();
    serde_yaml::from_value(config).unwrap()
}

/// The made-up dataset with the item-id table for the item id alone.
pub fn own_item_table() -> Arc<Dataset> {
    let mut data = (*dataset(200, 1)).clone();
    data.schema.tables.push(Table { name: "other".into(), rows: ITEMS });
    for field in &mut data.schema.fields {
        if field.name != "item_id" && field.table.as_deref() == Some("item_id") {
            field.table = Some("other".into());
        }
    }
    Arc::new(data)
}

/// Asserts that `result` is an error about `key`.
pub fn refused(result: Result<()>, key: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{key}: ")), "{error}");
}
