//! The recipe's sections.
use anyhow::Result;
use scenarec_train::{OptimSpec, Scoping, config::check};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// How many models there are, and for which domains and tasks each is.
    pub scope: Scoping,
    /// How all parameters but the outer ones are learned.
    pub training: Training,
    /// How the outer ones are.
    pub outer: Outer,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipes) struct Training {
    /// Passes over the training rows at most.
    pub epochs: usize,
    /// Epochs without a better mean of the cells' validation AUCs after which training stops.
    pub patience: usize,
    /// Rows per step.
    pub batch: usize,
    /// On a CPU a batch is run in pieces of so many rows, whose gradients are summed: the same step, in less memory and
    /// nearer to the processor. (Batch norm takes its statistics from a piece.) A GPU takes batches whole.
    pub micro_batch: usize,
    /// What is minimised.
    pub loss: Loss,
    /// What is evaluated where training was not stopped early.
    pub keep: Keep,
    /// The optimiser.
    pub optim: OptimSpec,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipes) enum Loss {
    /// Σ over heads of the mean binary cross-entropy over the rows that own the head (Eq. 12).
    Heads,
    /// The mean over all entries of ŷ.
    Mean,
    /// As the released program trains: `heads` with several domains and tasks, `mean` otherwise.
    Released,
}

/// What is evaluated where training was not stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipes) enum Keep {
    /// The epoch with the best validation AUC.
    Best,
    /// The last epoch, as in the released program.
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipes) struct Outer {
    /// When the outer parameters are learned.
    pub mode: Mode,
    /// Rows of the outer steps.
    pub data: Data,
    /// Outer steps at the end of every epoch, each on a batch of its own.
    pub steps: usize,
    /// What an outer step minimises.
    pub loss: Loss,
    /// The outer parameters' optimiser.
    pub optim: OptimSpec,
}

/// When the outer parameters are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipes) enum Mode {
    /// In outer steps only (Eq. 11).
    Bilevel,
    /// In outer steps and, by the other parameters' optimiser, in every step: what the released program does.
    Joint,
    /// Never.
    Fixed,
}

/// Rows of the outer steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipes) enum Data {
    /// Training rows, as in the paper.
    Train,
    /// Validation rows.
    Valid,
}

pub(super) fn resolve(value: Value) -> Result<Value> {
    scenarec_train::config::resolve(value, |s: &Settings| check_training(&s.training, &s.outer))
}

/// Refuses settings under which nothing can be trained.
pub(in crate::recipes) fn check_training(training: &Training, outer: &Outer) -> Result<()> {
    check(training.epochs > 0, "training.epochs", || "no epoch".into())?;
    check(training.patience > 0, "training.patience", || "training would stop before it begins".into())?;
    check(training.batch > 0, "training.batch", || "0 rows".into())?;
    check(training.micro_batch > 0, "training.micro_batch", || "0 rows".into())?;
    for (key, optim) in [("training.optim.lr", training.optim), ("outer.optim.lr", outer.optim)] {
        check(optim.lr > 0.0 && optim.lr.is_finite(), key, || format!("{} is not above 0", optim.lr))?;
    }
    Ok(())
}
