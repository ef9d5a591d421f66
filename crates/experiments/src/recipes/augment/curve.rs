//! How well the domain classifier tells noised rows of the cold scenario from the others', step by step of the forward
//! process (Diff-MSR, Figure 5): where it no longer can, rich rows have become as good as cold ones.
use super::{
    CLASSIFIER, augmentation::ClassifierStage, fit_stage, pretrain_stage, settings::Training, task::Task,
};
use crate::{
    job::{Job, JobContext},
    methods::{self, MethodKind},
    recipes::{Augmentation, Recipe},
};
use anyhow::{Context, Result};
use scenarec_train::config::check;
use serde::{Deserialize, Serialize};

pub(in crate::recipes) const RECIPE: Recipe = Recipe {
    name: "noised_classifier",
    model: true,
    methods: Some(MethodKind::Augment),
    alone: false,
    resolve: |value| {
        scenarec_train::config::resolve(value, |settings: &CurveSettings| {
            check(!settings.steps.is_empty(), "steps", || "no step".into())
        })
    },
    evaluates_on_test: |_| Ok(true),
    stages,
    execute,
};

/// The recipe's sections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CurveSettings {
    /// Name of the scenario with few rows.
    pub cold: String,
    /// As in the recipe `augment`, which shares its stages.
    pub pretrain: Training,
    /// After how many steps of the forward process the classifier is evaluated; after 0 there is no noise.
    pub steps: Vec<usize>,
}

fn stages(job: &Job) -> Result<Vec<Job>> {
    let CurveSettings { cold, pretrain, .. } = serde_yaml::from_value(job.settings.clone())?;
    let stage = serde_yaml::to_value(classifier_of(job)?)?;
    Ok(vec![pretrain_stage(job, pretrain)?, fit_stage(job, CLASSIFIER, stage, &cold, pretrain)?])
}

fn execute(job: &Job, context: JobContext<'_>) -> Result<()> {
    let settings: CurveSettings = serde_yaml::from_value(job.settings.clone())?;
    Task::new(job, &context)?.classifier_curve(&classifier_of(job)?, &settings, context)
}

fn classifier_of(job: &Job) -> Result<ClassifierStage> {
    let stage = match methods::augmentation(&job.method)? {
        Augmentation::Generated(generator) => generator.classifier_stage(),
        _ => None,
    };
    stage.context("the method has no classifier")
}
