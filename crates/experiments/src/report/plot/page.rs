//! The page: title, legend, panels side by side.
use super::{
    axis::Axis,
    canvas::{Align, Canvas, paint},
    figure::{Figure, Panel},
    font::Font,
    marks,
    panel::{self, Frame},
    style::{GREY, INK, WHITE, diamond, error_bar},
};
use crate::spec::{PlotKind, YFrom};
use anyhow::Result;

/// Sizes in pixels, of which a printed column of 88 mm has about 480.
const WIDEST: f64 = 960.0;
const NARROWEST: f64 = 400.0;
const MARGIN: f64 = 14.0;
const GAP: f64 = 18.0;
const TITLE: f64 = 15.0;
const TEXT: f64 = 11.0;
const LINE: f64 = 15.0;
/// Panels in a row, at most.
const COLUMNS: usize = 3;

/// How panels are arranged.
struct Grid {
    columns: usize,
    /// Width of a panel's plot, without its axis.
    plot: f64,
    /// Width of the vertical axis.
    axis: f64,
}

/// The figure as SVG.
pub(super) fn draw(figure: &Figure, font: &Font) -> Result<String> {
    let axes: Vec<Option<Axis>> = figure.panels.iter().map(|p| axis(figure, p)).collect();
    let grid = arrange(figure, &axes, font)?;
    let columns = grid.columns as f64;
    let width = (columns * (grid.axis + grid.plot) + (columns - 1.0) * GAP).max(NARROWEST) + 2.0 * MARGIN;
    let inner = width - 2.0 * MARGIN;
    let title = font.wrap(figure.title, TITLE, inner)?;
    let mut about = Vec::new();
    for line in &figure.about {
        about.extend(font.wrap(line, TEXT, inner)?);
    }
    let legend = legend(figure, font, inner)?;
    let mut headings: Vec<Vec<String>> = Vec::new();
    for p in &figure.panels {
        let mut lines = Vec::new();
        for note in &p.notes {
            lines.extend(font.wrap(note, panel::NOTE, grid.axis + grid.plot)?);
        }
        headings.push(lines);
    }
    let head = MARGIN
        + title.len() as f64 * (TITLE + 5.0)
        + about.len() as f64 * LINE
        + legend.last().map_or(0.0, |item| item.row as f64 + 1.0) * (LINE + 3.0)
        + 12.0;
    let has_titles = figure.panels.iter().any(|p| !p.title.is_empty());
    // Panels of a row have headings of one height.
    let heads: Vec<f64> = headings
        .chunks(grid.columns)
        .map(|row| panel::head(has_titles, row.iter().map(Vec::len).max().unwrap_or_default()))
        .collect();
    let mut tops = vec![head];
    for h in &heads {
        tops.push(tops[tops.len() - 1] + panel::height(*h));
    }
    let footnotes = footnotes(figure, &axes);
    let height = tops[heads.len()] + footnotes.len() as f64 * LINE + MARGIN;

    paint((width, height), font, |canvas| {
        let mut y = MARGIN + TITLE / 2.0;
        for line in &title {
            canvas.text(line, (MARGIN, y), TITLE, INK, Align::Left)?;
            y += TITLE + 5.0;
        }
        for line in &about {
            canvas.text(line, (MARGIN, y), TEXT, GREY, Align::Left)?;
            y += LINE;
        }
        for item in &legend {
            item.draw(canvas, figure, (MARGIN + item.left, y + 4.0 + item.row as f64 * (LINE + 3.0)))?;
        }
        for (i, p) in figure.panels.iter().enumerate() {
            let (row, column) = (i / grid.columns, i % grid.columns);
            let frame = Frame {
                left: MARGIN + column as f64 * (grid.axis + grid.plot + GAP) + grid.axis,
                heading: tops[row],
                top: tops[row] + heads[row],
                width: grid.plot,
                axis: grid.axis,
                is_first: column == 0,
            };
            panel::draw(canvas, figure, p, &headings[i], axes[i].as_ref(), &frame, font)?;
        }
        for (i, note) in footnotes.iter().enumerate() {
            let place = (MARGIN, tops[heads.len()] + (i as f64 + 0.5) * LINE);
            canvas.text(note, place, panel::NOTE, GREY, Align::Left)?;
        }
        Ok(())
    })
}

