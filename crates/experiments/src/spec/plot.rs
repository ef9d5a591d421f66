//! How a table is plotted.
use super::{
    source::{KeyPath, Source, keys},
    unknown_name,
};
use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;

/// Series that can be told apart: eight colours, and a light shade of each.
pub const MOST_SERIES: usize = 16;

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlot {
    kind: RawKind,
    x: Option<String>,
    series: Option<String>,
    #[serde(default)]
    panels: Vec<String>,
    y: Option<String>,
    scale_x: Option<Scale>,
    y_from: Option<YFrom>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawKind {
    Bars,
    Lines,
    Scatter,
}

/// What marks the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub enum Plot {
    /// Of the cells' values.
    Values(ValuePlot),
    /// Of the points that runs made, which name panels and series themselves.
    Scatter {
        /// Dimensions of the grid with panels of their own for every value.
        panels: Vec<String>,
    },
}

/// A plot of the cells' values.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuePlot {
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
    /// Checks names against the grid, all `dimensions` (name -> values) and the metrics of the table's cells.
    pub(super) fn check(
        self,
        source: &Source,
        grid: &IndexMap<String, Vec<String>>,
        dimensions: &IndexMap<String, Vec<String>>,
        cells: &[String],
    ) -> Result<Plot> {
        let kind = match self.kind {
            RawKind::Bars => PlotKind::Bars,
            RawKind::Lines => PlotKind::Lines,
            RawKind::Scatter => return self.check_scatter(source, grid),
        };
        if self.x.is_none() {
            return Err(source.error_at(&path(&[]), "missing field `x`"));
        }
        self.check_placed(source, dimensions)?;
        self.check_values(kind, source, dimensions, cells).map(Plot::Values)
    }

    /// Points have panels and series of their own: only dimensions of the grid are placed, as panels.
    fn check_scatter(self, source: &Source, grid: &IndexMap<String, Vec<String>>) -> Result<Plot> {
        let of_values = [
            ("x", self.x.is_some()),
            ("series", self.series.is_some()),
            ("y", self.y.is_some()),
            ("scale_x", self.scale_x.is_some()),
            ("y_from", self.y_from.is_some()),
        ];
        if let Some((key, _)) = of_values.iter().find(|(_, is_there)| *is_there) {
            let message = "the points tell it themselves: a scatter plot has `panels` only";
            return Err(source.error_at_key(&path(&[key]), message));
        }
        self.check_placed(source, grid)?;
        Ok(Plot::Scatter { panels: self.panels })
    }

    /// Every dimension with several values is in one place.
    fn check_placed(&self, source: &Source, dimensions: &IndexMap<String, Vec<String>>) -> Result<()> {
        let mut placed: Vec<(Vec<String>, &String)> = Vec::new();
        placed.extend(self.x.iter().map(|x| (path(&["x"]), x)));
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
            let places = match self.kind {
                RawKind::Scatter => "not in panels",
                RawKind::Bars | RawKind::Lines => "none of x, series and panels",
            };
            let message = format!("the dimension `{name}` has several values but is {places}");
            return Err(source.error_at_key(&path(&[]), message));
        }
        Ok(())
    }

    fn check_values(
        self,
        kind: PlotKind,
        source: &Source,
        dimensions: &IndexMap<String, Vec<String>>,
        cells: &[String],
    ) -> Result<ValuePlot> {
        let x = self.x.expect("checked: values have a place");
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
        let values = &dimensions[&x];
        let is_number = |v: &String| v.parse::<f64>().is_ok_and(f64::is_finite);
        let numeric = kind == PlotKind::Lines && values.iter().all(is_number);
        let scale_x = self.scale_x.unwrap_or_default();
        if scale_x == Scale::Log {
            if kind == PlotKind::Bars {
                return Err(source.error_at(&path(&["scale_x"]), "bars stand at equal distances"));
            }
            if let Some(v) = values.iter().find(|v| v.parse::<f64>().is_ok_and(|n| n <= 0.0) || !is_number(v))
            {
                let message = format!("`{v}` of the dimension `{}` has no logarithm", x);
                return Err(source.error_at(&path(&["scale_x"]), message));
            }
        }
        let y_from = self.y_from.unwrap_or(match kind {
            PlotKind::Bars => YFrom::Zero,
            PlotKind::Lines => YFrom::Data,
        });
        Ok(ValuePlot { kind, x, series: self.series, panels: self.panels, y, scale_x, y_from, numeric })
    }
}

/// A path below `layout.plot`.
fn path(below: &[&str]) -> KeyPath {
    keys(&[&["layout", "plot"], below].concat())
}
