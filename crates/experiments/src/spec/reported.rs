//! The numbers a paper prints.
use super::{
    catalog::Catalog,
    layout::Layout,
    names::{Names, unknown_name},
    source::Source,
    table::TableSpec,
};
use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReported {
    file: String,
    value: String,
    #[serde(default = "one")]
    scale: f64,
    metric: Option<String>,
    #[serde(default)]
    also: IndexMap<String, String>,
    #[serde(default)]
    columns: IndexMap<String, String>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    only: IndexMap<String, Names>,
}

fn one() -> f64 {
    1.0
}

/// A row of the CSV.
#[derive(Clone, Debug)]
pub struct ReportedRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// Dimension -> the paper's name of its value.
    pub labels: BTreeMap<String, String>,
    /// Metric -> number, in our unit.
    pub values: BTreeMap<String, f64>,
}

/// The CSV.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The file, as shown to the user.
    pub file: String,
    /// The main metric.
    pub metric: String,
    /// Its rows.
    pub rows: Vec<ReportedRow>,
}

impl RawReported {
    /// Reads the CSV and checks its columns against the table's dimensions.
    pub(super) fn read(
        self,
        catalog: &Catalog,
        source: &Source,
        grid: &IndexMap<String, Vec<String>>,
        layout: &Layout,
    ) -> Result<Reported> {
        let at = |keys: &[&str]| -> Vec<String> {
            ["reported"].iter().chain(keys).map(|s| s.to_string()).collect()
        };
        let path = catalog.folder().join("tables").join(&self.file);
        let shown = format!("configs/tables/{}", self.file);
        let mut reader = csv::Reader::from_path(&path)
            .map_err(|e| source.error_at(&at(&["file"]), format!("cannot read {shown}: {e}")))?;
        let header = reader.headers().with_context(|| format!("{shown}:1: no header"))?.clone();
        let columns: Vec<&str> = header.iter().collect();
        let metric = self.metric.unwrap_or_else(|| layout.cells[0].clone());
        let mut numbers = vec![(metric.clone(), self.value.clone(), self.scale)];
        numbers.extend(self.also.iter().map(|(m, c)| (m.clone(), c.clone(), 1.0)));
        for (i, (metric, column, _)) in numbers.iter().enumerate() {
            let here = if i == 0 { at(&["value"]) } else { at(&["also", metric]) };
            if !columns.contains(&column.as_str()) {
                let message = unknown_name(&format!("column of {shown}"), column, columns.iter().copied());
                return Err(source.error_at(&here, message));
            }
        }
        for column in self.columns.keys().chain(&self.ignore) {
            if !columns.contains(&column.as_str()) {
                let message = unknown_name(&format!("column of {shown}"), column, columns.iter().copied());
                return Err(source.error_at(&at(&["columns", column]), message));
            }
        }
        let dimensions: Vec<&str> = grid.keys().chain(layout.labels.keys()).map(String::as_str).collect();
        let mut of_column: Vec<Option<String>> = Vec::new();
        for c in &columns {
            if numbers.iter().any(|(_, n, _)| n == c) || self.ignore.iter().any(|i| i == c) {
                of_column.push(None);
                continue;
            }
            let dimension = self.columns.get(*c).map_or(*c, String::as_str);
            if !dimensions.contains(&dimension) {
                let message = format!(
                    "column `{c}` of {shown} is no dimension of the table ({}): name one under \
                     reported.columns, or list it under reported.ignore",
                    dimensions.join(", ")
                );
                return Err(source.error_at(&at(&["file"]), message));
            }
            of_column.push(Some(dimension.to_string()));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.with_context(|| format!("cannot read {shown}"))?;
            let line = record.position().map_or(0, |p| p.line());
            let mut row = ReportedRow { line, labels: BTreeMap::new(), values: BTreeMap::new() };
            for (field, dimension) in record.iter().zip(&of_column) {
                if let Some(d) = dimension {
                    row.labels.insert(d.clone(), field.to_string());
                }
            }
            for (metric, column, scale) in &numbers {
                let i = columns.iter().position(|c| c == column).expect("checked above");
                if record[i].is_empty() {
                    continue;
                }
                let value: f64 = record[i].parse().with_context(|| {
                    format!("{shown}:{line}: column {}: expected a number, found {:?}", i + 1, &record[i])
                })?;
                row.values.insert(metric.clone(), value * scale);
            }
            rows.push(row);
        }
        for (dimension, wanted) in &self.only {
            let known: BTreeSet<&str> =
                rows.iter().filter_map(|r| r.labels.get(dimension)).map(String::as_str).collect();
            if let Some(name) = wanted.0.iter().find(|name| !known.contains(name.as_str())) {
                let message = unknown_name(&format!("{dimension} of {shown}"), name, known);
                return Err(source.error_at(&at(&["only", dimension]), message));
            }
        }
        rows.retain(|r: &ReportedRow| self.only.iter().all(|(d, wanted)| wanted.0.contains(&r.labels[d])));
        Ok(Reported { file: shown, metric, rows })
    }
}

impl Reported {
    /// The paper's number for the cell at `coordinates` (dimension -> value), if it prints one.
    pub fn value(
        &self,
        spec: &TableSpec,
        coordinates: &BTreeMap<String, String>,
        metric: &str,
    ) -> Option<f64> {
        self.rows.iter().find(|r| r.matches(spec, coordinates))?.values.get(metric).copied()
    }
}

impl ReportedRow {
    /// Whether the row is about the cell at `coordinates`.
    pub fn matches(&self, spec: &TableSpec, coordinates: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(d, label)| coordinates.get(d).is_some_and(|v| spec.label(d, v) == label))
    }
}
