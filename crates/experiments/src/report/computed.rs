//! Metrics that compare a cell with the baseline.
use super::cells::Cell;
use crate::{
    metric::{self, Better, Metric},
    spec::{Baseline, Coordinates, TableSpec},
};
use scenarec_train::metrics::rela_impr;

/// Of a number and its baseline's.
type Compare = fn(f64, f64) -> f64;

/// Adds `rela_impr`, in percent, and `ratio`, the main metric divided by the baseline's. Ours are of means over seeds.
/// The paper's, where it prints none, are of all the numbers that it prints of the table, its own best baseline included.
pub(super) fn add(spec: &TableSpec, cells: &mut [Cell]) {
    let Some(baseline) = &spec.layout.baseline else { return };
    for name in &spec.layout.cells {
        let Some((metric, f)) = rule(spec, name) else { continue };
        let ours = cells.iter().filter_map(|c| Some((c.coordinates.clone(), c.mean(metric.name)?)));
        let ours = Numbers { baseline, metric, all: ours.collect() };
        let papers = Numbers { baseline, metric, all: papers(spec, metric) };
        for cell in cells.iter_mut() {
            let (ours, papers) = (ours.compare(&cell.coordinates, f), papers.compare(&cell.coordinates, f));
            if ours.is_none() && papers.is_none() {
                continue;
            }
            let value = cell.values.entry(name.clone()).or_default();
            // A number of means: it has no seeds of its own.
            value.by_seed = ours.map(|v| (0, v)).into_iter().collect();
            value.paper = value.paper.or(papers);
        }
    }
}

/// Whether the paper's number of a cell is computed here, not printed by the paper.
pub(super) fn is_not_printed(spec: &TableSpec, cell: &Cell, metric: &str) -> bool {
    let printed = |r: &crate::spec::Reported| r.value(spec, &cell.coordinates, metric);
    let value = cell.values.get(metric).and_then(|v| v.paper);
    value.is_some() && rule(spec, metric).is_some() && spec.reported.as_ref().and_then(printed).is_none()
}

/// The metric that a computed one is computed from, and how from a cell's and its baseline's.
fn rule(spec: &TableSpec, metric: &str) -> Option<(&'static Metric, Compare)> {
    match metric {
        "rela_impr" => Some((metric::of("auc"), rela_impr)),
        "ratio" => Some((metric::of(&spec.layout.cells[0]), |own, base| own / base)),
        _ => None,
    }
}

/// What the paper prints of a metric, in any cell of the table.
fn papers(spec: &TableSpec, metric: &Metric) -> Vec<(Coordinates, f64)> {
    let Some(reported) = &spec.reported else { return Vec::new() };
    let printed = |c: Coordinates| reported.value(spec, &c, metric.name).map(|v| (c, v));
    spec.cells().into_iter().filter_map(printed).collect()
}

/// Numbers of a metric, with the cells they belong to.
struct Numbers<'a> {
    baseline: &'a Baseline,
    metric: &'static Metric,
    all: Vec<(Coordinates, f64)>,
}

impl Numbers<'_> {
    /// `f` of the number at `place` and its baseline's, where both are there.
    fn compare(&self, place: &Coordinates, f: Compare) -> Option<f64> {
        let dimension = self.baseline.dimension();
        let is_candidate = |(coordinates, _): &&(Coordinates, f64)| {
            let name = &coordinates[dimension];
            let counts = match self.baseline {
                Baseline::Entry { name: baseline, .. } => name == baseline,
                Baseline::BestOf { except, .. } => !except.contains(name),
            };
            counts && coordinates.iter().all(|(d, v)| d == dimension || place.get(d) == Some(v))
        };
        let candidates = self.all.iter().filter(is_candidate).map(|(_, number)| *number);
        let base = match self.metric.better {
            Some(Better::Lower) => candidates.min_by(f64::total_cmp),
            _ => candidates.max_by(f64::total_cmp),
        };
        let (_, own) = self.all.iter().find(|(coordinates, _)| coordinates == place)?;
        Some(f(*own, base?)).filter(|v| v.is_finite())
    }
}
