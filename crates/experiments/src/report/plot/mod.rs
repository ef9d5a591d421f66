//! The report as a picture: `layout.plot` of the table's spec, drawn as SVG, and as PNG from the same SVG.
mod axis;
mod canvas;
mod figure;
mod font;
mod marks;
mod page;
mod panel;
mod scatter;
mod style;
mod symbol;

use super::Report;
use crate::spec::Plot;
use anyhow::{Result, anyhow};
use figure::Figure;
use font::Font;
use scatter::Scatter;

/// The plot as SVG.
pub(super) fn svg(report: &Report) -> Result<String> {
    let spec = report.spec;
    let plot = spec.layout.plot.as_ref().ok_or_else(|| {
        anyhow!("{} says nothing about a plot: describe one under layout.plot", spec.source.file())
    })?;
    let font = Font::load()?;
    match plot {
        Plot::Values(plot) => page::draw(&Figure::new(report, plot), &font),
        Plot::Scatter { panels } => page::draw(&Scatter::new(report, panels)?, &font),
    }
}

/// The plot as PNG.
pub(super) fn png(report: &Report) -> Result<Vec<u8>> {
    font::rasterise(&svg(report)?)
}
