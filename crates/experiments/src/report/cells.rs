//! Cells of a table, filled from the measures of its runs.
use super::settings;
use crate::{
    id,
    metric::{self, Metric},
    plan::{Plan, PlannedCell},
    spec::{RECORDED, TableSpec, recorded_value},
    store::{Failure, Finished, Store},
};
use anyhow::{Result, bail};
use scenarec_train::{Measure, metrics::statistics};
use std::collections::BTreeMap;

/// Numbers of one cell and metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    /// By seed.
    pub by_seed: BTreeMap<u64, f64>,
    /// What the paper prints.
    pub paper: Option<f64>,
}

impl Value {
    /// The mean over seeds.
    pub fn mean(&self) -> Option<f64> {
        (!self.by_seed.is_empty()).then(|| self.by_seed.values().sum::<f64>() / self.by_seed.len() as f64)
    }

    /// The sample deviation over seeds, where there are at least two.
    pub fn deviation(&self) -> Option<f64> {
        let values: Vec<f64> = self.by_seed.values().copied().collect();
        statistics::deviation(&values)
    }

    /// Ours less the paper's.
    pub fn difference(&self) -> Option<f64> {
        Some(self.mean()? - self.paper?)
    }
}

/// Whether a cell is there, and if not, why.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// All seeds are.
    Done,
    /// Some seeds are.
    Part {
        /// Seeds that are there.
        have: usize,
        /// Seeds of the table.
        want: usize,
    },
    /// It cannot be computed yet, with the reason.
    NotYet(String),
    /// Nobody ran it.
    NotRun,
    /// Its runs failed, with the error of one of them.
    Failed(String),
}

/// A cell: one value of every dimension.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Dimension -> value.
    pub coordinates: BTreeMap<String, String>,
    /// Whether it is there.
    pub status: Status,
    /// `real`, `partial`, `approximated`, `simulated`; empty where there is no number.
    pub provenance: String,
    /// Whether its numbers come from older code or data.
    pub stale: bool,
    /// Metric -> numbers.
    pub values: BTreeMap<String, Value>,
}

impl Cell {
    /// The mean of a metric over seeds.
    pub fn mean(&self, metric: &str) -> Option<f64> {
        self.values.get(metric)?.mean()
    }
}

/// Fills every cell of the plan; `older` are the ids of runs that stand in for missing ones, by the missing one's.
pub fn collect(
    spec: &TableSpec,
    plan: &Plan,
    store: &Store,
    older: &BTreeMap<String, String>,
) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    let shows_settings = spec.layout.cells.iter().any(|metric| metric == settings::METRIC);
    for planned in &plan.cells {
        let mut is_stale = false;
        let mut runs = BTreeMap::new();
        for (seed, id) in &planned.runs {
            let mut measures = store.measures(id, false)?;
            if let (None, Some(older)) = (&measures, older.get(id)) {
                is_stale = true;
                measures = store.measures(older, false)?;
            }
            let Some(mut measures) = measures else { continue };
            if let (true, Some(recorded)) = (shows_settings, measures.first().cloned()) {
                measures.extend(settings::measures(&plan.nodes[id].job, &recorded));
            }
            runs.insert(*seed, measures);
        }
        let status = status(planned, runs.len(), plan, store);
        for coordinates in spec.cells_of(&planned.combination.coordinates) {
            let mut cell = Cell {
                coordinates,
                status: status.clone(),
                provenance: String::new(),
                stale: is_stale,
                values: BTreeMap::new(),
            };
            fill(&mut cell, spec, &runs)?;
            cells.push(cell);
        }
    }
    add_paper(spec, &mut cells);
    super::computed::add(spec, &mut cells);
    Ok(cells)
}

/// Ids of finished runs of older code or data that answer the same question as a missing run of the plan, by its id: of several
/// the one that ended last, where possible of those on the same data.
pub(super) fn older_runs(plan: &Plan, store: &Store) -> Result<BTreeMap<String, String>> {
    // The plan may be older than what was made since.
    let missing = || plan.nodes.values().filter(|n| !n.is_stage() && !store.has(&n.id, false));
    if missing().next().is_none() {
        return Ok(BTreeMap::new());
    }
    let mut by_question: BTreeMap<String, Vec<Finished>> = BTreeMap::new();
    for f in store.finished(false)? {
        by_question.entry(id::question(&f.job)?).or_default().push(f);
    }
    let mut older = BTreeMap::new();
    for node in missing() {
        let Some(candidates) = by_question.get(&id::question(&node.job)?) else { continue };
        let mut best = None;
        for run in candidates {
            let same_data = run.job.dataset.fingerprint == node.job.dataset.fingerprint;
            let ended = store.environment(&run.id, false)?.map_or(0, |of| of.ended);
            best = best.max(Some((same_data, ended, &run.id)));
        }
        older.extend(best.map(|(_, _, id)| (node.id.clone(), id.clone())));
    }
    Ok(older)
}

