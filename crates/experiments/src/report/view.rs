//! The table as lines of text cells, for every format that shows it as a table.
use super::{
    Report,
    cells::{Cell, Status},
    compare::compared,
    computed,
};
use crate::{
    metric::{self, Metric},
    spec::Coordinates,
};

/// A table of its own: one value of every dimension that heads groups.
pub(super) struct Group {
    /// "MovieLens-1M"
    pub heading: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line.
pub(super) struct Line {
    /// What the line is about; empty for all but the first line of an entry.
    pub label: String,
    /// `AUC`, `paper`, `difference`, …
    pub what: &'static str,
    /// A cell per column.
    pub cells: Vec<Text>,
}

/// A cell's text.
#[derive(Clone, Default)]
pub(super) struct Text {
    pub text: String,
    /// Whether it is the best of its group.
    pub best: bool,
}

impl From<Option<String>> for Text {
    fn from(text: Option<String>) -> Self {
        Self { text: text.unwrap_or_default(), best: false }
    }
}

pub(super) fn groups(report: &Report) -> Vec<Group> {
    let spec = report.spec;
    let (line_dimension, heads) = spec.layout.rows.split_last().expect("checked: there is at least one");
    let mut groups: Vec<(Vec<String>, Vec<&Cell>)> = Vec::new();
    for cell in &report.cells {
        let key: Vec<String> = heads.iter().map(|h| cell.coordinates[h].clone()).collect();
        match groups.iter_mut().find(|(k, _)| *k == key) {
            Some((_, g)) => g.push(cell),
            None => groups.push((key, vec![cell])),
        }
    }
    let metrics = shown_metrics(report);
    let all_columns = column_keys(report);
    let name = |c: &Coordinates| {
        let labels = spec.layout.columns.iter().map(|d| spec.label(d, &c[d]));
        labels.collect::<Vec<_>>().join(" ")
    };
    let has_cell = |cells: &[&Cell], column: &Coordinates| cells.iter().any(|c| is_in(c, column));
    groups
        .into_iter()
        .map(|(key, cells)| {
            let heading: Vec<&str> = heads.iter().zip(&key).map(|(h, v)| spec.label(h, v)).collect();
            let columns: Vec<_> = all_columns.iter().filter(|column| has_cell(&cells, column)).collect();
            let column_names = if spec.layout.columns.is_empty() {
                metrics.iter().map(|m| m.label.to_string()).collect()
            } else {
                columns.iter().map(|column| name(column)).collect()
            };
            let mut lines = Vec::new();
            for entry in spec.values(line_dimension) {
                let of_column = |column: &&Coordinates| {
                    let fits = |c: &&Cell| c.coordinates[line_dimension] == entry && is_in(c, column);
                    cells.iter().copied().find(fits)
                };
                let row: Vec<Option<&Cell>> = columns.iter().map(of_column).collect();
                let label = spec.label(line_dimension, &entry);
                match row[..] {
                    [Some(cell)] if spec.layout.columns.is_empty() => {
                        lines.extend(metric_columns(report, label, cell, &metrics));
                    }
                    _ if row.iter().any(Option::is_some) => {
                        lines.extend(entry_lines(report, label, &row, &metrics));
                    }
                    _ => {}
                }
            }
            Group { heading: heading.join(", "), columns: column_names, lines }
        })
        .collect()
}

/// The layout's metrics, and the expected AUC where data has one.
fn shown_metrics(report: &Report) -> Vec<&'static Metric> {
    let mut metrics: Vec<_> = report.spec.layout.cells.iter().map(|name| metric::of(name)).collect();
    let expected = metric::of("expected_auc");
    if !metrics.iter().any(|m| m.name == expected.name)
        && report.cells.iter().any(|c| c.mean(expected.name).is_some())
    {
        metrics.insert(1, expected);
    }
    metrics
}

/// Whether a cell belongs to a column.
fn is_in(cell: &Cell, column: &Coordinates) -> bool {
    column.iter().all(|(d, v)| cell.coordinates.get(d) == Some(v))
}

