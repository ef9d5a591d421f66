//! Comparisons: with the baseline, of the best with the second best, and with the paper.
use super::cells::{Cell, Value};
use crate::spec::{Baseline, TableSpec};
use scenarec_train::metrics::statistics;
use std::collections::BTreeMap;

/// Adds `rela_impr`, in percent: ((AUC - 0.5) / (baseline's AUC - 0.5) - 1) * 100, of means over seeds.
pub(super) fn add_rela_impr(spec: &TableSpec, cells: &mut [Cell]) {
    let Some(baseline) = &spec.layout.baseline else { return };
    if !spec.layout.cells.iter().any(|c| c == "rela_impr") {
        return;
    }
    let dimension = baseline.dimension();
    let values: Vec<Option<f64>> = cells
        .iter()
        .map(|cell| {
            let auc = cell.mean("auc")?;
            let candidates = cells.iter().filter(|c| c.agrees_but_for(cell, dimension)).filter(|c| {
                let name = &c.coordinates[dimension];
                match baseline {
                    Baseline::Entry { name: n, .. } => name == n,
                    Baseline::BestOf { except, .. } => !except.contains(name),
                }
            });
            let base = candidates.filter_map(|c| c.mean("auc")).max_by(f64::total_cmp)?;
            Some(((auc - 0.5) / (base - 0.5) - 1.0) * 100.0)
        })
        .collect();
    for (cell, value) in cells.iter_mut().zip(values) {
        if let Some(v) = value.filter(|v| v.is_finite()) {
            // A number of means: it has no seeds of its own.
            cell.values.insert("rela_impr".into(), Value { by_seed: BTreeMap::from([(0, v)]), paper: None });
        }
    }
}

/// The best entry against the second best of one group of cells, which differ in the compared dimension only.
#[derive(Clone, Debug, PartialEq)]
pub struct Significance {
    /// What the group's cells share.
    pub coordinates: BTreeMap<String, String>,
    /// The compared dimension.
    pub dimension: String,
    /// The best.
    pub best: String,
    /// The second best.
    pub second: String,
    /// Two-sided p of a paired t-test over seeds; none where there are fewer than two common seeds.
    pub p: Option<f64>,
    /// Seeds they have in common.
    pub seeds: usize,
}

impl Significance {
    pub(super) fn line(&self, spec: &TableSpec) -> String {
        let several = |d: &&String| spec.values(d).len() > 1;
        let group: Vec<&str> =
            self.coordinates.iter().filter(|(d, _)| several(d)).map(|(d, v)| spec.label(d, v)).collect();
        let p = match self.p {
            Some(p) if p < 1e-4 => "p < 0.0001".into(),
            Some(p) => format!("p = {p:.4}"),
            None => "p —".into(),
        };
        format!(
            "best: {}{}: {} before {}, {p} (paired t-test, n = {})",
            group.join(" "),
            if self.p.is_some_and(|p| p < 0.05) { " *" } else { "" },
            spec.label(&self.dimension, &self.best),
            spec.label(&self.dimension, &self.second),
            self.seeds
        )
    }
}

/// The dimension whose entries are compared: the baseline's, else the one that labels lines.
pub(super) fn compared(spec: &TableSpec) -> String {
    match &spec.layout.baseline {
        Some(b) => b.dimension().to_string(),
        None => spec.layout.rows.last().cloned().unwrap_or_default(),
    }
}

/// Groups of cells that differ in the compared dimension only, in table order.
fn groups<'a>(spec: &TableSpec, cells: &'a [Cell]) -> Vec<(BTreeMap<String, String>, Vec<&'a Cell>)> {
    let dimension = compared(spec);
    let mut groups: Vec<(BTreeMap<String, String>, Vec<&Cell>)> = Vec::new();
    for cell in cells {
        let mut shared = cell.coordinates.clone();
        shared.remove(&dimension);
        match groups.iter_mut().find(|(s, _)| *s == shared) {
            Some((_, g)) => g.push(cell),
            None => groups.push((shared, vec![cell])),
        }
    }
    groups
}