fn status(planned: &PlannedCell, have: usize, plan: &Plan, store: &Store) -> Status {
    let want = planned.seeds;
    if let Some(reason) = &planned.combination.not_yet {
        Status::NotYet(reason.clone())
    } else if have == want {
        Status::Done
    } else if let Some(f) = planned.all_runs().find_map(|id| failure(plan, id, store)) {
        Status::Failed(f.message)
    } else if have > 0 {
        Status::Part { have, want }
    } else {
        Status::NotRun
    }
}

/// Why a run failed, or a stage that it needs.
fn failure(plan: &Plan, id: &str, store: &Store) -> Option<Failure> {
    store.failure(id).or_else(|| plan.nodes.get(id)?.inputs.values().find_map(|stage| store.failure(stage)))
}

/// Takes the cell's numbers from its runs' measures.
fn fill(cell: &mut Cell, spec: &TableSpec, runs: &BTreeMap<u64, Vec<Measure>>) -> Result<()> {
    let mut metrics: Vec<&Metric> = spec.layout.cells.iter().map(|name| metric::of(name)).collect();
    if metrics.iter().any(|m| m.name == "auc") && metrics.iter().all(|m| m.name != "expected_auc") {
        metrics.push(metric::of("expected_auc"));
    }
    for (seed, measures) in runs {
        for metric in &metrics {
            let Some((name, factor)) = metric.measure else { continue };
            let mut fitting = measures.iter().filter(|m| m.metric == name && fits(m, cell, spec));
            let Some(measure) = fitting.next() else { continue };
            if fitting.next().is_some() {
                bail!(
                    "{}: several measures of {name} fit the cell {:?} (seed {seed}): say which under layout.where",
                    spec.source.file(),
                    cell.coordinates
                );
            }
            cell.provenance = measure.provenance.clone();
            cell.values.entry(metric.name.into()).or_default().by_seed.insert(*seed, measure.value * factor);
        }
    }
    Ok(())
}

/// Whether a measure belongs to the cell: in each recorded dimension it has the cell's value or the layout's.
fn fits(measure: &Measure, cell: &Cell, spec: &TableSpec) -> bool {
    RECORDED.iter().all(|dimension| {
        let wanted = cell.coordinates.get(*dimension).or_else(|| spec.layout.filter.get(*dimension));
        wanted.is_none_or(|w| w == recorded_value(measure, dimension))
    })
}

/// Sets the paper's numbers beside ours.
fn add_paper(spec: &TableSpec, cells: &mut [Cell]) {
    let Some(reported) = &spec.reported else { return };
    for cell in cells {
        for metric in &spec.layout.cells {
            if let Some(v) = reported.value(spec, &cell.coordinates, metric) {
                cell.values.entry(metric.clone()).or_default().paper = Some(v);
            }
        }
    }
}

/// Why cells are not done, and how many there are of each reason.
pub(super) fn reasons<'a>(cells: impl Iterator<Item = &'a Cell>) -> BTreeMap<String, usize> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for c in cells {
        let reason = match &c.status {
            Status::Done => continue,
            Status::Part { have, want } => format!("{have} of {want} seeds"),
            Status::NotYet(reason) => format!("not yet: {reason}"),
            Status::NotRun => "not run".into(),
            Status::Failed(message) => format!("failed: {message}"),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
}

/// "61 of 84 cells computed; not yet (the loader is not written): 23; …"
pub(super) fn coverage(cells: &[Cell]) -> Vec<String> {
    let done = cells.iter().filter(|c| c.status == Status::Done).count();
    let mut lines = vec![format!("cells: {done} of {} computed", cells.len())];
    lines.extend(reasons(cells.iter()).into_iter().map(|(reason, n)| format!("  {n} {reason}")));
    lines
}
