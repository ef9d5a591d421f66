//! The report as GitHub's Markdown.
use super::{Report, view};

pub(super) fn render(report: &Report) -> String {
    let mut out = format!("# {}\n\n", report.spec.title);
    for line in report.headings() {
        out += &format!("- {line}\n");
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

/// Characters that would end a table's cell or begin emphasis.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('\n', " ")
}
