//! Comparisons: of the best with the second best, and with the paper.
use super::cells::Cell;
use crate::{
    metric::{self, Better, Metric},
    spec::{Baseline, TableSpec, Test},
};
use scenarec_train::metrics::statistics;
use std::collections::BTreeMap;

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
    /// Two-sided p; none where there are too few seeds.
    pub p: Option<f64>,
    /// By which test, and of how many seeds: "paired t-test, n = 3".
    pub how: String,
}

impl Significance {
    pub(super) fn line(&self, spec: &TableSpec) -> String {
        let group = heading(spec, &self.coordinates).map_or(String::new(), |names| format!(": {names}"));
        format!(
            "best{group}{}: {} before {}, {} ({})",
            if self.p.is_some_and(|p| p < 0.05) { " *" } else { "" },
            spec.label(&self.dimension, &self.best),
            spec.label(&self.dimension, &self.second),
            probability(self.p),
            self.how
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

/// Tests every group that has at least two cells with numbers, where the main metric is a score.
pub fn significance(spec: &TableSpec, cells: &[Cell]) -> Vec<Significance> {
    let metric = &spec.layout.cells[0];
    let Metric { is_score: true, better: Some(better), .. } = metric::of(metric) else { return Vec::new() };
    let dimension = compared(spec);
    let mut all = Vec::new();
    for (coordinates, group) in groups(spec, cells) {
        let mut ranked: Vec<(f64, &Cell)> =
            group.iter().filter_map(|c| Some((c.mean(metric)?, *c))).collect();
        ranked.sort_by(|a, b| match better {
            Better::Higher => b.0.total_cmp(&a.0),
            Better::Lower => a.0.total_cmp(&b.0),
        });
        let [(_, best), (_, second), ..] = ranked[..] else { continue };
        let (p, how) = tested(spec, best, second, metric);
        all.push(Significance {
            coordinates,
            dimension: dimension.clone(),
            best: best.coordinates[&dimension].clone(),
            second: second.coordinates[&dimension].clone(),
            p,
            how,
        });
    }
    all
}

/// Two-sided p of the layout's test of two cells, none for too few seeds, and the test's name with the number of seeds.
fn tested(spec: &TableSpec, a: &Cell, b: &Cell, metric: &str) -> (Option<f64>, String) {
    let (a, b) = (&a.values[metric].by_seed, &b.values[metric].by_seed);
    match spec.layout.test {
        Test::PairedT => {
            let (x, y): (Vec<f64>, Vec<f64>) = a.iter().filter_map(|(s, x)| Some((*x, *b.get(s)?))).unzip();
            (statistics::paired_t_test(&x, &y).map(|t| t.p), format!("paired t-test, n = {}", x.len()))
        }
        Test::MannWhitney => {
            let [x, y] = [a, b].map(|v| v.values().copied().collect::<Vec<f64>>());
            let p = statistics::mann_whitney(&x, &y).filter(|_| x.len() > 1 && y.len() > 1);
            (p, format!("Mann-Whitney U test, n = {} + {}", x.len(), y.len()))
        }
    }
}

/// Of every group, the entries that the layout tests against the best baseline: a line for each, for a reader.
pub fn against_baseline(spec: &TableSpec, cells: &[Cell]) -> Vec<String> {
    let Some(Baseline::BestOf { dimension, except, test }) = &spec.layout.baseline else { return Vec::new() };
    let metric = &spec.layout.cells[0];
    let rule = metric::of(metric);
    let mut lines = Vec::new();
    for (coordinates, group) in groups(spec, cells) {
        let sign = if rule.better == Some(Better::Lower) { -1.0 } else { 1.0 };
        let score = |c: &&Cell| c.mean(metric).map(|m| sign * m);
        let candidates = group.iter().copied().filter(|c| !except.contains(&c.coordinates[dimension]));
        let best = candidates
            .filter(|c| score(c).is_some())
            .max_by(|a, b| f64::total_cmp(&score(a).unwrap_or_default(), &score(b).unwrap_or_default()));
        let Some(best) = best else { continue };
        for own in group.iter().filter(|c| test.contains(&c.coordinates[dimension])) {
            let Some(difference) = own.mean(metric).zip(best.mean(metric)).map(|(a, b)| a - b) else {
                continue;
            };
            let (p, how) = tested(spec, own, best, metric);
            let star = if p.is_some_and(|p| p < 0.05) { " *" } else { "" };
            lines.push(format!(
                "{}{star}: {} against {}, the best baseline: {}, {} ({how})",
                heading(spec, &coordinates).unwrap_or_else(|| "test".into()),
                spec.label(dimension, &own.coordinates[dimension]),
                spec.label(dimension, &best.coordinates[dimension]),
                rule.signed(difference),
                probability(p),
            ));
        }
    }
    lines
}

/// Names of what a group's cells share, of dimensions with several values.
fn heading(spec: &TableSpec, coordinates: &BTreeMap<String, String>) -> Option<String> {
    let shared = coordinates.iter().filter(|(d, _)| spec.values(d).len() > 1);
    let names: Vec<&str> = shared.map(|(d, v)| spec.label(d, v)).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

fn probability(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 1e-4 => "p < 0.0001".into(),
        Some(p) => format!("p = {p:.4}"),
        None => "p —".into(),
    }
}

/// How near a table is to the paper.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The paper prints nothing, nothing is computed, or the main metric is no score.
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
    if !metric::of(metric).is_score || !cells.iter().any(|c| both(c).is_some()) {
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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            cells::{Status, Value},
            computed,
        },
        *,
    };
    use crate::spec::Catalog;

    /// A table whose cells are `metrics`, with a cell per method: a number of the first metric for every seed.
    fn table(metrics: &[&str], numbers: [(&str, [f64; 3]); 3]) -> (TableSpec, Vec<Cell>) {
        let configs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        let mut spec = TableSpec::load(&Catalog::open(&configs), "csdm-table1-100k").unwrap();
        spec.layout.cells = metrics.iter().map(|m| m.to_string()).collect();
        let cell = |(method, values): (&str, [f64; 3])| {
            let by_seed = values.into_iter().enumerate().map(|(i, v)| (i as u64, v)).collect();
            Cell {
                coordinates: BTreeMap::from([("method".into(), method.into())]),
                status: Status::Done,
                provenance: "real".into(),
                stale: false,
                values: BTreeMap::from([(metrics[0].into(), Value { by_seed, paper: Some(values[0]) })]),
            }
        };
        let mut cells: Vec<Cell> = numbers.into_iter().map(cell).collect();
        computed::add(&spec, &mut cells);
        (spec, cells)
    }

    const NUMBERS: [(&str, [f64; 3]); 3] =
        [("none", [0.2, 0.3, 0.4]), ("cvar", [0.6, 0.65, 0.55]), ("csdm", [0.15, 0.14, 0.16])];

    #[test]
    fn times_are_compared_by_their_ratio_only() {
        let (spec, cells) = table(&["wall_seconds", "ratio"], NUMBERS);
        let ratios: Vec<f64> = cells.iter().map(|c| c.mean("ratio").unwrap()).collect();
        assert!((ratios[0] - 1.0).abs() < 1e-12 && (ratios[1] - 2.0).abs() < 1e-12, "{ratios:?}");
        assert!((ratios[2] - 0.5).abs() < 1e-12 && cells[2].mean("rela_impr").is_none());
        assert_eq!(significance(&spec, &cells), []);
        assert_eq!(verdict(&spec, &cells), Verdict::Nothing);
    }

    #[test]
    fn the_best_baseline_of_times_is_the_fastest() {
        let (mut spec, mut cells) = table(&["wall_seconds", "ratio"], NUMBERS);
        let best_of =
            Baseline::BestOf { dimension: "method".into(), except: vec!["csdm".into()], test: vec![] };
        spec.layout.baseline = Some(best_of);
        computed::add(&spec, &mut cells);
        assert!((cells[1].mean("ratio").unwrap() - 2.0).abs() < 1e-12, "{:?}", cells[1].values);
    }

    #[test]
    fn the_best_log_loss_is_the_least() {
        let best = |metric| {
            let (spec, cells) = table(&[metric], NUMBERS);
            let [s] = &significance(&spec, &cells)[..] else { panic!("one group") };
            assert!(matches!(verdict(&spec, &cells), Verdict::Compared { cells: 3, .. }));
            (s.best.clone(), s.second.clone())
        };
        assert_eq!(best("logloss"), ("csdm".into(), "none".into()));
        assert_eq!(best("auc"), ("cvar".into(), "none".into()));
    }

    #[test]
    fn a_group_without_a_name_of_its_own_has_none_in_its_line() {
        let (spec, cells) = table(&["auc"], NUMBERS);
        let [s] = &significance(&spec, &cells)[..] else { panic!("one group") };
        assert!(s.line(&spec).starts_with("best: CVAR before Base, p = "), "{}", s.line(&spec));
        let coordinates = BTreeMap::from([("phase".to_string(), "cold".to_string())]);
        let s = Significance { coordinates, ..s.clone() };
        assert!(s.line(&spec).starts_with("best: Cold: CVAR before Base"), "{}", s.line(&spec));
    }

    #[test]
    fn entries_are_tested_against_the_best_baseline() {
        for (metric, line) in [
            ("auc", "test: CVAR against Base, the best baseline: +0.3000, p = 0.0591 (paired t-test, n = 3)"),
            (
                "logloss",
                "test: CVAR against CSDM, the best baseline: +0.4500, p = 0.0059 (paired t-test, n = 3)",
            ),
        ] {
            let (mut spec, cells) = table(&[metric], NUMBERS);
            let cvar = || vec!["cvar".to_string()];
            spec.layout.baseline =
                Some(Baseline::BestOf { dimension: "method".into(), except: cvar(), test: cvar() });
            let lines = against_baseline(&spec, &cells);
            assert_eq!(lines.len(), 1, "{lines:?}");
            let (star, plain) = (lines[0].contains(" *: "), lines[0].replace(" *: ", ": "));
            assert_eq!((plain.as_str(), star), (line, metric == "logloss"));
        }
    }
}
