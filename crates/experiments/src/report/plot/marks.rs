//! Bars, lines, and what stands where a value is missing.
use super::{
    canvas::{Align, Canvas, Point},
    figure::{Figure, Mark, Panel},
    panel::Scales,
    style::{GREY, INK, WHITE, colour, diamond, error_bar, point},
};
use crate::spec::PlotKind;
use anyhow::Result;

/// Bars are between so many pixels wide.
const BAR: (f64, f64) = (6.0, 28.0);
/// Share of a place on the x axis that its bars take.
const FILLED: f64 = 0.84;
/// Width of a plot of lines, in pixels.
const LINES: (f64, f64) = (240.0, 420.0);
/// Text in a gap, in pixels.
const GAP_TEXT: f64 = 8.0;

/// The least and the largest width of a plot whose labels on the x axis need `label` each.
pub(super) fn widths(figure: &Figure, label: f64) -> (f64, f64) {
    let places = figure.panels.iter().map(|p| p.xs.len()).max().unwrap_or_default();
    let labels = label * places as f64;
    match figure.kind {
        PlotKind::Bars => {
            let bars = (places * figure.series.len()) as f64 / FILLED;
            ((bars * BAR.0).max(labels), (bars * BAR.1).max(labels))
        }
        PlotKind::Lines => {
            let mut xs = figure.panels.iter().flat_map(|p| p.xs.iter().enumerate());
            let numbers = xs.any(|(i, x)| x.position != i as f64);
            let least = if numbers { LINES.0 } else { LINES.0.max(labels) };
            (least, LINES.1.max(least))
        }
    }
}

/// What of a panel's x axis is shown.
pub(super) fn span(figure: &Figure, panel: &Panel) -> (f64, f64) {
    let positions = || panel.xs.iter().map(|x| x.position);
    let (low, high) =
        (positions().fold(f64::INFINITY, f64::min), positions().fold(f64::NEG_INFINITY, f64::max));
    let room = match figure.kind {
        PlotKind::Lines if high > low => (high - low) * 0.08,
        _ => 0.5,
    };
    (low - room, high + room)
}

/// Draws a panel's values.
pub(super) fn draw(canvas: &Canvas, figure: &Figure, panel: &Panel, scales: &Scales) -> Result<()> {
    match figure.kind {
        PlotKind::Bars => bars(canvas, figure, panel, scales),
        PlotKind::Lines => lines(canvas, figure, panel, scales),
    }
}

/// A bar between two corners.
pub(super) fn bar(canvas: &Canvas, series: usize, a: Point, b: Point) -> Result<()> {
    canvas.rect(a, b, colour(series))?;
    canvas.frame(a, b, INK, 0.5)
}

fn bars(canvas: &Canvas, figure: &Figure, panel: &Panel, scales: &Scales) -> Result<()> {
    canvas.line(&scales.across(scales.base()), INK, 0.8)?;
    let width = FILLED / figure.series.len() as f64;
    let left = |m: &Mark| panel.xs[m.x].position - FILLED / 2.0 + m.series as f64 * width;
    for m in &panel.marks {
        let middle = scales.x(left(m) + width / 2.0);
        match m.mean {
            Ok(mean) => {
                let (a, b) = (scales.x(left(m) + 0.05 * width), scales.x(left(m) + 0.95 * width));
                let (y, base) = (scales.y(mean), scales.base());
                bar(canvas, m.series, (a, y.min(base)), (b, y.max(base)))?;
                deviation(canvas, m, middle, scales)?;
            }
            // Where a whole panel is empty its notes say why.
            Err(why) if panel.marks.iter().any(|m| m.mean.is_ok()) => {
                canvas.upward(why, (middle, scales.bottom() - 4.0), GAP_TEXT, GREY, Align::Left)?;
            }
            Err(_) => {}
        }
        if let Some(paper) = m.paper {
            // Without a bar its colour says whose value it is.
            let fill = if m.mean.is_ok() { WHITE } else { colour(m.series) };
            diamond(canvas, (middle, scales.y(paper)), fill, INK)?;
        }
    }
    Ok(())
}

fn deviation(canvas: &Canvas, mark: &Mark, x: f64, scales: &Scales) -> Result<()> {
    if let (Ok(mean), Some(d)) = (mark.mean, mark.deviation) {
        error_bar(canvas, x, scales.y(mean - d), scales.y(mean + d), INK)?;
    }
    Ok(())
}

fn lines(canvas: &Canvas, figure: &Figure, panel: &Panel, scales: &Scales) -> Result<()> {
    let x = |m: &Mark| scales.x(panel.xs[m.x].position);
    for series in 0..figure.series.len() {
        let mut marks: Vec<&Mark> = panel.marks.iter().filter(|m| m.series == series).collect();
        marks.sort_by(|a, b| x(a).total_cmp(&x(b)));
        // A missing value interrupts the line.
        for part in marks.split(|m| m.mean.is_err()) {
            let points: Vec<Point> =
                part.iter().filter_map(|m| Some((x(m), scales.y(m.mean.ok()?)))).collect();
            if points.len() > 1 {
                canvas.line(&points, colour(series), 1.6)?;
            }
        }
        for m in marks {
            deviation(canvas, m, x(m), scales)?;
            if let Ok(mean) = m.mean {
                point(canvas, series, (x(m), scales.y(mean)))?;
            }
            if let Some(paper) = m.paper {
                diamond(canvas, (x(m), scales.y(paper)), WHITE, colour(series))?;
            }
        }
    }
    for (i, place) in panel.xs.iter().enumerate() {
        let mut here = panel.marks.iter().filter(|m| m.x == i).peekable();
        // Single missing values, and empty panels, are in the notes.
        if let Some(Mark { mean: Err(why), .. }) = here.peek()
            && here.all(|m| m.mean.is_err())
            && panel.marks.iter().any(|m| m.mean.is_ok())
        {
            let foot = (scales.x(place.position), scales.bottom() - 4.0);
            canvas.upward(why, foot, GAP_TEXT, GREY, Align::Left)?;
        }
    }
    Ok(())
}
