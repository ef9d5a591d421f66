//! Colours and shapes.
use super::canvas::{Canvas, Point};
use anyhow::Result;
use plotters::style::RGBColor;

/// Okabe and Ito's colours, which colour-blind readers can tell apart, with grey in place of black: text, error bars
/// and edges are black.
const PALETTE: [RGBColor; 8] = [
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(240, 228, 66),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(153, 153, 153),
];

/// Text, axes, error bars, edges.
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
/// What is said beside.
pub(super) const GREY: RGBColor = RGBColor(102, 102, 102);
/// Lines of the grid.
pub(super) const FAINT: RGBColor = RGBColor(225, 225, 225);
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);

/// The colour of a series; beyond the eighth a light shade.
pub(super) fn colour(series: usize) -> RGBColor {
    let RGBColor(r, g, b) = PALETTE[series % PALETTE.len()];
    let lighter = |c: u8| (u16::from(c) / 2 + 127) as u8;
    if series < PALETTE.len() { RGBColor(r, g, b) } else { RGBColor(lighter(r), lighter(g), lighter(b)) }
}

/// The shape that marks a series' points on a line.
pub(super) fn point(canvas: &Canvas, series: usize, (x, y): Point) -> Result<()> {
    let fill = colour(series);
    match series % 4 {
        0 => canvas.circle((x, y), 3.2, fill, INK, 0.6),
        1 => {
            let r = 2.9;
            let corners = [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)];
            canvas.polygon(&corners, fill, INK, 0.6)
        }
        2 => canvas.polygon(&[(x, y - 4.0), (x + 3.6, y + 2.6), (x - 3.6, y + 2.6)], fill, INK, 0.6),
        _ => canvas.polygon(&[(x, y + 4.0), (x + 3.6, y - 2.6), (x - 3.6, y - 2.6)], fill, INK, 0.6),
    }
}

/// The paper's value: a diamond.
pub(super) fn diamond(canvas: &Canvas, (x, y): Point, fill: RGBColor, edge: RGBColor) -> Result<()> {
    let r = 3.2;
    canvas.polygon(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)], fill, edge, 0.9)
}

/// One deviation above and below, from `low` to `high`.
pub(super) fn error_bar(canvas: &Canvas, x: f64, low: f64, high: f64, colour: RGBColor) -> Result<()> {
    canvas.line(&[(x, low), (x, high)], colour, 0.9)?;
    for y in [low, high] {
        canvas.line(&[(x - 2.2, y), (x + 2.2, y)], colour, 0.9)?;
    }
    Ok(())
}
