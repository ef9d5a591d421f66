//! Symbols of a legend.
use super::{
    canvas::{Canvas, Point},
    marks::bar,
    style::{INK, WHITE, colour, diamond, error_bar, point},
};
use crate::spec::PlotKind;
use anyhow::Result;

/// A symbol, with the series whose colour it has.
pub(super) enum Symbol {
    /// A small bar, or a piece of a line with a point.
    Series(PlotKind, usize),
    /// A point of a cloud.
    Dot(usize),
    /// The paper's value.
    Paper,
    /// A deviation over seeds.
    Deviation,
}

/// Radius of a point that stands for a cloud.
const DOT: f64 = 4.0;

impl Symbol {
    /// Draws it around a place.
    pub fn draw(&self, canvas: &Canvas, (x, y): Point) -> Result<()> {
        match *self {
            Symbol::Series(PlotKind::Bars, i) => bar(canvas, i, (x - 6.0, y - 4.5), (x + 6.0, y + 4.5)),
            Symbol::Series(PlotKind::Lines, i) => {
                canvas.line(&[(x - 8.0, y), (x + 8.0, y)], colour(i), 1.6)?;
                point(canvas, i, (x, y))
            }
            Symbol::Dot(i) => canvas.dot((x, y), DOT, colour(i)),
            Symbol::Paper => diamond(canvas, (x, y), WHITE, INK),
            Symbol::Deviation => error_bar(canvas, x, y - 5.0, y + 5.0, INK),
        }
    }
}
