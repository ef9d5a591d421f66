//! The recipes' sections.
use anyhow::Result;
use scenarec_train::{OptimSpec, Scoping, config::check};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// What `fit` is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// How many models there are, and for which scenarios and tasks each is.
    pub scope: Scoping,
    /// How they are trained.
    pub training: FitTraining,
    /// Scenarios that the models are built for and evaluated on but do not learn from: what a new scenario begins with.
    pub without: Vec<String>,
    /// Which rows are evaluated.
    pub evaluate: Part,
    /// Whether the nets are kept, as `net.safetensors` or, of several, `net.<scenarios and tasks>.safetensors`.
    pub keep_nets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recipes) struct FitTraining {
    /// Passes over the training rows at most.
    pub epochs: usize,
    /// Epochs without a better validation score after which training stops; the best one is evaluated.
    pub patience: usize,
    /// Which score.
    pub stop_by: StopBy,
    /// Rows per step.
    pub batch: usize,
    /// Rows of a piece, see [`Training`].
    pub micro_batch: usize,
    /// Factor of the learning rate after every epoch.
    pub lr_decay: f64,
    /// The optimiser.
    pub optim: OptimSpec,
}

/// What `bilevel` is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BilevelSettings {
    /// How many models there are, and for which domains and tasks each is.
    pub scope: Scoping,
    /// How all parameters but the outer ones are learned.
    pub training: Training,
    /// How the outer ones are.
    pub outer: Outer,
}

/// How a model is trained.
#[derive(Clone, Debug)]
pub(in crate::recipes) struct How {
    pub training: Training,
    /// None where outer parameters are learned with the others.
    pub outer: Option<Outer>,
    pub stop_by: StopBy,
    pub lr_decay: f64,
    /// Scenarios whose rows are not learned from.
    pub without: Vec<String>,
}

/// Rows that are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipes) enum Part {
    /// Validation rows, by which settings may be chosen.
    Valid,
    /// Test rows.
    Test,
}

/// The score of validation rows by which training stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::recipes) enum StopBy {
    /// The unweighted mean of the AUCs of scenarios and tasks.
    MeanAuc,
    /// The AUC of the rows of all scenarios together, a mean over tasks: scenarios may have few rows.
    PooledAuc,
    /// None: all epochs are taken and the last one is evaluated. A small scenario may have no validation rows.
    Never,
}

impl Settings {
    pub fn how(&self) -> How {
        How { without: self.without.clone(), ..How::fit(self.training) }
    }
}

impl BilevelSettings {
    pub fn how(&self) -> How {
        How::bilevel(self.training, self.outer)
    }
}

impl How {
    /// As the recipe `fit` trains, on all scenarios.
    pub fn fit(training: FitTraining) -> Self {
        let FitTraining { epochs, patience, stop_by, batch, micro_batch, lr_decay, optim } = training;
        let (loss, keep) = (Loss::Mean, Keep::Best);
        let training = Training { epochs, patience, batch, micro_batch, loss, keep, optim };
        Self { training, outer: None, stop_by, lr_decay, without: Vec::new() }
    }

    /// As M3oE is trained.
    pub fn bilevel(training: Training, outer: Outer) -> Self {
        let without = Vec::new();
        Self { training, outer: Some(outer), stop_by: StopBy::MeanAuc, lr_decay: 1.0, without }
    }
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
    scenarec_train::config::resolve(value, |s: &Settings| check_fit_training(&s.training))
}

/// Settings that make sense, or what is wrong.
pub(in crate::recipes) fn check_fit_training(training: &FitTraining) -> Result<()> {
    let decay = training.lr_decay;
    check(decay > 0.0 && decay <= 1.0, "training.lr_decay", || format!("{decay} is not in (0, 1]"))?;
    check(training.stop_by != StopBy::Never || decay == 1.0, "training.lr_decay", || {
        "there is no decay where no epoch is scored".into()
    })?;
    check_steps(&How::fit(*training).training)
}

pub(super) fn resolve_bilevel(value: Value) -> Result<Value> {
    scenarec_train::config::resolve(value, |s: &BilevelSettings| check_training(&s.training, &s.outer))
}

/// Refuses settings under which nothing can be trained.
pub(in crate::recipes) fn check_training(training: &Training, outer: &Outer) -> Result<()> {
    check_steps(training)?;
    outer.optim.check("outer.optim")
}

fn check_steps(training: &Training) -> Result<()> {
    check(training.epochs > 0, "training.epochs", || "no epoch".into())?;
    check(training.patience > 0, "training.patience", || "training would stop before it begins".into())?;
    check(training.batch > 0, "training.batch", || "0 rows".into())?;
    check(training.micro_batch > 0, "training.micro_batch", || "0 rows".into())?;
    training.optim.check("training.optim")
}
