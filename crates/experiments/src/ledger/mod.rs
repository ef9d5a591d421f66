//! All finished runs, whatever table they belong to: two of them side by side, and the best on a dataset.
mod compare;
mod leaderboard;

pub use compare::{Comparison, compare};
pub use leaderboard::{Entry, Leaderboard, Query, leaderboard};

use crate::{
    id,
    job::Job,
    spec::leaves,
    store::{Finished, Store},
};
use anyhow::{Result, bail};
use serde_yaml::Value;
use std::collections::BTreeMap;

/// The finished run or stage whose id begins so.
///
/// # Errors
/// There is none, or there are several.
pub fn find(store: &Store, prefix: &str) -> Result<Finished> {
    let mut found: Vec<Finished> =
        store.finished(true)?.into_iter().filter(|f| f.id.starts_with(prefix)).collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.dedup_by(|a, b| a.id == b.id);
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => bail!(
            "no finished run has an id that begins with {prefix:?}: `plan TABLE` and `leaderboard` show ids"
        ),
        several => {
            let ids: Vec<&str> = several.iter().take(5).map(|f| f.id.as_str()).collect();
            bail!("{} runs have an id that begins with {prefix:?}: {}", several.len(), ids.join(", "))
        }
    }
}

/// Every setting of a job by its path. What the data is, is no setting.
pub fn settings(job: &Job) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::from([
        ("recipe".to_string(), job.recipe.clone().into()),
        ("seed".to_string(), job.seed.into()),
        ("threads".to_string(), job.threads.into()),
        ("device".to_string(), job.device.clone().into()),
    ]);
    let dataset = serde_yaml::to_value(&id::settings(job)?["dataset"])?;
    let sections = [
        ("model", &job.model),
        ("method", &job.method),
        ("run", &job.settings),
        ("dataset", &dataset["config"]),
        ("quick", &dataset["quick"]),
    ];
    for (name, section) in sections {
        all.extend(leaves(name, section));
    }
    Ok(all)
}

/// Whether a finished run is of older code than this program's: today it would have another id.
fn is_older(run: &Finished) -> bool {
    id::of(&run.job).map_or(true, |id| id != run.id)
}

/// A setting for a reader.
pub(crate) fn text(value: &Value) -> String {
    serde_yaml::to_string(value).map(|t| t.trim_end().to_string()).unwrap_or_default()
}
