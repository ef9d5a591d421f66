//! A scatter plot: clouds of points, a colour per series.
use super::{
    canvas::{Canvas, Point},
    figure::{self, Heading},
    font::Font,
    page::{Content, Frame, HEIGHT, Room},
    style::{INK, colour},
    symbol::Symbol,
};
use crate::{
    report::{Points, Report},
    spec::MOST_SERIES,
    store::Cloud,
};
use anyhow::{Result, ensure};

/// Width of a plot, in pixels.
const WIDTH: (f64, f64) = (180.0, 280.0);
/// Room below a plot.
const BELOW: f64 = 20.0;
/// Of a point.
const RADIUS: f64 = 1.5;
/// Share of a plot that is left free around its points.
const FREE: f64 = 0.06;

/// The whole.
pub(super) struct Scatter<'a> {
    title: &'a str,
    about: Vec<String>,
    /// Names, in the order in which points first name them.
    series: Vec<&'a str>,
    panels: Vec<Panel<'a>>,
}

struct Panel<'a> {
    heading: Heading,
    /// Later ones are drawn over earlier ones.
    clouds: Vec<&'a Cloud>,
}

impl<'a> Scatter<'a> {
    /// The points of the report, by the dimensions' values and by the panels that they name.
    ///
    /// # Errors
    /// More series than there are colours.
    pub fn new(report: &'a Report, dimensions: &[String]) -> Result<Self> {
        let mut series: Vec<&str> = Vec::new();
        for cloud in report.points.iter().flat_map(|p| &p.clouds) {
            if !series.contains(&&cloud.series[..]) {
                series.push(&cloud.series);
            }
        }
        ensure!(series.len() <= MOST_SERIES, "more than {MOST_SERIES} series of points cannot be told apart");
        let mut panels = Vec::new();
        for (title, cells) in figure::groups(report, dimensions) {
            let same = |p: &&Points| dimensions.iter().all(|d| p.coordinates[d] == cells[0].coordinates[d]);
            let mut notes = figure::notes(report, &cells);
            match report.points.iter().find(same) {
                Some(points) => panels.extend(of_run(&title, &notes, points)),
                None => {
                    notes.push("no points".into());
                    panels.push(Panel { heading: Heading { title, notes }, clouds: Vec::new() });
                }
            }
        }
        Ok(Self { title: &report.spec.title, about: report.about(), series, panels })
    }
}

/// A panel for every name of one among the points.
fn of_run<'a>(title: &str, notes: &[String], points: &'a Points) -> Vec<Panel<'a>> {
    let mut panels: Vec<(&str, Vec<&Cloud>)> = Vec::new();
    for cloud in &points.clouds {
        match panels.iter_mut().find(|(name, _)| *name == cloud.panel) {
            Some((_, clouds)) => clouds.push(cloud),
            None => panels.push((&cloud.panel, vec![cloud])),
        }
    }
    let panel = |(name, clouds): (&str, Vec<&'a Cloud>)| {
        let parts: Vec<&str> = [title, name].into_iter().filter(|t| !t.is_empty()).collect();
        let mut notes = notes.to_vec();
        notes.push(format!("seed {}", points.seed));
        Panel { heading: Heading { title: parts.join(", "), notes }, clouds }
    };
    panels.into_iter().map(panel).collect()
}

impl Content for Scatter<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn about(&self) -> &[String] {
        &self.about
    }

    fn legend(&self) -> Vec<(Symbol, String)> {
        self.series.iter().enumerate().map(|(i, name)| (Symbol::Dot(i), name.to_string())).collect()
    }

    fn headings(&self) -> Vec<&Heading> {
        self.panels.iter().map(|p| &p.heading).collect()
    }

    fn room(&self, _: &Font) -> Result<Room> {
        Ok(Room { axis: 0.0, least: WIDTH.0, most: WIDTH.1, below: BELOW })
    }

    fn footnotes(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn draw(&self, i: usize, canvas: &Canvas, frame: &Frame, _: &Font) -> Result<()> {
        let panel = &self.panels[i];
        let to_pixels = fitted(panel, frame);
        for cloud in &panel.clouds {
            let series = self.series.iter().position(|s| *s == cloud.series).expect("all are listed");
            for point in &cloud.points {
                canvas.dot(to_pixels(*point), RADIUS, colour(series))?;
            }
        }
        canvas.frame((frame.left, frame.top), (frame.right(), frame.bottom()), INK, 0.8)
    }
}

/// From points to pixels: as large as the frame allows, in the middle, one unit as long in both directions.
fn fitted(panel: &Panel, frame: &Frame) -> impl Fn([f64; 2]) -> Point {
    let range = |axis: usize| {
        let values = || panel.clouds.iter().flat_map(|c| &c.points).map(|p| p[axis]);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let (x, y) = (range(0), range(1));
    let scale = |(low, high): (f64, f64), length: f64| length * (1.0 - 2.0 * FREE) / (high - low);
    let scale = scale(x, frame.width).min(scale(y, HEIGHT));
    // Points at one place have no extent.
    let scale = if scale.is_finite() { scale } else { 1.0 };
    let (left, top) = (frame.left + frame.width / 2.0, frame.top + HEIGHT / 2.0);
    move |[px, py]| (left + (px - (x.0 + x.1) / 2.0) * scale, top - (py - (y.0 + y.1) / 2.0) * scale)
}
