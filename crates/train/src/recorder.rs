//! Every number a run produces, one line of JSON each.
use crate::fit::Trained;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
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

/// A point of a learning curve: one pass over a training's rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// The measure's stage: `pretrain`, `generator`, `train`, …
    pub stage: String,
    /// The measure's phase, or which of several models is trained; empty where there is one.
    pub phase: String,
    /// From 1.
    pub epoch: u64,
    /// Mean loss of its steps.
    pub loss: f64,
    /// Score on validation rows at its end, where it is taken: higher is better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// Name of the file beside `measures.jsonl` with a line per [`Epoch`]; absent where nothing was trained.
pub const CURVES: &str = "curves.jsonl";

/// Writes measures of one run to `measures.jsonl`, and learning curves beside it. The fields that are the same for the whole run
/// are given once.
#[derive(Debug)]
pub struct Recorder {
    common: Measure,
    out: BufWriter<File>,
    curves: PathBuf,
    epochs: Option<BufWriter<File>>,
}

impl Recorder {
    /// Starts the file at `path`; `common` carries dataset, provenance, model, method and seed.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn create(path: &Path, common: Measure) -> Result<Self> {
        Ok(Self { common, out: create(path)?, curves: path.with_file_name(CURVES), epochs: None })
    }

    /// Appends one number; `fill` sets the fields that are particular to it.
    ///
    /// # Errors
    /// A number that is NaN or infinite; a file that cannot be written.
    pub fn record(&mut self, metric: &str, value: f64, fill: impl FnOnce(&mut Measure)) -> Result<()> {
        anyhow::ensure!(value.is_finite(), "{metric} is {value}; the run cannot be trusted");
        let mut m = Measure { metric: metric.into(), value, ..self.common.clone() };
        fill(&mut m);
        serde_json::to_writer(&mut self.out, &m)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Appends a training's learning curve.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn curve(&mut self, stage: &str, phase: &str, trained: &Trained) -> Result<()> {
        let out = match &mut self.epochs {
            Some(out) => out,
            None => self.epochs.insert(create(&self.curves)?),
        };
        for (at, loss) in trained.losses.iter().enumerate() {
            let score = trained.scores.get(at).copied();
            let epoch =
                Epoch { stage: stage.into(), phase: phase.into(), epoch: at as u64 + 1, loss: *loss, score };
            serde_json::to_writer(&mut *out, &epoch)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Writes everything through to the disk; the run's result is complete only after this.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(self) -> Result<()> {
        for mut out in [Some(self.out), self.epochs].into_iter().flatten() {
            out.flush()?;
            out.get_ref().sync_all().context("cannot write measures to disk")?;
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(BufWriter::new(file))
}
