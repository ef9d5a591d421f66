//! The numbers a paper prints.
use super::{
    catalog::Catalog,
    layout::Layout,
    names::{Names, unknown_name},
    numbers::{Header, Numbers, RawMetrics, at},
    source::Source,
    table::TableSpec,
};
use anyhow::{Context, Result};
use csv::StringRecord;
use indexmap::IndexMap;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReported {
    file: String,
    value: String,
    scale: Option<f64>,
    metric: Option<String>,
    #[serde(default)]
    also: IndexMap<String, String>,
    metrics: Option<RawMetrics>,
    #[serde(default)]
    columns: IndexMap<String, String>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    rename: IndexMap<String, IndexMap<String, String>>,
    #[serde(default)]
    only: IndexMap<String, Names>,
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
    /// Its rows.
    pub rows: Vec<ReportedRow>,
}

impl RawReported {
    /// Reads the CSV and checks its columns against the table's dimensions.
    pub(super) fn read(
        mut self,
        catalog: &Catalog,
        source: &Source,
        grid: &IndexMap<String, Vec<String>>,
        layout: &Layout,
    ) -> Result<Reported> {
        let path = catalog.folder().join("tables").join(&self.file);
        let shown = format!("configs/tables/{}", self.file);
        let mut reader = csv::Reader::from_path(&path)
            .map_err(|e| source.error_at(&at(&["file"]), format!("cannot read {shown}: {e}")))?;
        let header = reader.headers().with_context(|| format!("{shown}:1: no header"))?.clone();
        let header = Header { file: &shown, columns: header.iter().collect(), source, cells: &layout.cells };
        let numbers = self.numbers(&header)?;
        let dimensions: Vec<&str> = grid.keys().chain(layout.labels.keys()).map(String::as_str).collect();
        let labelled = self.labelled(&header, &numbers, &dimensions)?;

        let records: Vec<StringRecord> =
            reader.records().collect::<Result<_, _>>().with_context(|| format!("cannot read {shown}"))?;
        let is_dimension = |(i, _): &&(usize, String)| numbers.metric_column() != Some(*i);
        let of_dimensions: Vec<_> = labelled.iter().filter(is_dimension).cloned().collect();
        for (dimension, names) in &self.rename {
            check_names(&header, &of_dimensions, &records, ["rename", dimension], names.keys())?;
        }
        for (dimension, names) in &self.only {
            check_names(&header, &labelled, &records, ["only", dimension], &names.0)?;
        }
        let is_kept = |record: &&StringRecord| {
            let wanted = |(i, name): &(usize, String)| {
                self.only.get(name).is_none_or(|names| names.0.iter().any(|n| n == &record[*i]))
            };
            labelled.iter().all(wanted)
        };
        let row = |record: &StringRecord| {
            let line = record.position().map_or(0, |p| p.line());
            let label = |(i, dimension): &(usize, String)| {
                let theirs = record[*i].to_string();
                let ours = self.rename.get(dimension).and_then(|names| names.get(&theirs));
                (dimension.clone(), ours.cloned().unwrap_or(theirs))
            };
            let labels = of_dimensions.iter().map(label).collect();
            let values = numbers.of_row(record, &format!("{shown}:{line}"))?;
            Ok(ReportedRow { line, labels, values })
        };
        let rows = records.iter().filter(is_kept).map(row).collect::<Result<_>>()?;
        Ok(Reported { file: shown.clone(), rows })
    }

    /// Where the numbers stand.
    fn numbers(&mut self, header: &Header) -> Result<Numbers> {
        let Some(metrics) = self.metrics.take() else {
            let (metric, scale) = (self.metric.as_deref(), self.scale.unwrap_or(1.0));
            return Numbers::wide(header, &self.value, metric, scale, &self.also);
        };
        let wide = [
            ("metric", self.metric.is_some()),
            ("scale", self.scale.is_some()),
            ("also", !self.also.is_empty()),
        ];
        if let Some((key, _)) = wide.iter().find(|(_, is_there)| *is_there) {
            let message = "where `metrics` tells metrics and scales, this key has no meaning";
            return Err(header.source.error_at_key(&at(&[key]), message));
        }
        Numbers::long(header, &self.value, metrics)
    }

    /// Columns with labels, by number: the dimension of each, or its own name where it names the metric.
    fn labelled(
        &self,
        header: &Header,
        numbers: &Numbers,
        dimensions: &[&str],
    ) -> Result<Vec<(usize, String)>> {
        for column in self.columns.keys() {
            header.column(column, &["columns", column])?;
        }
        for column in &self.ignore {
            header.column(column, &["ignore"])?;
        }
        let mut labelled = Vec::new();
        for (i, c) in header.columns.iter().enumerate() {
            if numbers.metric_column() == Some(i) {
                labelled.push((i, c.to_string()));
            } else if !numbers.has(i) && !self.ignore.iter().any(|ignored| ignored == c) {
                let dimension = self.columns.get(*c).map_or(*c, String::as_str);
                if !dimensions.contains(&dimension) {
                    let message = format!(
                        "column `{c}` of {} is no dimension of the table ({}): name one under \
                         reported.columns, or list it under reported.ignore",
                        header.file,
                        dimensions.join(", ")
                    );
                    return Err(header.source.error_at(&at(&["file"]), message));
                }
                labelled.push((i, dimension.to_string()));
            }
        }
        Ok(labelled)
    }
}

/// The names that the spec gives for a dimension at `path` occur in the file; `labelled` are its columns' dimensions.
fn check_names<'a>(
    header: &Header,
    labelled: &[(usize, String)],
    records: &[StringRecord],
    path: [&str; 2],
    names: impl IntoIterator<Item = &'a String>,
) -> Result<()> {
    let (source, dimension) = (header.source, path[1]);
    let Some((i, _)) = labelled.iter().find(|(_, d)| d == dimension) else {
        let known = labelled.iter().map(|(_, d)| d.as_str());
        let message = unknown_name(&format!("dimension of {}", header.file), dimension, known);
        return Err(source.error_at_key(&at(&path), message));
    };
    let known: BTreeSet<&str> = records.iter().map(|r| &r[*i]).collect();
    match names.into_iter().find(|name| !known.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let message = unknown_name(&format!("{dimension} of {}", header.file), name, known);
            Err(source.error_at(&at(&path), message))
        }
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
        let fitting = self.rows.iter().filter(|r| r.matches(spec, coordinates));
        fitting.into_iter().find_map(|r| r.values.get(metric).copied())
    }
}

impl ReportedRow {
    /// Whether the row is about the cell at `coordinates`.
    pub fn matches(&self, spec: &TableSpec, coordinates: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(d, label)| coordinates.get(d).is_some_and(|v| spec.label(d, v) == label))
    }
}
