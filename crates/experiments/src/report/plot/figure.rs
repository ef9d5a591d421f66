//! What a plot shows: the report's cells by panel, series and place on the x axis.
use super::axis::Axis;
use crate::{
    metric,
    report::{Report, cells, cells::Cell, view},
    spec::{PlotKind, Scale, ValuePlot, YFrom},
};
use std::collections::{BTreeMap, BTreeSet};

/// The whole.
pub(super) struct Figure<'a> {
    /// Heading.
    pub title: &'a str,
    /// Lines below it.
    pub about: Vec<String>,
    /// What marks the values.
    pub kind: PlotKind,
    /// Name of the y axis.
    pub y_name: String,
    /// Name of the x axis.
    pub x_name: String,
    /// Names of the series; a single one may have none.
    pub series: Vec<String>,
    /// One drawing each.
    pub panels: Vec<Panel>,
}

/// Text above a drawing.
pub(super) struct Heading {
    /// What it is about.
    pub title: String,
    /// What the data is, and what is missing.
    pub notes: Vec<String>,
}

/// A place on the x axis.
pub(super) struct Place {
    /// Where, in the axis's own units.
    pub position: f64,
    /// Its name.
    pub label: String,
}

/// One drawing.
pub(super) struct Panel {
    /// What it is about.
    pub heading: Heading,
    /// Its vertical axis; none where it has no value.
    pub axis: Option<Axis>,
    /// Places on the x axis, in the spec's order.
    pub xs: Vec<Place>,
    /// Its values.
    pub marks: Vec<Mark>,
}

/// One value.
#[derive(Debug, PartialEq)]
pub(super) struct Mark {
    /// Its place, an index of [`Panel::xs`].
    pub x: usize,
    /// Its series, an index of [`Figure::series`].
    pub series: usize,
    /// Our mean over seeds, or why there is none.
    pub mean: Result<f64, &'static str>,
    /// Its deviation over seeds.
    pub deviation: Option<f64>,
    /// What the paper prints.
    pub paper: Option<f64>,
}

impl<'a> Figure<'a> {
    /// The cells of the report as `plot` says.
    pub fn new(report: &'a Report, plot: &ValuePlot) -> Self {
        let spec = report.spec;
        let cells: Vec<&Cell> = report.cells.iter().collect();
        let series: Vec<String> = plot.series.iter().flat_map(|s| present(report, &cells, s)).collect();
        let place = |(i, value): (usize, &String)| {
            let number: Option<f64> = if plot.numeric { value.parse().ok() } else { None };
            let position = match (number, plot.scale_x) {
                (Some(n), Scale::Log) => n.log10(),
                (Some(n), Scale::Linear) => n,
                (None, _) => i as f64,
            };
            Place { position, label: spec.label(&plot.x, value).into() }
        };
        let names = match &plot.series {
            Some(s) => series.iter().map(|v| spec.label(s, v).into()).collect(),
            None => vec![String::new()],
        };
        let index = |values: &[String], cell: &Cell, dimension: &String| {
            let value = &cell.coordinates[dimension];
            values.iter().position(|v| v == value).expect("values are those of the cells")
        };
        let mark = |xs: &[String], cell: &Cell| {
            let value = cell.values.get(&plot.y);
            Mark {
                x: index(xs, cell, &plot.x),
                series: plot.series.as_ref().map_or(0, |s| index(&series, cell, s)),
                mean: value.and_then(|v| v.mean()).ok_or(view::missing(&cell.status)),
                deviation: value.and_then(|v| v.deviation()),
                paper: value.and_then(|v| v.paper),
            }
        };
        let panel = |(title, cells): (String, Vec<&Cell>)| {
            let xs = present(report, &cells, &plot.x);
            let marks: Vec<Mark> = cells.iter().map(|c| mark(&xs, c)).collect();
            Panel {
                heading: Heading { title, notes: notes(report, &cells) },
                axis: axis(&marks, plot.y_from),
                xs: xs.iter().enumerate().map(place).collect(),
                marks,
            }
        };
        let mut panels: Vec<Panel> = groups(report, &plot.panels).into_iter().map(panel).collect();
        if plot.kind == PlotKind::Lines {
            for p in &mut panels {
                p.heading.notes.extend(interruptions(&p.marks, &p.xs, &names));
            }
        }
        Self {
            title: &spec.title,
            about: report.about(),
            kind: plot.kind,
            y_name: metric::of(&plot.y).label.into(),
            x_name: plot.x.replace('_', " "),
            series: names,
            panels,
        }
    }

