//! The table as lines of text cells, for every format that shows it as a table.
use super::{
    Report,
    cells::{Cell, Status},
    compare::compared,
};
use std::collections::BTreeMap;

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
    /// `auc`, `paper`, `difference`, …
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
    let columns = column_keys(report);
    groups
        .into_iter()
        .map(|(key, cells)| {
            let heading: Vec<&str> = heads.iter().zip(&key).map(|(h, v)| spec.label(h, v)).collect();
            let name = |c: &BTreeMap<String, String>| {
                c.iter().map(|(d, v)| spec.label(d, v).to_string()).collect::<Vec<_>>().join(" ")
            };
            let mut lines = Vec::new();
            for entry in spec.values(line_dimension) {
                let of_column = |column: &BTreeMap<String, String>| {
                    let fits = |c: &&Cell| {
                        c.coordinates[line_dimension] == entry
                            && column.iter().all(|(d, v)| c.coordinates.get(d) == Some(v))
                    };
                    cells.iter().copied().find(fits)
                };
                let row: Vec<Option<&Cell>> = columns.iter().map(of_column).collect();
                if row.iter().any(Option::is_some) {
                    lines.extend(entry_lines(report, spec.label(line_dimension, &entry), &row));
                }
            }
            Group { heading: heading.join(", "), columns: columns.iter().map(name).collect(), lines }
        })
        .collect()
}

/// The product of the column dimensions' values.
fn column_keys(report: &Report) -> Vec<BTreeMap<String, String>> {
    let mut all = vec![BTreeMap::new()];
    for d in &report.spec.layout.columns {
        let values = report.spec.values(d);
        all = all
            .iter()
            .flat_map(|b| {
                values.iter().map(move |v| {
                    let mut c: BTreeMap<String, String> = b.clone();
                    c.insert(d.clone(), v.clone());
                    c
                })
            })
            .collect();
    }
    all
}

/// The lines of one entry: for every metric ours, the paper's and the difference.
fn entry_lines(report: &Report, label: &str, row: &[Option<&Cell>]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let main = &report.spec.layout.cells[0];
    for metric in &report.spec.layout.cells {
        let get = |c: &Option<&Cell>| c.and_then(|c| c.values.get(metric).cloned());
        let ours = row.iter().map(|c| {
            let text = match get(c).and_then(|v| v.mean().map(|m| (m, v.deviation()))) {
                Some((mean, Some(d))) => format!("{}±{}", number(metric, mean), number(metric, d)),
                Some((mean, None)) => number(metric, mean),
                None if metric == main => c.map(|c| missing(&c.status)).unwrap_or_default(),
                None => String::new(),
            };
            let stale = c.is_some_and(|c| c.stale) && metric == main;
            let text = if stale { text + " (stale)" } else { text };
            Text { text, best: metric == main && c.is_some_and(|c| is_best(report, c)) }
        });
        let ours: Vec<Text> = ours.collect();
        if row.iter().any(|c| get(c).is_some()) {
            // Even without a number of ours: the paper's below would not say what it is.
            lines.push(Line { label: first_label(&lines, label), what: name(metric), cells: ours });
        } else {
            push(&mut lines, label, name(metric), ours);
        }
        if metric == main {
            let expected =
                |c: &Option<&Cell>| c.and_then(|c| c.mean("expected_auc")).map(|m| number("auc", m)).into();
            push(&mut lines, label, "expected AUC", row.iter().map(expected).collect());
        }
        let paper = |c: &Option<&Cell>| get(c).and_then(|v| v.paper).map(|p| number(metric, p)).into();
        push(&mut lines, label, "  paper", row.iter().map(paper).collect());
        let difference =
            |c: &Option<&Cell>| get(c).and_then(|v| v.difference()).map(|d| signed(metric, d)).into();
        push(&mut lines, label, "  difference", row.iter().map(difference).collect());
    }
    lines
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

fn missing(status: &Status) -> String {
    match status {
        Status::NotYet(_) => "not yet".into(),
        Status::NotRun => "not run".into(),
        Status::Failed(_) => "failed".into(),
        Status::Done | Status::Part { .. } => "—".into(),
    }
}

/// A metric's name for readers.
pub(super) fn name(metric: &str) -> &'static str {
    match metric {
        "auc" => "AUC",
        "expected_auc" => "expected AUC",
        "gauc" => "GAUC",
        "s_gauc" => "sGAUC",
        "logloss" => "log loss",
        "rela_impr" => "RelaImpr %",
        _ => "value",
    }
}

fn number(metric: &str, value: f64) -> String {
    if metric == "rela_impr" { format!("{value:.2}") } else { format!("{value:.4}") }
}

fn signed(metric: &str, value: f64) -> String {
    if metric == "rela_impr" { format!("{value:+.2}") } else { format!("{value:+.4}") }
}
