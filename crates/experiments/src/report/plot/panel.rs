//! One panel: its heading, axes and grid.
use super::{
    axis::Axis,
    canvas::{Align, Canvas, Point},
    figure::{Figure, Panel},
    font::Font,
    marks,
    style::{FAINT, GREY, INK},
};
use anyhow::Result;

/// Sizes in pixels.
pub(super) const TICK: f64 = 10.5;
pub(super) const NOTE: f64 = 9.5;
const TITLE: f64 = 13.0;
const HEIGHT: f64 = 220.0;
const LINE: f64 = 12.5;
/// Of the vertical axis: its name, and the room between tick labels and plot.
pub(super) const BESIDE_TICKS: f64 = 26.0;
/// Below the plot: labels, the axis's name, and room to the next panel.
const BELOW: f64 = 44.0;

/// Where a panel's plot lies.
pub(super) struct Frame {
    /// Its left edge; the axis is left of it.
    pub left: f64,
    /// Where its heading begins.
    pub heading: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its width.
    pub width: f64,
    /// Width of the vertical axis.
    pub axis: f64,
    /// Whether it is the first of its row, whose vertical axis is named.
    pub is_first: bool,
}

/// Height of a panel's heading with so many lines of notes.
pub(super) fn head(has_title: bool, notes: usize) -> f64 {
    let title = if has_title { TITLE + 8.0 } else { NOTE / 2.0 };
    title + notes as f64 * LINE + 6.0
}

/// Height of a panel whose heading is so high.
pub(super) fn height(head: f64) -> f64 {
    head + HEIGHT + BELOW
}

/// From values to pixels.
pub(super) struct Scales {
    x: (f64, f64),
    y: (f64, f64),
    frame: (Point, f64),
}

impl Scales {
    /// Pixels from the left.
    pub fn x(&self, value: f64) -> f64 {
        self.frame.0.0 + (value - self.x.0) / (self.x.1 - self.x.0) * self.frame.1
    }

    /// Pixels from the top.
    pub fn y(&self, value: f64) -> f64 {
        self.frame.0.1 + HEIGHT - (value - self.y.0) / (self.y.1 - self.y.0) * HEIGHT
    }

    /// Where bars begin: zero, or what is nearest to it.
    pub fn base(&self) -> f64 {
        self.y(0f64.clamp(self.y.0, self.y.1))
    }

    /// The left edge.
    pub fn left(&self) -> f64 {
        self.frame.0.0
    }

    /// The right edge.
    pub fn right(&self) -> f64 {
        self.frame.0.0 + self.frame.1
    }

    /// The lower edge.
    pub fn bottom(&self) -> f64 {
        self.frame.0.1 + HEIGHT
    }
}

/// Draws a panel with its heading; without any value it has no vertical axis.
pub(super) fn draw(
    canvas: &Canvas,
    figure: &Figure,
    panel: &Panel,
    notes: &[String],
    axis: Option<&Axis>,
    frame: &Frame,
    font: &Font,
) -> Result<()> {
    let (left, top, right, bottom) = (frame.left, frame.top, frame.left + frame.width, frame.top + HEIGHT);
    let mut y = frame.heading + NOTE / 2.0;
    if !panel.title.is_empty() {
        canvas.text(&panel.title, (left, frame.heading + TITLE / 2.0), TITLE, INK, Align::Left)?;
        y = frame.heading + TITLE + 8.0;
    }
    for line in notes {
        canvas.text(line, (left, y), NOTE, GREY, Align::Left)?;
        y += LINE;
    }
    let scales = Scales {
        x: marks::span(figure, panel),
        y: axis.map_or((0.0, 1.0), |a| a.range),
        frame: ((left, top), frame.width),
    };
    if let Some(axis) = axis {
        for tick in &axis.ticks {
            let y = scales.y(*tick);
            canvas.line(&[(left, y), (right, y)], FAINT, 0.8)?;
            canvas.text(&axis.label(*tick), (left - 6.0, y), TICK, INK, Align::Right)?;
        }
    }
    marks::draw(canvas, figure, panel, &scales)?;
    canvas.line(&[(left, top), (left, bottom), (right, bottom)], INK, 0.8)?;
    let mut taken = f64::NEG_INFINITY;
    let mut places: Vec<_> = panel.xs.iter().collect();
    places.sort_by(|a, b| a.position.total_cmp(&b.position));
    for place in places {
        let x = scales.x(place.position);
        let half = font.width(&place.label, TICK)? / 2.0;
        canvas.line(&[(x, bottom), (x, bottom + 3.5)], INK, 0.8)?;
        // Numbers may lie closer together than their labels are wide.
        if x - half > taken {
            canvas.text(&place.label, (x, bottom + 11.0), TICK, INK, Align::Centre)?;
            taken = x + half + 3.0;
        }
    }
    let name = (left + frame.width / 2.0, bottom + 26.0);
    canvas.text(&figure.x_name, name, TICK, INK, Align::Centre)?;
    if frame.is_first {
        let place = (left - frame.axis + 6.0, top + HEIGHT / 2.0);
        canvas.upward(figure.metric.label, place, TICK, INK, Align::Centre)?;
    }
    Ok(())
}
