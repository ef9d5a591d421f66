//! How a table is plotted.
use super::{source::Source, unknown_name};
use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;

/// Series that can be told apart: eight colours, and a light shade of each.
pub const MOST_SERIES: usize = 16;

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlot {
    kind: PlotKind,
    x: String,
    series: Option<String>,
    #[serde(default)]
    panels: Vec<String>,
    y: Option<String>,
    #[serde(default)]
    scale_x: Scale,
    y_from: Option<YFrom>,
}

/// What marks the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlotKind {
    /// A group of bars per value of x.
    Bars,
    /// A line per series.
    Lines,
}

/// Distances on the x axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// As the numbers'.
    #[default]
    Linear,
    /// As their logarithms'.
    Log,
}

/// Where the y axis begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YFrom {
    /// At zero.
    Zero,
    /// Near the smallest value.
    Data,
}

/// A checked plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What marks the values.
    pub kind: PlotKind,
    /// The dimension along the x axis.
    pub x: String,
    /// The dimension with a colour per value.
    pub series: Option<String>,
    /// Dimensions with a panel per value.
    pub panels: Vec<String>,
    /// The metric.
    pub y: String,
    /// Distances on the x axis.
    pub scale_x: Scale,
    /// Where the y axis begins.
    pub y_from: YFrom,
    /// Whether the names of x's values are numbers, which lines are then drawn over; else they are categories.
    pub numeric: bool,
}

impl RawPlot {
    /// Checks names against `dimensions` (name -> values) and the metrics of the table's cells.
    pub(super) fn check(
        self,
        source: &Source,
        dimensions: &IndexMap<String, Vec<String>>,
        cells: &[String],
    ) -> Result<Plot> {
        let path = |keys: &[&str]| -> Vec<String> {
            ["layout", "plot"].iter().chain(keys).map(|s| s.to_string()).collect()
        };
        let mut placed: Vec<(Vec<String>, &String)> = vec![(path(&["x"]), &self.x)];
        placed.extend(self.series.iter().map(|s| (path(&["series"]), s)));
        placed.extend(self.panels.iter().enumerate().map(|(i, p)| (path(&["panels", &i.to_string()]), p)));
        for (i, (at, name)) in placed.iter().enumerate() {
            if !dimensions.contains_key(*name) {
                let known = dimensions.keys().map(String::as_str);
                return Err(source.error_at(at, unknown_name("dimension", name, known)));
            }
            if placed[..i].iter().any(|(_, other)| other == name) {
                return Err(source.error_at(at, format!("the dimension `{name}` is already placed")));
            }
        }
        let is_placed = |n: &String| placed.iter().any(|(_, p)| *p == n);
        if let Some((name, _)) = dimensions.iter().find(|(n, values)| values.len() > 1 && !is_placed(n)) {
            let message =
                format!("the dimension `{name}` has several values but is none of x, series and panels");
            return Err(source.error_at_key(&path(&[]), message));
        }
        if let Some(series) = &self.series
            && dimensions[series].len() > MOST_SERIES
        {
            let message = format!("more than {MOST_SERIES} series cannot be told apart");
            return Err(source.error_at(&path(&["series"]), message));
        }
        let y = self.y.unwrap_or_else(|| cells[0].clone());
        if !cells.contains(&y) {
            let message = unknown_name("metric of layout.cells", &y, cells.iter().map(String::as_str));
            return Err(source.error_at(&path(&["y"]), message));
        }
        let values = &dimensions[&self.x];
        let is_number = |v: &String| v.parse::<f64>().is_ok_and(f64::is_finite);
        let numeric = self.kind == PlotKind::Lines && values.iter().all(is_number);
        if self.scale_x == Scale::Log {
            if self.kind == PlotKind::Bars {
                return Err(source.error_at(&path(&["scale_x"]), "bars stand at equal distances"));
            }
            if let Some(v) = values.iter().find(|v| v.parse::<f64>().is_ok_and(|n| n <= 0.0) || !is_number(v))
            {
                let message = format!("`{v}` of the dimension `{}` has no logarithm", self.x);
                return Err(source.error_at(&path(&["scale_x"]), message));
            }
        }
        let y_from = self.y_from.unwrap_or(match self.kind {
            PlotKind::Bars => YFrom::Zero,
            PlotKind::Lines => YFrom::Data,
        });
        Ok(Plot {
            kind: self.kind,
            x: self.x,
            series: self.series,
            panels: self.panels,
            y,
            scale_x: self.scale_x,
            y_from,
            numeric,
        })
    }
}
