//! The report as GitHub's Markdown.
use super::{Report, view};
use std::path::Path;

/// The report; as the file `at` it shows the plot beside that.
pub(super) fn render(report: &Report, at: Option<&Path>) -> String {
    let mut out = format!("# {}\n\n", report.spec.title);
    for line in report.headings() {
        out += &format!("- {line}\n");
    }
    if let Some(picture) = at.and_then(|file| picture(report, file)) {
        out += &format!("\n![{}]({picture})\n", escape(&report.spec.title));
    }
    for group in view::groups(report) {
        if !group.heading.is_empty() {
            out += &format!("\n## {}\n", group.heading);
        }
        out += &format!("\n| | | {} |\n", group.columns.join(" | "));
        out += &format!("|---|---|{}\n", "---:|".repeat(group.columns.len()));
        for line in &group.lines {
            let cells: Vec<String> = line
                .cells
                .iter()
                .map(|c| if c.best { format!("**{}**", c.text) } else { c.text.clone() })
                .collect();
            out += &format!("| {} | {} | {} |\n", escape(&line.label), line.what.trim(), cells.join(" | "));
        }
    }
    out += "\n";
    if !report.significance.is_empty() {
        out += "- bold: best of its column; *: significant at 0.05\n";
    }
    for line in report.closing() {
        match line.strip_prefix("  ") {
            Some(inner) => out += &format!("  - {}\n", escape(inner)),
            None => out += &format!("- {}\n", escape(&line)),
        }
    }
    out
}

/// Name of the plot beside `file`, where there is one.
fn picture(report: &Report, file: &Path) -> Option<String> {
    let svg = file.with_extension("svg");
    let is_there = report.spec.layout.plot.is_some() && svg.is_file();
    is_there.then(|| svg.file_name().map(|name| name.to_string_lossy().into_owned()))?
}

/// Characters that would end a table's cell or begin emphasis.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('\n', " ")
}
