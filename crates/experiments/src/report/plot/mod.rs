//! The report as a picture: `layout.plot` of the table's spec, drawn as SVG, and as PNG from the same SVG.
mod axis;
mod canvas;
mod curves;
mod figure;
mod font;
mod marks;
mod page;
mod panel;
mod scatter;
mod style;
mod symbol;

use super::{Report, compare::compared};
use crate::{
    metric,
    spec::{MOST_SERIES, Plot, PlotKind, Scale, ValuePlot, YFrom},
};
use anyhow::{Result, anyhow};
use figure::Figure;
use font::Font;
use scatter::Scatter;

/// Paper, ink, what is said beside, and grid, as they stand in the SVG.
pub(super) const GREYS: [&str; 4] = ["#FFFFFF", "#222222", "#666666", "#E1E1E1"];

/// The plot as SVG.
pub(super) fn svg(report: &Report) -> Result<String> {
    let spec = report.spec;
    let plot = spec.layout.plot.as_ref().ok_or_else(|| {
        anyhow!("{} says nothing about a plot: describe one under layout.plot", spec.source.file())
    })?;
    drawn(report, plot)
}

/// The table's plot; where its spec describes none, bars of the first metric. None where that is nothing to draw.
pub(super) fn svg_or_bars(report: &Report) -> Result<Option<String>> {
    let plot = report.spec.layout.plot.clone().or_else(|| bars(report));
    plot.map(|plot| drawn(report, &plot)).transpose()
}

/// The learning curves of the table's trainings of more than one epoch; none where there are none.
pub(super) fn learning_curves(report: &Report) -> Result<Option<String>> {
    let Some(figure) = curves::figure(report)? else { return Ok(None) };
    page::draw(&figure, &Font::load()?).map(Some)
}

fn drawn(report: &Report, plot: &Plot) -> Result<String> {
    let font = Font::load()?;
    match plot {
        Plot::Values(plot) => page::draw(&Figure::new(report, plot), &font),
        Plot::Scatter { panels } => page::draw(&Scatter::new(report, panels)?, &font),
    }
}

/// A bar for every cell, with a panel for each value of all dimensions but two.
fn bars(report: &Report) -> Option<Plot> {
    let layout = &report.spec.layout;
    let y = layout.cells[0].clone();
    metric::of(&y).measure.filter(|_| metric::of(&y).is_score)?;
    let line = compared(report.spec);
    let of_colours = report.spec.values(&line).len() <= MOST_SERIES;
    let column = layout.columns.last().filter(|column| of_colours && **column != line).cloned();
    let (x, series) = match column {
        Some(column) => (column, Some(line)),
        None => (line, None),
    };
    let all = layout.rows.iter().chain(&layout.columns);
    let panels = all.filter(|d| **d != x && series.as_ref() != Some(d)).cloned().collect();
    Some(Plot::Values(ValuePlot {
        kind: PlotKind::Bars,
        x,
        series,
        panels,
        y,
        scale_x: Scale::Linear,
        y_from: YFrom::Data,
        numeric: false,
    }))
}

/// The plot as PNG.
pub(super) fn png(report: &Report) -> Result<Vec<u8>> {
    font::rasterise(&svg(report)?)
}
