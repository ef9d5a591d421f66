//! A canvas in pixels with fractions, on plotters' SVG backend, which has whole coordinates only.
use super::font::Font;
use anyhow::Result;
use plotters::{
    coord::Shift,
    element::{Circle, PathElement, Polygon, Rectangle, Text},
    prelude::{DrawingArea, IntoDrawingArea, SVGBackend},
    style::{
        Color, FontTransform, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Coordinates per pixel.
const DETAIL: f64 = 8.0;

/// A place, in pixels from the left and the top.
pub(super) type Point = (f64, f64);

/// Where a text lies relative to its place; vertically it is centred.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// What can be drawn on.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    font: &'a Font,
}

/// The SVG of what `draw` draws on white.
pub(super) fn paint(
    (width, height): (f64, f64),
    font: &Font,
    draw: impl FnOnce(&Canvas) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    let (w, h) = (whole(width) as u32, whole(height) as u32);
    {
        let area = SVGBackend::with_string(&mut svg, (w, h)).into_drawing_area();
        let canvas = Canvas { area, font };
        canvas.rect((0.0, 0.0), (width, height), RGBColor(255, 255, 255))?;
        draw(&canvas)?;
        canvas.area.present()?;
    }
    // The view box keeps the fine coordinates.
    let size = format!("width=\"{}\" height=\"{}\"", width.round(), height.round());
    Ok(svg.replacen(&format!("width=\"{w}\" height=\"{h}\""), &size, 1))
}

impl Canvas<'_> {
    /// A filled rectangle between two corners.
    pub fn rect(&self, a: Point, b: Point, colour: RGBColor) -> Result<()> {
        Ok(self.area.draw(&Rectangle::new([at(a), at(b)], colour.filled()))?)
    }

    /// The edges of a rectangle.
    pub fn frame(&self, a: Point, b: Point, colour: RGBColor, width: f64) -> Result<()> {
        Ok(self.area.draw(&Rectangle::new([at(a), at(b)], stroke(colour, width)))?)
    }

    /// Straight lines from point to point.
    pub fn line(&self, points: &[Point], colour: RGBColor, width: f64) -> Result<()> {
        let points: Vec<_> = points.iter().copied().map(at).collect();
        Ok(self.area.draw(&PathElement::new(points, stroke(colour, width)))?)
    }

    /// A filled polygon with an edge.
    pub fn polygon(&self, corners: &[Point], fill: RGBColor, edge: RGBColor, width: f64) -> Result<()> {
        let points: Vec<_> = corners.iter().copied().map(at).collect();
        self.area.draw(&Polygon::new(points, fill.filled()))?;
        let closed: Vec<_> = corners.iter().chain(corners.first()).copied().collect();
        self.line(&closed, edge, width)
    }

    /// A filled circle with an edge.
    pub fn circle(
        &self,
        centre: Point,
        radius: f64,
        fill: RGBColor,
        edge: RGBColor,
        width: f64,
    ) -> Result<()> {
        self.dot(centre, radius, fill)?;
        Ok(self.area.draw(&Circle::new(at(centre), whole(radius), stroke(edge, width)))?)
    }

    /// A filled circle.
    pub fn dot(&self, centre: Point, radius: f64, fill: RGBColor) -> Result<()> {
        Ok(self.area.draw(&Circle::new(at(centre), whole(radius), fill.filled()))?)
    }

    /// A line of text.
    pub fn text(&self, text: &str, place: Point, em: f64, colour: RGBColor, align: Align) -> Result<()> {
        self.draw_text(text, place, em, colour, align, FontTransform::None)
    }

    /// A line of text that reads from the bottom to the top; left is its beginning.
    pub fn upward(&self, text: &str, place: Point, em: f64, colour: RGBColor, align: Align) -> Result<()> {
        self.draw_text(text, place, em, colour, align, FontTransform::Rotate270)
    }

    fn draw_text(
        &self,
        text: &str,
        place: Point,
        em: f64,
        colour: RGBColor,
        align: Align,
        transform: FontTransform,
    ) -> Result<()> {
        let h = match align {
            Align::Left => HPos::Left,
            Align::Centre => HPos::Center,
            Align::Right => HPos::Right,
        };
        let font = self.font.sized(em * DETAIL).transform(transform);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(h, VPos::Center));
        Ok(self.area.draw(&Text::new(text, at(place), style))?)
    }
}

fn whole(length: f64) -> i32 {
    (length * DETAIL).round() as i32
}

fn at((x, y): Point) -> (i32, i32) {
    (whole(x), whole(y))
}

fn stroke(colour: RGBColor, width: f64) -> ShapeStyle {
    colour.stroke_width(whole(width).max(1) as u32)
}