/// The product of the column dimensions' values.
fn column_keys(report: &Report) -> Vec<Coordinates> {
    let mut all = vec![Coordinates::new()];
    for d in &report.spec.layout.columns {
        let values = report.spec.values(d);
        all = all
            .iter()
            .flat_map(|b| {
                values.iter().map(move |v| {
                    let mut c = b.clone();
                    c.insert(d.clone(), v.clone());
                    c
                })
            })
            .collect();
    }
    all
}

/// The lines of one entry: for every metric ours, the paper's and the difference.
fn entry_lines(
    report: &Report,
    label: &str,
    row: &[Option<&Cell>],
    metrics: &[&'static Metric],
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for metric in metrics {
        let texts = |text: fn(&Report, &Cell, &Metric) -> Text| -> Vec<Text> {
            row.iter().map(|c| c.map(|c| text(report, c, metric)).unwrap_or_default()).collect()
        };
        if row.iter().flatten().any(|c| c.values.contains_key(metric.name)) {
            // Even without a number of ours: the paper's below would not say what it is.
            lines.push(Line { label: first_label(&lines, label), what: metric.label, cells: texts(ours) });
        } else {
            push(&mut lines, label, metric.label, texts(ours));
        }
        push(&mut lines, label, "  paper", texts(paper));
        push(&mut lines, label, "  difference", texts(difference));
    }
    lines
}

/// The lines of one entry where metrics are the columns: ours, the paper's and the difference.
fn metric_columns(report: &Report, label: &str, cell: &Cell, metrics: &[&'static Metric]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let texts = |text: fn(&Report, &Cell, &Metric) -> Text| -> Vec<Text> {
        metrics.iter().map(|m| text(report, cell, m)).collect()
    };
    push(&mut lines, label, "ours", texts(ours));
    push(&mut lines, label, "  paper", texts(paper));
    push(&mut lines, label, "  difference", texts(difference));
    lines
}

/// Our number, with its deviation over seeds; for the main metric the reason where there is none.
fn ours(report: &Report, cell: &Cell, metric: &Metric) -> Text {
    let is_main = metric.name == report.spec.layout.cells[0];
    let value = cell.values.get(metric.name);
    let text = match value.and_then(|v| v.mean().map(|m| (m, v.deviation()))) {
        Some((mean, Some(d))) => format!("{}±{}", metric.number(mean), metric.number(d)),
        Some((mean, None)) => metric.number(mean),
        None if is_main => missing(&cell.status).into(),
        None => String::new(),
    };
    let text = if cell.stale && is_main { text + " (stale)" } else { text };
    Text { text, best: is_main && is_best(report, cell) }
}

fn paper(report: &Report, cell: &Cell, metric: &Metric) -> Text {
    let text = cell.values.get(metric.name).and_then(|v| v.paper).map(|p| metric.number(p));
    if computed::is_not_printed(report.spec, cell, metric.name) {
        text.map(|t| format!("≈{t}")).into()
    } else {
        text.into()
    }
}

fn difference(_: &Report, cell: &Cell, metric: &Metric) -> Text {
    cell.values.get(metric.name).and_then(|v| v.difference()).map(|d| metric.signed(d)).into()
}

/// Appends a line unless it is empty.
fn push(lines: &mut Vec<Line>, label: &str, what: &'static str, cells: Vec<Text>) {
    if cells.iter().any(|c| !c.text.is_empty()) {
        lines.push(Line { label: first_label(lines, label), what, cells });
    }
}

/// Only an entry's first line is labelled.
fn first_label(lines: &[Line], label: &str) -> String {
    if lines.is_empty() { label.into() } else { String::new() }
}

fn is_best(report: &Report, cell: &Cell) -> bool {
    let dimension = compared(report.spec);
    report.significance.iter().any(|s| {
        cell.coordinates.get(&dimension) == Some(&s.best)
            && s.coordinates.iter().all(|(d, v)| cell.coordinates.get(d) == Some(v))
    })
}

/// Why a cell has no number.
pub(super) fn missing(status: &Status) -> &'static str {
    match status {
        Status::NotYet(_) => "not yet",
        Status::NotRun => "not run",
        Status::Failed(_) => "failed",
        Status::Done | Status::Part { .. } => "—",
    }
}