/// Tests every group that has at least two cells with numbers.
pub fn significance(spec: &TableSpec, cells: &[Cell]) -> Vec<Significance> {
    let metric = &spec.layout.cells[0];
    let dimension = compared(spec);
    let mut all = Vec::new();
    for (coordinates, group) in groups(spec, cells) {
        let mut ranked: Vec<(f64, &Cell)> =
            group.iter().filter_map(|c| Some((c.mean(metric)?, *c))).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let [(_, best), (_, second), ..] = ranked[..] else { continue };
        let (a, b) = (&best.values[metric].by_seed, &second.values[metric].by_seed);
        let pairs: Vec<(f64, f64)> = a.iter().filter_map(|(s, x)| Some((*x, *b.get(s)?))).collect();
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        all.push(Significance {
            coordinates,
            dimension: dimension.clone(),
            best: best.coordinates[&dimension].clone(),
            second: second.coordinates[&dimension].clone(),
            p: statistics::paired_t_test(&x, &y).map(|t| t.p),
            seeds: pairs.len(),
        });
    }
    all
}

/// How near a table is to the paper.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The paper prints nothing, or nothing is computed.
    Nothing,
    /// All numbers come from simulated data.
    Simulated,
    /// Counted over cells with our number and the paper's, on data that is not simulated.
    Compared {
        /// Cells with at least two seeds.
        cells: usize,
        /// Of them, those whose mean lies within two deviations of the paper's number.
        within: usize,
        /// Mean of Kendall's tau-b of the order of methods over groups with at least two, and their number.
        tau: Option<(f64, usize)>,
    },
}

impl Verdict {
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Verdict::Nothing => Vec::new(),
            Verdict::Simulated => vec!["verdict: does not apply to simulated data".into()],
            Verdict::Compared { cells, within, tau } => {
                let share = match cells {
                    0 => "verdict: deviations need at least two seeds".to_string(),
                    n => format!(
                        "verdict: {within} of {n} cells ({:.0} %) within two deviations of the paper",
                        100.0 * *within as f64 / *n as f64
                    ),
                };
                let tau = match tau {
                    Some((tau, groups)) => {
                        format!(
                            "; Kendall's tau of the order of methods {tau:+.2} (mean of {groups} columns)"
                        )
                    }
                    None => String::new(),
                };
                vec![share + &tau]
            }
        }
    }
}

/// Compares with the paper.
pub fn verdict(spec: &TableSpec, cells: &[Cell]) -> Verdict {
    let metric = &spec.layout.cells[0];
    let both = |c: &Cell| {
        let v = c.values.get(metric)?;
        Some((v.mean()?, v.paper?, v.deviation()))
    };
    if !cells.iter().any(|c| both(c).is_some()) {
        return Verdict::Nothing;
    }
    let fair: Vec<Cell> = cells.iter().filter(|c| c.provenance != "simulated").cloned().collect();
    if !fair.iter().any(|c| both(c).is_some()) {
        return Verdict::Simulated;
    }
    let with_deviation: Vec<_> =
        fair.iter().filter_map(both).filter_map(|(m, p, d)| Some((m, p, d?))).collect();
    let within = with_deviation.iter().filter(|(m, p, d)| (m - p).abs() <= 2.0 * d).count();
    let taus: Vec<f64> = groups(spec, &fair)
        .iter()
        .filter_map(|(_, group)| {
            let (ours, theirs): (Vec<f64>, Vec<f64>) =
                group.iter().filter_map(|c| both(c)).map(|(m, p, _)| (m, p)).unzip();
            if ours.len() < 2 { None } else { statistics::kendall_tau_b(&ours, &theirs) }
        })
        .collect();
    let tau = (!taus.is_empty()).then(|| (taus.iter().sum::<f64>() / taus.len() as f64, taus.len()));
    Verdict::Compared { cells: with_deviation.len(), within, tau }
}
