//! What a worker process is asked to do: a shared stage or a run, each fully resolved.
use anyhow::Context as _;
use scenarec_data::DatasetConfig;
use scenarec_train::{Progress, Recorder};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::{collections::BTreeMap, path::PathBuf};

/// Everything that determines a result, with no default left out. Its canonical JSON is part of the run's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Name of the shared stage (`pretrain`), or none for the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Recipe, as in [`RECIPES`](crate::recipes::RECIPES).
    pub recipe: String,
    /// The dataset's configuration, quick mode's changes applied.
    pub dataset: DatasetJob,
    /// The model's resolved configuration; `name` is its entry in the registry.
    pub model: Value,
    /// The method's resolved configuration; `name` is its entry in the registry. Null for a stage that no method
    /// changes, so that methods share it.
    pub method: Value,
    /// The recipe's own sections, resolved: `pretrain`, `warm`, …
    pub settings: Value,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// Threads libtorch may use; results depend on it.
    pub threads: usize,
    /// `cpu` or `cuda`.
    pub device: String,
}

impl Job {
    /// The same with the seeds 1 to `n`.
    pub fn for_seeds(&self, n: u64) -> Vec<Job> {
        (1..=n).map(|seed| Job { seed, ..self.clone() }).collect()
    }
}

/// The data a job works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetJob {
    /// The dataset's configuration.
    pub config: DatasetConfig,
    /// What quick mode changes.
    pub quick: scenarec_data::Override,
    /// Fingerprint of the prepared data.
    pub fingerprint: String,
}

/// What a job gets to work with.
pub struct JobContext<'a> {
    /// Folder the job writes its files to; renamed into place when the job ends well.
    pub out: PathBuf,
    /// Folders of the finished stages this job needs, by stage name.
    pub inputs: BTreeMap<String, PathBuf>,
    /// Where raw data and caches are.
    pub roots: scenarec_data::Roots,
    /// Takes the run's numbers.
    pub recorder: Recorder,
    /// Takes the run's progress.
    pub progress: &'a dyn Progress,
}

impl JobContext<'_> {
    /// The folder of a stage that the job needs.
    pub fn input(&self, stage: &str) -> anyhow::Result<&PathBuf> {
        self.inputs.get(stage).with_context(|| format!("the stage {stage} is missing"))
    }
}
