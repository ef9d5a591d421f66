//! Predictions of every scenario and task, and what they are worth.
use anyhow::{Context, Result};
use scenarec_data::{Dataset, Provenance};
use scenarec_train::{
    Feed, Recorder,
    metrics::{self, Gauc, statistics::mean},
};

/// The name that overall numbers have in place of a scenario and a task.
const ALL: &str = "all";

/// Predictions for the rows of one scenario and one task.
pub(super) struct Cell {
    pub scenario: usize,
    pub task: usize,
    rows: Vec<u32>,
    logits: Vec<f32>,
    labels: Vec<u8>,
}

impl Cell {
    pub fn auc(&self) -> Result<f64> {
        self.defined_auc()?.with_context(|| {
            format!("scenario {}, task {}: all rows are of one class", self.scenario, self.task)
        })
    }

    /// None where all rows are of one class.
    fn defined_auc(&self) -> Result<Option<f64>> {
        Ok(metrics::auc(&self.logits, &self.labels)?)
    }

    /// Within sessions; none where no session has rows of both classes.
    fn gauc(&self, session: &[u32]) -> Result<Option<Gauc>> {
        let own: Vec<u32> = self.rows.iter().map(|r| session[*r as usize]).collect();
        Ok(metrics::gauc(&self.logits, &self.labels, &own)?)
    }

    fn logloss(&self) -> Result<f64> {
        metrics::logloss(&self.logits, &self.labels)?.context("there are no rows to evaluate")
    }
}

/// A scope's predictions `logits` `[T][rows]` of a feed's rows, cell by cell.
pub(super) fn cells(feed: &Feed, logits: &[Vec<f32>]) -> Vec<Cell> {
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
pub(super) fn evaluate(cells: &[Cell], data: &Dataset, recorder: &mut Recorder) -> Result<()> {
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
        // A small simulated scenario of a quick run may have no row here, or no click.
        let small = data.provenance == Provenance::Simulated;
        if small && cell.rows.is_empty() {
            tracing::warn!("{scenario}, {task}: there are no rows to evaluate");
            continue;
        }
        let loss = cell.logloss()?;
        match cell.defined_auc()? {
            Some(auc) => {
                record("auc", auc, scenario, task, cell.rows.len())?;
                aucs.push(auc);
            }
            None if small => {
                tracing::warn!(
                    "{scenario}, {task}: all {} rows are of one class, so there is no AUC",
                    cell.rows.len()
                );
            }
            None => {
                cell.auc()?;
            }
        }
        record("logloss", loss, scenario, task, cell.rows.len())?;
        if let Some(truth) = data.click_probability.as_ref().filter(|_| cell.task == 0) {
            let truth: Vec<f32> = cell.rows.iter().map(|r| truth[*r as usize]).collect();
            let expected = metrics::expected_auc(&cell.logits, &truth)?;
            let expected = expected.context("the true probabilities are all 0 or all 1")?;
            record("expected_auc", expected, scenario, task, cell.rows.len())?;
        }
        if let Some(sessions) = &data.session
            && let Some(gauc) = cell.gauc(sessions)?
        {
            record("s_gauc", gauc.value, scenario, task, gauc.rows)?;
            record(
                "session_share",
                gauc.rows as f64 / cell.rows.len() as f64,
                scenario,
                task,
                cell.rows.len(),
            )?;
        }
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
    // A mean over some of the cells would be another number.
    let complete = |values: &Vec<f64>| values.len() == cells.len();
    let means = [("auc", Some(aucs).filter(complete)), ("logloss", Some(losses).filter(complete))];
    for (metric, values) in means.into_iter().chain([("pooled_auc", Some(pooled))]) {
        let Some(values) = values else { continue };
        record(metric, mean(&values).context("there is nothing to evaluate")?, ALL, ALL, rows)?;
    }
    Ok(())
}
