//! Training on all scenarios and tasks, in one model or in several as the scope says, each until its validation AUC stops rising;
//! evaluated together on every pair of a scenario and a task.
//!
//! In the recipe `bilevel` parameters that a model's registry entry names as outer, M3oE's fusion weights, are learned apart from
//! the others (bi-level optimisation, M3oE's Eq. 11), with them, or not at all (M3oE sheet, sections c and d).
mod evaluate;
mod extend;
mod settings;
mod train;

use super::Recipe;
use crate::job::{Job, JobContext};
use anyhow::Result;
use scenarec_data::Prepared;
use scenarec_train::{Scoping, open_device};
use settings::{BilevelSettings, Settings};
use std::sync::Arc;

pub use extend::{Extended, extend};
pub(super) use settings::{FitTraining, How, Outer, Part, Training, check_fit_training, check_training};
pub(super) use train::Scoped;

/// File of a run's only net.
const NET: &str = "net.safetensors";

/// One optimiser for everything.
pub(super) const RECIPE: Recipe = Recipe {
    name: "fit",
    model: true,
    methods: None,
    alone: false,
    resolve: settings::resolve,
    evaluates_on_test: |job| {
        Ok(serde_yaml::from_value::<Settings>(job.settings.clone())?.evaluate == Part::Test)
    },
    stages: |_| Ok(vec![]),
    execute: |job, context| {
        let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
        execute(job, &settings.scope, &settings.how(), settings.evaluate, settings.keep_nets, context)
    },
};

/// Outer parameters have an optimiser of their own.
pub(super) const BILEVEL: Recipe = Recipe {
    name: "bilevel",
    resolve: settings::resolve_bilevel,
    evaluates_on_test: |_| Ok(true),
    execute: |job, context| {
        let settings: BilevelSettings = serde_yaml::from_value(job.settings.clone())?;
        execute(job, &settings.scope, &settings.how(), Part::Test, false, context)
    },
    ..RECIPE
};

fn execute(
    job: &Job,
    scope: &Scoping,
    how: &How,
    part: Part,
    keep_nets: bool,
    mut context: JobContext<'_>,
) -> Result<()> {
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let mut cells = Vec::new();
    let scopes = scope.scopes(&data.schema);
    let several = scopes.len() > 1;
    for scope in scopes {
        let name = if several { format!("net.{}.safetensors", scope.name(&data.schema)) } else { NET.into() };
        let mut scoped = Scoped::new(job, how, &data, &splits, scope, device)?;
        scoped.train(&mut context)?;
        if keep_nets {
            scoped.net().save(&context.out.join(name))?;
        }
        cells.extend(scoped.predict(part)?);
    }
    cells.sort_by_key(|c| (c.scenario, c.task));
    evaluate::evaluate(&cells, &data, &mut context.recorder)?;
    context.recorder.finish()
}
