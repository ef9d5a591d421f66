//! Panels of a figure: their axes and grids, and what its legend says.
use super::{
    canvas::{Align, Canvas, Point},
    figure::{Figure, Heading},
    font::Font,
    marks,
    page::{Content, Frame, HEIGHT, Room},
    style::{FAINT, INK},
    symbol::Symbol,
};
use crate::spec::PlotKind;
use anyhow::Result;

/// Sizes in pixels.
const TICK: f64 = 10.5;
/// Of the vertical axis: its name, and the room between tick labels and plot.
const BESIDE_TICKS: f64 = 26.0;
/// Below the plot: labels, the axis's name, and room to the next panel.
const BELOW: f64 = 44.0;

/// From values to pixels.
pub(super) struct Scales<'a> {
    x: (f64, f64),
    y: (f64, f64),
    frame: &'a Frame,
}

impl Scales<'_> {
    /// Pixels from the left.
    pub fn x(&self, value: f64) -> f64 {
        self.frame.left + (value - self.x.0) / (self.x.1 - self.x.0) * self.frame.width
    }

    /// Pixels from the top.
    pub fn y(&self, value: f64) -> f64 {
        self.frame.bottom() - (value - self.y.0) / (self.y.1 - self.y.0) * HEIGHT
    }

    /// Where bars begin: zero, or what is nearest to it.
    pub fn base(&self) -> f64 {
        self.y(0f64.clamp(self.y.0, self.y.1))
    }

    /// Both ends of a horizontal line across the plot.
    pub fn across(&self, y: f64) -> [Point; 2] {
        [(self.frame.left, y), (self.frame.right(), y)]
    }

    /// The lower edge.
    pub fn bottom(&self) -> f64 {
        self.frame.bottom()
    }
}

impl Content for Figure<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn about(&self) -> &[String] {
        &self.about
    }

    fn legend(&self) -> Vec<(Symbol, String)> {
        let has_paper = self.marks().any(|m| m.paper.is_some());
        let mut entries: Vec<(Symbol, String)> = Vec::new();
        for (i, name) in self.series.iter().enumerate() {
            match (name.is_empty(), has_paper) {
                (false, _) => entries.push((Symbol::Series(self.kind, i), name.clone())),
                (true, true) => entries.push((Symbol::Series(self.kind, i), "ours".into())),
                (true, false) => {}
            }
        }
        if has_paper {
            entries.push((Symbol::Paper, "paper".into()));
        }
        if self.marks().any(|m| m.deviation.is_some()) {
            entries.push((Symbol::Deviation, "± one deviation over seeds".into()));
        }
        entries
    }

    fn headings(&self) -> Vec<&Heading> {
        self.panels.iter().map(|p| &p.heading).collect()
    }

    fn room(&self, font: &Font) -> Result<Room> {
        let (mut ticks, mut label) = (0f64, 0f64);
        for panel in &self.panels {
            if let Some(axis) = &panel.axis {
                for tick in &axis.ticks {
                    ticks = ticks.max(font.width(&axis.label(*tick), TICK)?);
                }
            }
            let labels: Vec<f64> =
                panel.xs.iter().map(|x| font.width(&x.label, TICK)).collect::<Result<_>>()?;
            // Neighbours share the room between them.
            label = labels.windows(2).map(|w| (w[0] + w[1]) / 2.0).fold(label, f64::max);
        }
        let (least, most) = marks::widths(self, label + 8.0);
        Ok(Room { axis: ticks + BESIDE_TICKS, least, most, below: BELOW })
    }

    fn footnotes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.kind == PlotKind::Bars {
            if self.marks().any(|m| m.mean.is_err() && m.paper.is_some()) {
                notes.push("Coloured diamonds: the paper's numbers where there are none of ours.");
            }
            let mut axes = self.panels.iter().filter_map(|p| p.axis.as_ref());
            if axes.any(|a| a.range.0 > 0.0 || a.range.1 < 0.0) {
                notes.push("Vertical axes do not begin at zero.");
            }
        }
        notes
    }

    /// Without any value a panel has no vertical axis.
    fn draw(&self, i: usize, canvas: &Canvas, frame: &Frame, font: &Font) -> Result<()> {
        let panel = &self.panels[i];
        let (left, top, right, bottom) = (frame.left, frame.top, frame.right(), frame.bottom());
        let scales = Scales {
            x: marks::span(self, panel),
            y: panel.axis.as_ref().map_or((0.0, 1.0), |a| a.range),
            frame,
        };
        if let Some(axis) = &panel.axis {
            for tick in &axis.ticks {
                let y = scales.y(*tick);
                canvas.line(&scales.across(y), FAINT, 0.8)?;
                canvas.text(&axis.label(*tick), (left - 6.0, y), TICK, INK, Align::Right)?;
            }
        }
        marks::draw(canvas, self, panel, &scales)?;
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
        canvas.text(&self.x_name, name, TICK, INK, Align::Centre)?;
        if frame.is_first {
            let place = (left - frame.axis + 6.0, top + HEIGHT / 2.0);
            canvas.upward(&self.y_name, place, TICK, INK, Align::Centre)?;
        }
        Ok(())
    }
}
