//! A run's id: a hash of everything its result depends on.
use crate::{job::Job, methods::METHODS};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// Digits of an id.
pub const DIGITS: usize = 16;

/// Hash of some sources, taken when this program was built: `data`, `train`, a module of another crate with what it uses
/// (`backbones/deepfm`), `recipes` for this crate's recipes, `dependencies` for the versions of the libraries that numbers come from.
pub fn source_hash(name: &str) -> Result<&'static str> {
    let mut all = env!("SCENAREC_SOURCES").split(' ').filter_map(|entry| entry.split_once('='));
    let found = all.find_map(|(n, hash)| (n == name).then_some(hash));
    found.with_context(|| format!("there is no {name:?} whose sources could be hashed"))
}

/// The sources whose code a job runs, with their hashes.
pub fn sources(job: &Job) -> Result<BTreeMap<String, String>> {
    let mut names = vec!["data".to_string(), "train".into(), "recipes".into(), "dependencies".into()];
    names.extend(crate::models::source_of(&job.model));
    if let Some(name) = job.method.get("name").and_then(|n| n.as_str()) {
        let method = METHODS.iter().find(|m| m.name == name);
        let sources = method.with_context(|| format!("unknown method {name:?}"))?.sources;
        names.extend(sources.iter().map(ToString::to_string));
    }
    names.into_iter().map(|name| source_hash(&name).map(|hash| (name, hash.to_string()))).collect()
}

/// The job's id: 16 hexadecimal digits.
pub fn of(job: &Job) -> Result<String> {
    with_sources(job, &sources(job)?)
}

/// The id of a job whose code has the given hashes.
pub fn with_sources(job: &Job, sources: &BTreeMap<String, String>) -> Result<String> {
    let whole = serde_json::json!({ "job": job_json(job)?, "sources": sources });
    Ok(short_hash(&canonical(&whole)))
}

/// Keys of a dataset's configuration that only tell what its files are: they may say more of the same files one day.
const DESCRIPTION: [&str; 4] = ["fitted_on", "known_files", "provenance", "reported_as"];

/// The settings alone, without data and code: the job's JSON less the data's fingerprint and description.
pub fn settings(job: &Job) -> Result<Value> {
    let mut settings = job_json(job)?;
    let dataset = settings["dataset"].as_object_mut().context("a job has a dataset")?;
    dataset.remove("fingerprint");
    let config = dataset.get_mut("config").and_then(Value::as_object_mut).context("a dataset has keys")?;
    config.retain(|key, _| !DESCRIPTION.contains(&key.as_str()));
    Ok(settings)
}

/// Hash of the [`settings`]: runs that agree here answer the same question.
pub fn question(job: &Job) -> Result<String> {
    Ok(short_hash(&canonical(&settings(job)?)))
}

/// The job as JSON.
pub fn job_json(job: &Job) -> Result<Value> {
    serde_json::to_value(job).context("a job cannot be written as JSON")
}

fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..DIGITS].to_string()
}

/// JSON with sorted keys and no blanks.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            let inner: Vec<_> =
                sorted.iter().map(|(k, v)| format!("{}:{}", Value::from(k.as_str()), canonical(v))).collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_keys_everywhere() {
        let v = serde_json::json!({ "b": [ { "d": 1e-3, "c": "x\"" } ], "a": null });
        assert_eq!(canonical(&v), r#"{"a":null,"b":[{"c":"x\"","d":0.001}]}"#);
    }
}