    /// All marks.
    pub fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.panels.iter().flat_map(|p| &p.marks)
    }
}

/// Cells with the same values of the dimensions, headed by the names of these.
pub(super) fn groups<'a>(report: &'a Report, dimensions: &[String]) -> Vec<(String, Vec<&'a Cell>)> {
    let mut groups: Vec<(String, Vec<&Cell>)> = Vec::new();
    for cell in &report.cells {
        let same = |other: &Cell| dimensions.iter().all(|d| cell.coordinates[d] == other.coordinates[d]);
        match groups.iter_mut().find(|(_, g)| same(g[0])) {
            Some((_, g)) => g.push(cell),
            None => {
                let labels = dimensions.iter().map(|d| report.spec.label(d, &cell.coordinates[d]));
                groups.push((labels.collect::<Vec<_>>().join(", "), vec![cell]));
            }
        }
    }
    groups
}

/// A dimension's values, in the spec's order, that are among the cells'.
fn present(report: &Report, cells: &[&Cell], dimension: &str) -> Vec<String> {
    let is_there = |v: &String| cells.iter().any(|c| &c.coordinates[dimension] == v);
    report.spec.values(dimension).into_iter().filter(is_there).collect()
}

/// A vertical axis around all that is drawn.
fn axis(marks: &[Mark], from: YFrom) -> Option<Axis> {
    let values = marks.iter().flat_map(|m| {
        let d = m.deviation.unwrap_or_default();
        let ours = m.mean.ok().into_iter().flat_map(move |v| [v - d, v + d]);
        ours.chain(m.paper)
    });
    Axis::around(values, from == YFrom::Zero)
}

/// What the data of these cells is, and why some have no number or fewer seeds.
pub(super) fn notes(report: &Report, cells: &[&Cell]) -> Vec<String> {
    let mut made_on: BTreeMap<&String, BTreeSet<&str>> = BTreeMap::new();
    for cell in cells.iter().filter(|c| !c.provenance.is_empty()) {
        made_on.entry(&cell.coordinates["dataset"]).or_default().insert(&cell.provenance);
    }
    let several = made_on.len() > 1;
    let mut lines = Vec::new();
    for (dataset, provenances) in made_on {
        for provenance in provenances {
            let note = report.notes.get(dataset).filter(|n| n.starts_with(provenance));
            let note = note.cloned().unwrap_or_else(|| format!("{provenance} data"));
            let name = report.spec.label("dataset", dataset);
            lines.push(if several { format!("{name}: {note}") } else { note });
        }
    }
    for (reason, n) in cells::reasons(cells.iter().copied()) {
        lines.push(if n == cells.len() { reason } else { format!("{n} of {} {reason}", cells.len()) });
    }
    lines
}

/// "CVAR, CSDM: not run at 0.1": where single lines have gaps. Bars say it in the gap itself.
fn interruptions(marks: &[Mark], xs: &[Place], series: &[String]) -> Vec<String> {
    let some_value = |x: usize| marks.iter().any(|m| m.x == x && m.mean.is_ok());
    let mut gaps: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for (i, name) in series.iter().enumerate() {
        let of_series: Vec<&Mark> = marks.iter().filter(|m| m.series == i).collect();
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for m in &of_series {
            if let Err(why) = m.mean
                && some_value(m.x)
            {
                places.entry(why).or_default().push(&xs[m.x].label);
            }
        }
        for (why, labels) in places {
            let everywhere = labels.len() == of_series.len();
            let at = if everywhere { String::new() } else { format!(" at {}", labels.join(", ")) };
            gaps.entry((at, why)).or_default().push(name);
        }
    }
    gaps.into_iter().map(|((at, why), names)| format!("{}: {why}{at}", names.join(", "))).collect()
}
