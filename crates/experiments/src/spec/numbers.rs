//! Which of our metrics the numbers of a paper's CSV are.
use super::{
    names::unknown_name,
    source::{KeyPath, Source, keys},
};
use anyhow::{Result, bail};
use csv::StringRecord;
use indexmap::IndexMap;
use serde::Deserialize;
use std::collections::BTreeMap;

/// As written: a file whose every row has one number, and says of which metric.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetrics {
    column: String,
    values: IndexMap<String, RawMetric>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetric {
    metric: String,
    #[serde(default = "one")]
    scale: f64,
}

fn one() -> f64 {
    1.0
}

/// A CSV's columns.
pub(super) struct Header<'a> {
    /// The file, as shown to the user.
    pub file: &'a str,
    /// Names of its columns.
    pub columns: Vec<&'a str>,
    /// The table's spec.
    pub source: &'a Source,
    /// Metrics of the table's cells.
    pub cells: &'a [String],
}

impl Header<'_> {
    /// The column called `name`, as the spec says at `path`.
    pub fn column(&self, name: &str, path: &[&str]) -> Result<usize> {
        self.columns.iter().position(|c| *c == name).ok_or_else(|| {
            let kind = format!("column of {}", self.file);
            self.source.error_at(&at(path), unknown_name(&kind, name, self.columns.iter().copied()))
        })
    }

    fn check_metric(&self, metric: &str, path: &[&str]) -> Result<()> {
        if self.cells.iter().any(|c| c == metric) {
            return Ok(());
        }
        let known = self.cells.iter().map(String::as_str);
        Err(self.source.error_at(&at(path), unknown_name("metric of layout.cells", metric, known)))
    }
}

/// A path below `reported`.
pub(super) fn at(path: &[&str]) -> KeyPath {
    keys(&[&["reported"], path].concat())
}

/// A metric of ours, and what a number is multiplied by to be in its unit.
pub(super) struct Unit {
    metric: String,
    scale: f64,
}

/// Where a row's numbers stand.
pub(super) enum Numbers {
    /// Each in a column of its own; a row has one at least.
    Wide(Vec<(usize, Unit)>),
    /// One in the column `value`, of the metric that the column `metric` names.
    Long { value: usize, metric: usize, units: IndexMap<String, Unit> },
}

impl Numbers {
    /// The main metric's column, and those of `also`.
    pub fn wide(
        header: &Header,
        value: &str,
        metric: Option<&str>,
        scale: f64,
        also: &IndexMap<String, String>,
    ) -> Result<Self> {
        let main = metric.unwrap_or(&header.cells[0]);
        header.check_metric(main, &["metric"])?;
        let unit = |metric: &str, scale| Unit { metric: metric.into(), scale };
        let mut all = vec![(header.column(value, &["value"])?, unit(main, scale))];
        for (metric, column) in also {
            header.check_metric(metric, &["also", metric])?;
            all.push((header.column(column, &["also", metric])?, unit(metric, 1.0)));
        }
        Ok(Self::Wide(all))
    }

    /// The column with all numbers, and the one that says of which metric.
    pub fn long(header: &Header, value: &str, metrics: RawMetrics) -> Result<Self> {
        let mut units = IndexMap::new();
        for (theirs, RawMetric { metric, scale }) in metrics.values {
            header.check_metric(&metric, &["metrics", "values", &theirs, "metric"])?;
            units.insert(theirs, Unit { metric, scale });
        }
        Ok(Self::Long {
            value: header.column(value, &["value"])?,
            metric: header.column(&metrics.column, &["metrics", "column"])?,
            units,
        })
    }

    /// Whether a column belongs to the numbers.
    pub fn has(&self, column: usize) -> bool {
        match self {
            Self::Wide(all) => all.iter().any(|(c, _)| *c == column),
            Self::Long { value, metric, .. } => [value, metric].contains(&&column),
        }
    }

    /// The column that names a row's metric, if there is one.
    pub fn metric_column(&self) -> Option<usize> {
        match self {
            Self::Wide(_) => None,
            Self::Long { metric, .. } => Some(*metric),
        }
    }

    /// Metric -> number of a row, which is called `place`.
    pub fn of_row(&self, record: &StringRecord, place: &str) -> Result<BTreeMap<String, f64>> {
        let number = |column: usize, unit: &Unit| match record[column].parse::<f64>() {
            Ok(n) => Ok((unit.metric.clone(), n * unit.scale)),
            Err(_) => {
                bail!("{place}: column {}: expected a number, found {:?}", column + 1, &record[column])
            }
        };
        match self {
            Self::Wide(all) => {
                let printed = all.iter().filter(|(c, _)| !record[*c].is_empty());
                // Where there is none the first column is the one that lacks it.
                let none = all.iter().take(usize::from(printed.clone().next().is_none()));
                printed.chain(none).map(|(c, unit)| number(*c, unit)).collect()
            }
            Self::Long { value, metric, units } => {
                let Some(unit) = units.get(&record[*metric]) else {
                    let known = units.keys().map(String::as_str);
                    let message = unknown_name("metric of reported.metrics", &record[*metric], known);
                    bail!("{place}: column {}: {message}", metric + 1);
                };
                Ok(BTreeMap::from([number(*value, unit)?]))
            }
        }
    }
}
