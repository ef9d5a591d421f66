//! Every number a run produces, one line of JSON each.
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// One number. A field that does not apply is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Measure {
    /// Dataset, as in `configs/datasets`.
    pub dataset: String,
    /// `real`, `partial`, `approximated` or `simulated`.
    pub provenance: String,
    /// Backbone, as in `configs/models`.
    pub model: String,
    /// Method, as in `configs/methods`.
    pub method: String,
    /// Seed of the run.
    pub seed: u64,
    /// Stage of the recipe in which the number arose: `pretrain`, `generator`, `evaluate`, …
    pub stage: String,
    /// Phase of the evaluation: `cold`, `warm_a`, …
    pub phase: String,
    /// Scenario the rows belong to.
    pub scenario: String,
    /// Task the label belongs to.
    pub task: String,
    /// What was measured: `auc`, `expected_auc`, `logloss`, `seconds`, `samples_per_second`, `peak_rss_bytes`, …
    pub metric: String,
    /// The number, at full precision; NaN and infinities are refused.
    pub value: f64,
    /// Rows the number was computed over.
    pub rows: u64,
}

/// Writes measures of one run to `measures.jsonl`. The fields that are the same for the whole run are given once.
#[derive(Debug)]
pub struct Recorder {
    common: Measure,
    out: BufWriter<File>,
}

impl Recorder {
    /// Starts the file at `path`; `common` carries dataset, provenance, model, method and seed.
    pub fn create(path: &Path, common: Measure) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { common, out: BufWriter::new(file) })
    }

    /// Appends one number; `fill` sets the fields that are particular to it.
    pub fn record(&mut self, metric: &str, value: f64, fill: impl FnOnce(&mut Measure)) -> Result<()> {
        anyhow::ensure!(value.is_finite(), "{metric} is {value}; the run cannot be trusted");
        let mut m = Measure { metric: metric.into(), value, ..self.common.clone() };
        fill(&mut m);
        serde_json::to_writer(&mut self.out, &m)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Writes everything through to the disk; the run's result is complete only after this.
    pub fn finish(mut self) -> Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all().context("cannot write measures to disk")
    }
}
