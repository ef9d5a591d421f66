//! A scenario with few rows among rich ones (Diff-MSR, section 3): a backbone is trained on all scenarios (stage 1),
//! generators of embedded rows on the cold one (stage 2), a classifier on whether a row is the cold scenario's (stage 3);
//! then a copy of the backbone, the cold scenario's own, is fine-tuned on true and generated rows (stage 4). Rows of the
//! other scenarios go on seeing the net of stage 1.
//!
//! The methods `mix`, `fine_tune` and `single` are what this is compared with: stage 1 alone, stage 1 and a fine-tune on
//! true rows, a backbone on the cold scenario's rows alone.
mod augmentation;
mod curve;
mod enhance;
mod evaluate;
mod fine_tune;
mod mixture;
mod pool;
mod settings;
mod task;
mod train;

use super::Recipe;
use crate::{
    job::{Job, JobContext},
    methods::{self, MethodKind},
};
use anyhow::{Result, bail};
pub use augmentation::{Augmentation, DiffConfig, DiffMsrConfig, Generator, RowsConfig};
pub(super) use curve::RECIPE as CURVE;
pub use enhance::{Enhanced, enhance};

use serde_yaml::Value;
use settings::{FitSettings, PretrainSettings, Settings, Training};
use task::Task;

pub(super) const RECIPE: Recipe = Recipe {
    name: "augment",
    model: true,
    methods: Some(MethodKind::Augment),
    alone: false,
    resolve: settings::resolve,
    evaluates_on_test: |_| Ok(true),
    stages,
    execute,
};

/// Name of the stage that trains the backbone on all scenarios.
const PRETRAIN: &str = "pretrain";
/// Name of the stage that fits the generators.
const GENERATOR: &str = "generator";
/// Name of the stage that trains the domain classifier.
const CLASSIFIER: &str = "classifier";

fn stages(job: &Job) -> Result<Vec<Job>> {
    let Settings { cold, pretrain, .. } = serde_yaml::from_value(job.settings.clone())?;
    let augmentation = methods::augmentation(&job.method)?;
    let mut stages = Vec::new();
    if augmentation == Augmentation::Single {
        return Ok(stages);
    }
    stages.push(pretrain_stage(job, pretrain)?);
    if let Augmentation::Generated(generator) = augmentation {
        stages.push(fit_stage(job, GENERATOR, generator.rows.fit_only()?, &cold, pretrain)?);
        if let Some(stage) = generator.classifier_stage() {
            stages.push(fit_stage(job, CLASSIFIER, serde_yaml::to_value(stage)?, &cold, pretrain)?);
        }
    }
    Ok(stages)
}

/// Stage 1, which all methods and both recipes share.
fn pretrain_stage(job: &Job, pretrain: Training) -> Result<Job> {
    Ok(Job {
        stage: Some(PRETRAIN.into()),
        recipe: RECIPE.name.into(),
        method: Value::Null,
        settings: serde_yaml::to_value(PretrainSettings { pretrain })?,
        ..job.clone()
    })
}

/// A stage that fits something to the pre-trained net's embeddings.
fn fit_stage(job: &Job, name: &str, method: Value, cold: &str, pretrain: Training) -> Result<Job> {
    Ok(Job {
        stage: Some(name.into()),
        recipe: RECIPE.name.into(),
        method,
        settings: serde_yaml::to_value(FitSettings { cold: cold.into(), pretrain })?,
        ..job.clone()
    })
}

fn execute(job: &Job, context: JobContext<'_>) -> Result<()> {
    let task = Task::new(job, &context)?;
    match job.stage.as_deref() {
        Some(PRETRAIN) => task.pretrain(context),
        Some(GENERATOR) => task.fit_generators(context),
        Some(CLASSIFIER) => task.fit_classifier(context),
        Some(other) => bail!("the recipe augment has no stage {other:?}"),
        None => task.run(context),
    }
}
