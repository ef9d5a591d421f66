//! The report for a terminal of 100 columns.
use super::{Report, view};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::ops::Range;

/// Columns of a terminal that everything fits into.
const WIDTH: u16 = 100;

/// Blanks of a column besides its text.
const PADDING: usize = 2;

/// Lines above, below the header and below: the labels tell where an entry begins.
const STYLE: TableStyle = {
    let line = LineStyle::new('─', '─', '─', '─');
    TableStyle::new().top_border(line).header_separator(line).bottom_border(line)
};

pub(super) fn render(report: &Report) -> String {
    let mut out = format!("{}\n", report.spec.title);
    for line in report.headings() {
        out += &format!("{line}\n");
    }
    for group in view::groups(report) {
        out += "\n";
        if !group.heading.is_empty() {
            out += &format!("{}\n", group.heading);
        }
        for columns in blocks(&group) {
            out += &format!("{}\n", table(&group, columns));
        }
    }
    out += "\n";
    if !report.significance.is_empty() {
        out += "^ best of its column; * significant at 0.05\n";
    }
    for line in report.closing() {
        out += &wrapped(&line);
    }
    out
}

/// The group's columns, in as many tables below each other as it takes.
fn blocks(group: &view::Group) -> Vec<Range<usize>> {
    let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(|t| t.chars().count()).max().unwrap_or(0);
    let labels = width(&mut group.lines.iter().map(|l| l.label.as_str())) + PADDING;
    let what = width(&mut group.lines.iter().map(|l| l.what)) + PADDING;
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (i, name) in group.columns.iter().enumerate() {
        let cells = group.lines.iter().map(|l| l.cells[i].text.as_str());
        // The mark of the best number is the one more.
        let column = width(&mut cells.chain([name.as_str()])) + PADDING + 1;
        match blocks.last_mut() {
            Some(block) if used + column <= usize::from(WIDTH) => {
                block.end = i + 1;
                used += column;
            }
            _ => {
                blocks.push(i..i + 1);
                used = labels + what + column;
            }
        }
    }
    blocks
}

fn table(group: &view::Group, columns: Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    let mut header = vec![String::new(), String::new()];
    header.extend(group.columns[columns.clone()].iter().cloned());
    table.set_header(header);
    for line in &group.lines {
        let mut row = vec![line.label.clone(), line.what.to_string()];
        let cells = line.cells[columns.clone()].iter();
        row.extend(cells.map(|c| if c.best { format!("{}^", c.text) } else { c.text.clone() }));
        table.add_row(row);
    }
    for i in 2..2 + columns.len() {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The line, broken between words; further lines are indented.
fn wrapped(line: &str) -> String {
    let indent = &line[..line.len() - line.trim_start().len()];
    let mut lines = vec![indent.to_string()];
    for word in line.split_whitespace() {
        let last = lines.last_mut().expect("there is a first line");
        if last.trim().is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= usize::from(WIDTH) {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(format!("{indent}    {word}"));
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_tables_are_continued_below() {
        let text = view::Text { text: "0.6225 ± 0.0010 *".into(), best: true };
        let group = view::Group {
            heading: String::new(),
            columns: (0..9).map(|i| format!("model {i}")).collect(),
            lines: vec![view::Line { label: "Diff-MSR".into(), what: "difference", cells: vec![text; 9] }],
        };
        let blocks = blocks(&group);
        assert!(blocks.len() > 1);
        assert_eq!(blocks.iter().cloned().flatten().collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
        for block in blocks {
            let shown = table(&group, block).to_string();
            assert_eq!(shown.lines().count(), 5, "{shown}");
            assert!(shown.lines().all(|l| l.chars().count() <= usize::from(WIDTH)), "{shown}");
        }
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = wrapped(&format!("  {}", "word ".repeat(30).trim()));
        assert!(text.lines().all(|l| l.chars().count() <= usize::from(WIDTH)), "{text}");
        assert_eq!(text.lines().count(), 2);
        assert_eq!(wrapped("short"), "short\n");
    }
}