/// A panel's vertical axis.
fn axis(figure: &Figure, panel: &Panel) -> Option<Axis> {
    let values = panel.marks.iter().flat_map(|m| {
        let d = m.deviation.unwrap_or_default();
        let ours = m.mean.ok().into_iter().flat_map(move |v| [v - d, v + d]);
        ours.chain(m.paper)
    });
    Axis::around(values, figure.y_from == YFrom::Zero)
}

/// What a reader of bars must know.
fn footnotes(figure: &Figure, axes: &[Option<Axis>]) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if figure.kind == PlotKind::Bars {
        if figure.marks().any(|m| m.mean.is_err() && m.paper.is_some()) {
            notes.push("Coloured diamonds: the paper's numbers where there are none of ours.");
        }
        if axes.iter().flatten().any(|a| a.range.0 > 0.0 || a.range.1 < 0.0) {
            notes.push("Vertical axes do not begin at zero.");
        }
    }
    notes
}

/// As many panels in a row as have room.
fn arrange(figure: &Figure, axes: &[Option<Axis>], font: &Font) -> Result<Grid> {
    let mut ticks = 0f64;
    for axis in axes.iter().flatten() {
        for tick in &axis.ticks {
            ticks = ticks.max(font.width(&axis.label(*tick), panel::TICK)?);
        }
    }
    let axis = ticks + panel::BESIDE_TICKS;
    let mut label = 0f64;
    for p in &figure.panels {
        let labels: Vec<f64> =
            p.xs.iter().map(|x| font.width(&x.label, panel::TICK)).collect::<Result<_>>()?;
        // Neighbours share the room between them.
        label = labels.windows(2).map(|w| (w[0] + w[1]) / 2.0).fold(label, f64::max);
    }
    let (least, most) = marks::widths(figure, label + 8.0);
    let width = |columns: usize| (WIDEST - 2.0 * MARGIN - (columns - 1) as f64 * GAP) / columns as f64 - axis;
    let columns = (1..=COLUMNS.min(figure.panels.len())).rev().find(|n| width(*n) >= least).unwrap_or(1);
    Ok(Grid { columns, plot: width(columns).min(most).max(least), axis })
}

/// An entry of the legend.
struct Item {
    what: What,
    text: String,
    left: f64,
    row: usize,
}

enum What {
    Series(usize),
    Paper,
    Deviation,
}

/// Width of a legend's symbol, with the room beside it.
const SYMBOL: f64 = 20.0;

/// The legend in rows at most `width` wide.
fn legend(figure: &Figure, font: &Font, width: f64) -> Result<Vec<Item>> {
    let has_paper = figure.marks().any(|m| m.paper.is_some());
    let mut entries: Vec<(What, String)> = Vec::new();
    for (i, name) in figure.series.iter().enumerate() {
        match (name.is_empty(), has_paper) {
            (false, _) => entries.push((What::Series(i), name.clone())),
            (true, true) => entries.push((What::Series(i), "ours".into())),
            (true, false) => {}
        }
    }
    if has_paper {
        entries.push((What::Paper, "paper".into()));
    }
    if figure.marks().any(|m| m.deviation.is_some()) {
        entries.push((What::Deviation, "± one deviation over seeds".into()));
    }
    let mut items = Vec::new();
    let (mut left, mut row) = (0.0, 0);
    for (what, text) in entries {
        let size = SYMBOL + font.width(&text, TEXT)?;
        if left > 0.0 && left + size > width {
            (left, row) = (0.0, row + 1);
        }
        items.push(Item { what, text, left, row });
        left += size + 16.0;
    }
    Ok(items)
}

impl Item {
    fn draw(&self, canvas: &Canvas, figure: &Figure, (x, y): (f64, f64)) -> Result<()> {
        let middle = x + SYMBOL / 2.0 - 3.0;
        match self.what {
            What::Series(i) => marks::symbol(canvas, figure.kind, i, (middle, y))?,
            What::Paper => diamond(canvas, (middle, y), WHITE, INK)?,
            What::Deviation => error_bar(canvas, middle, y - 5.0, y + 5.0, INK)?,
        }
        canvas.text(&self.text, (x + SYMBOL, y), TEXT, INK, Align::Left)
    }
}
