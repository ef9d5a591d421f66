//! The page: title, legend, panels side by side.
use super::{
    canvas::{Align, Canvas, paint},
    figure::Heading,
    font::Font,
    style::{GREY, INK},
    symbol::Symbol,
};
use anyhow::Result;

/// Sizes in pixels, of which a printed column of 88 mm has about 480.
const WIDEST: f64 = 960.0;
const NARROWEST: f64 = 400.0;
const MARGIN: f64 = 14.0;
const GAP: f64 = 18.0;
const TITLE: f64 = 15.0;
const TEXT: f64 = 11.0;
const LINE: f64 = 15.0;
/// Of a panel: its title, the lines below it, and its height.
const PANEL_TITLE: f64 = 13.0;
const NOTE: f64 = 9.5;
const NOTE_LINE: f64 = 12.5;
pub(super) const HEIGHT: f64 = 220.0;
/// Panels in a row, at most.
const COLUMNS: usize = 3;

/// What is drawn on a page.
pub(super) trait Content {
    /// Heading of the page.
    fn title(&self) -> &str;
    /// Lines below it.
    fn about(&self) -> &[String];
    /// What the symbols mean.
    fn legend(&self) -> Vec<(Symbol, String)>;
    /// Of every panel.
    fn headings(&self) -> Vec<&Heading>;
    /// Room that a panel needs.
    fn room(&self, font: &Font) -> Result<Room>;
    /// What a reader must know, below the panels.
    fn footnotes(&self) -> Vec<&'static str>;
    /// Draws the panel number `i` without its heading.
    fn draw(&self, i: usize, canvas: &Canvas, frame: &Frame, font: &Font) -> Result<()>;
}

/// Room that panels need, in pixels.
pub(super) struct Room {
    /// Left of the plot.
    pub axis: f64,
    /// The least width of the plot.
    pub least: f64,
    /// Its largest width.
    pub most: f64,
    /// Below the plot, to the next panel.
    pub below: f64,
}

/// Where a panel's plot lies.
pub(super) struct Frame {
    /// Its left edge; the axis is left of it.
    pub left: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its width.
    pub width: f64,
    /// Width of the vertical axis.
    pub axis: f64,
    /// Whether it is the first of its row, whose vertical axis is named.
    pub is_first: bool,
}

impl Frame {
    /// Its right edge.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Its lower edge.
    pub fn bottom(&self) -> f64 {
        self.top + HEIGHT
    }
}

/// The page as SVG.
pub(super) fn draw(content: &impl Content, font: &Font) -> Result<String> {
    let room = content.room(font)?;
    let headings = content.headings();
    let (columns, plot) = arrange(&room, headings.len());
    let n = columns as f64;
    let width = (n * (room.axis + plot) + (n - 1.0) * GAP).max(NARROWEST) + 2.0 * MARGIN;
    let inner = width - 2.0 * MARGIN;
    let title = font.wrap(content.title(), TITLE, inner)?;
    let mut about = Vec::new();
    for line in content.about() {
        about.extend(font.wrap(line, TEXT, inner)?);
    }
    let legend = legend(content, font, inner)?;
    let mut notes: Vec<Vec<String>> = Vec::new();
    for heading in &headings {
        let mut lines = Vec::new();
        for note in &heading.notes {
            lines.extend(font.wrap(note, NOTE, room.axis + plot)?);
        }
        notes.push(lines);
    }
    let head = MARGIN
        + title.len() as f64 * (TITLE + 5.0)
        + about.len() as f64 * LINE
        + legend.last().map_or(0.0, |item| item.row as f64 + 1.0) * (LINE + 3.0)
        + 12.0;
    let has_titles = headings.iter().any(|h| !h.title.is_empty());
    // Panels of a row have headings of one height.
    let heads: Vec<f64> = notes
        .chunks(columns)
        .map(|row| panel_head(has_titles, row.iter().map(Vec::len).max().unwrap_or_default()))
        .collect();
    let mut tops = vec![head];
    for h in &heads {
        tops.push(tops[tops.len() - 1] + h + HEIGHT + room.below);
    }
    let footnotes = content.footnotes();
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
            item.draw(canvas, (MARGIN + item.left, y + 4.0 + item.row as f64 * (LINE + 3.0)))?;
        }
        for (i, heading) in headings.iter().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let frame = Frame {
                left: MARGIN + column as f64 * (room.axis + plot + GAP) + room.axis,
                top: tops[row] + heads[row],
                width: plot,
                axis: room.axis,
                is_first: column == 0,
            };
            draw_heading(canvas, &heading.title, &notes[i], (frame.left, tops[row]))?;
            content.draw(i, canvas, &frame, font)?;
        }
        for (i, note) in footnotes.iter().enumerate() {
            let place = (MARGIN, tops[heads.len()] + (i as f64 + 0.5) * LINE);
            canvas.text(note, place, NOTE, GREY, Align::Left)?;
        }
        Ok(())
    })
}

/// Panels in a row, as many as have room, and the width of their plots.
fn arrange(room: &Room, panels: usize) -> (usize, f64) {
    let width =
        |columns: usize| (WIDEST - 2.0 * MARGIN - (columns - 1) as f64 * GAP) / columns as f64 - room.axis;
    let columns = (1..=COLUMNS.min(panels)).rev().find(|n| width(*n) >= room.least).unwrap_or(1);
    (columns, width(columns).min(room.most).max(room.least))
}

/// Height of a panel's heading with so many lines of notes.
fn panel_head(has_title: bool, notes: usize) -> f64 {
    let title = if has_title { PANEL_TITLE + 8.0 } else { NOTE / 2.0 };
    title + notes as f64 * NOTE_LINE + 6.0
}

fn draw_heading(canvas: &Canvas, title: &str, notes: &[String], (left, top): (f64, f64)) -> Result<()> {
    let mut y = top + NOTE / 2.0;
    if !title.is_empty() {
        canvas.text(title, (left, top + PANEL_TITLE / 2.0), PANEL_TITLE, INK, Align::Left)?;
        y = top + PANEL_TITLE + 8.0;
    }
    for line in notes {
        canvas.text(line, (left, y), NOTE, GREY, Align::Left)?;
        y += NOTE_LINE;
    }
    Ok(())
}

/// An entry of the legend.
struct Item {
    symbol: Symbol,
    text: String,
    left: f64,
    row: usize,
}

/// Width of a legend's symbol, with the room beside it.
const SYMBOL: f64 = 20.0;

/// The legend in rows at most `width` wide.
fn legend(content: &impl Content, font: &Font, width: f64) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let (mut left, mut row) = (0.0, 0);
    for (symbol, text) in content.legend() {
        let size = SYMBOL + font.width(&text, TEXT)?;
        if left > 0.0 && left + size > width {
            (left, row) = (0.0, row + 1);
        }
        items.push(Item { symbol, text, left, row });
        left += size + 16.0;
    }
    Ok(items)
}

impl Item {
    fn draw(&self, canvas: &Canvas, (x, y): (f64, f64)) -> Result<()> {
        self.symbol.draw(canvas, (x + SYMBOL / 2.0 - 3.0, y))?;
        canvas.text(&self.text, (x + SYMBOL, y), TEXT, INK, Align::Left)
    }
}
