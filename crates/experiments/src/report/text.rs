//! The report for a terminal of 100 columns.
use super::{Report, view};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// Columns of a terminal that everything fits into.
const WIDTH: u16 = 100;

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
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        let mut header = vec![String::new(), String::new()];
        header.extend(group.columns.iter().cloned());
        table.set_header(header);
        for line in &group.lines {
            let mut row = vec![line.label.clone(), line.what.to_string()];
            row.extend(
                line.cells.iter().map(|c| if c.best { format!("{}^", c.text) } else { c.text.clone() }),
            );
            table.add_row(row);
        }
        for i in 2..2 + group.columns.len() {
            if let Some(column) = table.column_mut(i) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        out += &format!("{table}\n");
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
    fn long_lines_are_broken_between_words() {
        let text = wrapped(&format!("  {}", "word ".repeat(30).trim()));
        assert!(text.lines().all(|l| l.chars().count() <= usize::from(WIDTH)), "{text}");
        assert_eq!(text.lines().count(), 2);
        assert_eq!(wrapped("short"), "short\n");
    }
}
