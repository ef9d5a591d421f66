//! What a dataset holds, as a whole and part by part; nothing is trained.
use super::Recipe;
use crate::job::{Job, JobContext};
use anyhow::{Context, Result};
use scenarec_data::{Prepared, Schema, Statistics, split_statistics, statistics};
use scenarec_train::Recorder;
use serde::{Deserialize, Serialize};

pub(super) const RECIPE: Recipe = Recipe {
    name: "statistics",
    model: false,
    methods: None,
    alone: false,
    resolve: |value| Ok(serde_yaml::to_value(serde_yaml::from_value::<Settings>(value)?)?),
    evaluates_on_test: |_| Ok(true),
    stages: |_| Ok(vec![]),
    execute,
};

/// There is nothing to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// Records `users`, `items`, `item_vocabulary` (the ids that a scenario has, of which only some may occur), `rows`, `row_share` (in
/// percent of the part's rows), and per task `positives`, `positive_rate` and, in percent, `negative_share`, of every part as a
/// whole and, where there are several, of its scenarios. The stage is `all` or the name of the split's part.
fn execute(job: &Job, mut context: JobContext<'_>) -> Result<()> {
    context.progress.begin("statistics", 1);
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    let mut all = vec![("all".to_string(), statistics(&dataset)?)];
    all.extend(split_statistics(&dataset, &splits)?);
    for (part, whole) in &all {
        record(&mut context.recorder, &dataset.schema, part, "", whole, whole.rows)?;
        for (scenario, of) in dataset.schema.scenarios.iter().zip(&whole.scenarios) {
            record(&mut context.recorder, &dataset.schema, part, scenario, of, whole.rows)?;
        }
    }
    context.progress.advance(1);
    context.recorder.finish()
}

/// Records the numbers of some of a part's `rows`.
fn record(
    recorder: &mut Recorder,
    schema: &Schema,
    part: &str,
    scenario: &str,
    of: &Statistics,
    rows: usize,
) -> Result<()> {
    let mut record = |metric: &str, value: f64, task: &str| {
        recorder.record(metric, value, |m| {
            m.stage = part.into();
            m.scenario = scenario.into();
            m.task = task.into();
            m.rows = of.rows as u64;
        })
    };
    let users = of.users.context("the data have no user id")?;
    let items = of.items.context("the data have no item id")?;
    for (metric, value) in [("users", users), ("items", items), ("rows", of.rows)] {
        record(metric, value as f64, "")?;
    }
    if let Some(vocabulary) = of.item_vocabulary {
        record("item_vocabulary", vocabulary as f64, "")?;
    }
    record("row_share", 100.0 * of.rows as f64 / rows as f64, "")?;
    for (task, rate) in schema.tasks.iter().zip(&of.positive_rate) {
        record("positives", (*rate * of.rows as f64).round(), task)?;
        record("positive_rate", *rate, task)?;
        record("negative_share", 100.0 * (1.0 - *rate), task)?;
    }
    Ok(())
}
