//! How a table's cells are laid out.
use super::{
    plot::{Plot, RawPlot},
    source::Source,
    without::{RawWithout, Without},
};
use crate::metric::{self, METRICS};
use anyhow::Result;
use indexmap::IndexMap;
use scenarec_train::Measure;
use serde::Deserialize;

/// Dimensions that runs record with their measures; a run has cells for several of their values.
pub const RECORDED: [&str; 4] = ["phase", "scenario", "task", "stage"];

/// A measure's value of a recorded dimension.
pub fn recorded_value<'a>(measure: &'a Measure, dimension: &str) -> &'a str {
    match dimension {
        "phase" => &measure.phase,
        "scenario" => &measure.scenario,
        "task" => &measure.task,
        _ => &measure.stage,
    }
}

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLayout {
    rows: Vec<String>,
    #[serde(default)]
    columns: Vec<String>,
    cells: Vec<String>,
    baseline: Option<IndexMap<String, serde_yaml::Value>>,
    #[serde(default)]
    test: Test,
    #[serde(default)]
    labels: IndexMap<String, IndexMap<String, String>>,
    #[serde(default, rename = "where")]
    filter: IndexMap<String, String>,
    #[serde(default)]
    without: RawWithout,
    plot: Option<RawPlot>,
}

/// How two entries are compared over their seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The paired t-test: of the seeds that both have.
    #[default]
    PairedT,
    /// The Mann-Whitney U test: of all seeds that either has.
    MannWhitney,
}

/// What RelaImpr and ratios are relative to.
#[derive(Clone, Debug, PartialEq)]
pub enum Baseline {
    /// The entry `name` of `dimension`.
    Entry {
        /// The dimension that is compared.
        dimension: String,
        /// The entry.
        name: String,
    },
    /// The best of the dimension's entries but the exceptions, cell by cell.
    BestOf {
        /// The dimension that is compared.
        dimension: String,
        /// Entries that do not count.
        except: Vec<String>,
        /// Those of them that are tested against the best.
        test: Vec<String>,
    },
}

impl Baseline {
    /// The dimension that is compared.
    pub fn dimension(&self) -> &str {
        match self {
            Baseline::Entry { dimension, .. } | Baseline::BestOf { dimension, .. } => dimension,
        }
    }
}

/// A checked layout.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Dimensions of the lines: the last one labels them, the others head groups of lines.
    pub rows: Vec<String>,
    /// Dimensions of the columns; without one, every metric has a column.
    pub columns: Vec<String>,
    /// Metrics shown, the main one first.
    pub cells: Vec<String>,
    /// What RelaImpr and ratios are relative to.
    pub baseline: Option<Baseline>,
    /// How entries are compared.
    pub test: Test,
    /// Recorded dimensions: their values in order, with the paper's names.
    pub labels: IndexMap<String, IndexMap<String, String>>,
    /// Values that measures must have to count.
    pub filter: IndexMap<String, String>,
    /// Combinations of values, of the grid's dimensions and of recorded ones, that have no cell.
    pub without: Without,
    /// How it is plotted, if it is.
    pub plot: Option<Plot>,
}

impl RawLayout {
    /// Checks names against the grid: `(dimension, its entries)`.
    pub(super) fn check(self, source: &Source, grid: &IndexMap<String, Vec<String>>) -> Result<Layout> {
        let path =
            |keys: &[&str]| -> Vec<String> { ["layout"].iter().chain(keys).map(|s| s.to_string()).collect() };
        for (i, name) in self.labels.keys().chain(self.filter.keys()).enumerate() {
            let section = if i < self.labels.len() { "labels" } else { "where" };
            if !RECORDED.contains(&name.as_str()) {
                let message = super::unknown_name("recorded dimension", name, RECORDED);
                return Err(source.error_at_key(&path(&[section, name]), message));
            }
        }
        let known: Vec<&str> = grid.keys().chain(self.labels.keys()).map(String::as_str).collect();
        for (section, names) in [("rows", &self.rows), ("columns", &self.columns)] {
            for (i, name) in names.iter().enumerate() {
                if !known.contains(&name.as_str()) {
                    let message = super::unknown_name("dimension", name, known.iter().copied());
                    return Err(source.error_at(&path(&[section, &i.to_string()]), message));
                }
            }
        }
        if self.rows.is_empty() {
            return Err(source.error_at(&path(&["rows"]), "a table needs at least one dimension of rows"));
        }
        if self.cells.is_empty() {
            return Err(source.error_at(&path(&["cells"]), "a table needs at least one metric"));
        }
        let placed = |n: &String| self.rows.contains(n) || self.columns.contains(n);
        let several = grid.iter().filter(|(_, e)| e.len() > 1).map(|(n, _)| n).chain(self.labels.keys());
        if let Some(name) = several.into_iter().find(|n| !placed(n)) {
            let message =
                format!("the dimension `{name}` has several values but is in neither rows nor columns");
            return Err(source.error_at_key(&path(&[]), message));
        }
        let baseline = match &self.baseline {
            None => None,
            Some(b) => Some(check_baseline(b, source, grid)?),
        };
        check_cells(&self.cells, baseline.as_ref(), source)?;
        let mut dimensions = grid.clone();
        let recorded = |(name, labels): (&String, &IndexMap<String, String>)| {
            (name.clone(), labels.keys().cloned().collect())
        };
        dimensions.extend(self.labels.iter().map(recorded));
        let without = Without::check(self.without, source, &dimensions)?;
        let plot = match self.plot {
            None => None,
            Some(p) => Some(p.check(source, grid, &dimensions, &self.cells)?),
        };
        Ok(Layout {
            rows: self.rows,
            columns: self.columns,
            cells: self.cells,
            baseline,
            test: self.test,
            labels: self.labels,
            filter: self.filter,
            without,
            plot,
        })
    }
}

