//! Multi-domain multi-task training (M3oE sheet, sections c and d): as many models as the scope says, each trained until its
//! validation AUC stops rising, evaluated together on every pair of a domain and a task.
//!
//! Parameters that a model's registry entry names as outer, M3oE's fusion weights, are learned apart from the others
//! (bi-level optimisation, Eq. 11), with them, or not at all.
mod settings;
mod train;

use super::Recipe;
use crate::job::{Job, JobContext};
use anyhow::{Context, Result};
use scenarec_data::Prepared;
use scenarec_train::{Feed, Recorder, metrics, metrics::statistics::mean, open_device};
use settings::Settings;
use std::sync::Arc;

pub(super) use settings::{Outer, Training, check_training};
pub(super) use train::Scoped;

pub(super) const RECIPE: Recipe = Recipe {
    name: "bilevel",
    model: true,
    methods: None,
    alone: false,
    resolve: settings::resolve,
    evaluates_on_test: |_| Ok(true),
    stages: |_| Ok(vec![]),
    execute,
};

/// The name that overall numbers have in place of a scenario and a task.
const ALL: &str = "all";

fn execute(job: &Job, mut context: JobContext<'_>) -> Result<()> {
    let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    scenarec_train::batch::check(&dataset)?;
    let data = Arc::new(dataset);
    let mut cells = Vec::new();
    for scope in settings.scope.scopes(&data.schema) {
        let mut scoped =
            Scoped::new(job, &settings.training, &settings.outer, &data, &splits, scope, device)?;
        scoped.train(&mut context)?;
        cells.extend(scoped.predict());
    }
    cells.sort_by_key(|c| (c.scenario, c.task));
    evaluate(&cells, &data, &mut context.recorder)?;
    context.recorder.finish()
}

/// Predictions for the rows of one scenario and one task.
struct Cell {
    scenario: usize,
    task: usize,
    rows: Vec<u32>,
    logits: Vec<f32>,
    labels: Vec<u8>,
}

impl Cell {
    fn auc(&self) -> Result<f64> {
        let auc = metrics::auc(&self.logits, &self.labels)?;
        auc.with_context(|| {
            format!("scenario {}, task {}: all rows are of one class", self.scenario, self.task)
        })
    }

    fn logloss(&self) -> Result<f64> {
        metrics::logloss(&self.logits, &self.labels)?.context("there are no rows to evaluate")
    }
}

/// A scope's predictions `logits` `[T][rows]` of a feed's rows, cell by cell.
fn cells(feed: &Feed, logits: &[Vec<f32>]) -> Vec<Cell> {
    let (scope, data) = (feed.scope(), feed.data());
    let mut cells = Vec::new();
    for s in &scope.scenarios {
        let places: Vec<usize> =
            (0..feed.rows().len()).filter(|i| data.scenario[feed.rows()[*i] as usize] == *s).collect();
        let rows: Vec<u32> = places.iter().map(|i| feed.rows()[*i]).collect();
        for (task, logits) in scope.tasks.iter().zip(logits) {
            cells.push(Cell {
                scenario: usize::from(*s),
                task: *task,
                logits: places.iter().map(|i| logits[*i]).collect(),
                labels: rows.iter().map(|r| data.labels[*task][*r as usize]).collect(),
                rows: rows.clone(),
            });
        }
    }
    cells
}

/// Records AUC and log loss of every cell; over all, their unweighted means (M3oE sheet, section a) and the AUC over the
/// rows of all scenarios together, a mean over tasks.
fn evaluate(cells: &[Cell], data: &scenarec_data::Dataset, recorder: &mut Recorder) -> Result<()> {
    let mut record = |metric: &str, value: f64, scenario: &str, task: &str, rows: usize| {
        recorder.record(metric, value, |m| {
            m.stage = "evaluate".into();
            m.scenario = scenario.into();
            m.task = task.into();
            m.rows = rows as u64;
        })
    };
    let (mut aucs, mut losses) = (Vec::new(), Vec::new());
    for cell in cells {
        let (scenario, task) = (&data.schema.scenarios[cell.scenario], &data.schema.tasks[cell.task]);
        let (auc, loss) = (cell.auc()?, cell.logloss()?);
        record("auc", auc, scenario, task, cell.rows.len())?;
        record("logloss", loss, scenario, task, cell.rows.len())?;
        if let Some(truth) = data.click_probability.as_ref().filter(|_| cell.task == 0) {
            let truth: Vec<f32> = cell.rows.iter().map(|r| truth[*r as usize]).collect();
            let expected = metrics::expected_auc(&cell.logits, &truth)?;
            let expected = expected.context("the true probabilities are all 0 or all 1")?;
            record("expected_auc", expected, scenario, task, cell.rows.len())?;
        }
        aucs.push(auc);
        losses.push(loss);
    }
    let mut pooled = Vec::new();
    for task in 0..data.schema.tasks.len() {
        let of_task = || cells.iter().filter(|c| c.task == task);
        let logits: Vec<f32> = of_task().flat_map(|c| c.logits.iter().copied()).collect();
        let labels: Vec<u8> = of_task().flat_map(|c| c.labels.iter().copied()).collect();
        pooled.push(metrics::auc(&logits, &labels)?.context("all rows are of one class")?);
    }
    let rows = cells.iter().filter(|c| c.task == 0).map(|c| c.rows.len()).sum();
    for (metric, values) in [("auc", aucs), ("logloss", losses), ("pooled_auc", pooled)] {
        record(metric, mean(&values).context("there is nothing to evaluate")?, ALL, ALL, rows)?;
    }
    Ok(())
}