/// Metrics are known; those that are computed have what they are computed from.
fn check_cells(cells: &[String], baseline: Option<&Baseline>, source: &Source) -> Result<()> {
    for (i, name) in cells.iter().enumerate() {
        let error = |message: String| {
            Err(source.error_at(&["layout".into(), "cells".into(), i.to_string()], message))
        };
        let Some(metric) = metric::find(name) else {
            return error(super::unknown_name("metric", name, METRICS.iter().map(|m| m.name)));
        };
        if metric.measure.is_some() {
            continue;
        }
        if i == 0 {
            return error(format!("{name} is computed from another metric, which comes first"));
        }
        if baseline.is_none() {
            return error(format!("{name} needs layout.baseline"));
        }
        if name == "rela_impr" && !cells.iter().any(|c| c == "auc") {
            return error("rela_impr needs auc among the cells".into());
        }
        let best_of = matches!(baseline, Some(Baseline::BestOf { .. }));
        if name == "ratio" && best_of && metric::of(&cells[0]).better.is_none() {
            return error(format!("no value of {} is the best: name one entry as the baseline", cells[0]));
        }
    }
    Ok(())
}

/// `{ method: none }` or `{ best_of: method, except: [csdm], test: [csdm] }`.
fn check_baseline(
    written: &IndexMap<String, serde_yaml::Value>,
    source: &Source,
    grid: &IndexMap<String, Vec<String>>,
) -> Result<Baseline> {
    let path = |keys: &[&str]| -> Vec<String> {
        ["layout", "baseline"].iter().chain(keys).map(|s| s.to_string()).collect()
    };
    let entries = |dimension: &str, keys: &[&str]| match grid.get(dimension) {
        Some(entries) => Ok(entries),
        None => {
            let message = super::unknown_name("dimension", dimension, grid.keys().map(String::as_str));
            Err(source.error_at(&path(keys), message))
        }
    };
    if let Some(dimension) = written.get("best_of") {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct BestOf {
            best_of: String,
            #[serde(default)]
            except: Vec<String>,
            #[serde(default)]
            test: Vec<String>,
        }
        let map = serde_yaml::to_value(written)?;
        let BestOf { best_of, except, test } = serde_yaml::from_value(map)
            .map_err(|e| source.error_at(&path(&[]), format!("{e}, near {dimension:?}")))?;
        let known = entries(&best_of, &["best_of"])?;
        if let Some((i, e)) = except.iter().enumerate().find(|(_, e)| !known.contains(e)) {
            let message = super::unknown_name(&best_of, e, known.iter().map(String::as_str));
            return Err(source.error_at(&path(&["except", &i.to_string()]), message));
        }
        if let Some((i, e)) = test.iter().enumerate().find(|(_, e)| !except.contains(e)) {
            let message = super::unknown_name("exception", e, except.iter().map(String::as_str));
            return Err(source.error_at(&path(&["test", &i.to_string()]), message));
        }
        return Ok(Baseline::BestOf { dimension: best_of, except, test });
    }
    let mut pairs = written.iter();
    match (pairs.next(), pairs.next()) {
        (Some((dimension, serde_yaml::Value::String(name))), None) => {
            let known = entries(dimension, &[dimension])?;
            if !known.contains(name) {
                let message = super::unknown_name(dimension, name, known.iter().map(String::as_str));
                return Err(source.error_at(&path(&[dimension]), message));
            }
            Ok(Baseline::Entry { dimension: dimension.clone(), name: name.clone() })
        }
        _ => Err(source.error_at(&path(&[]), "expected { DIMENSION: ENTRY } or { best_of: DIMENSION }")),
    }
}
