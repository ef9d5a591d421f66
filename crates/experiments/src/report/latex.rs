//! The report as LaTeX, for the package `booktabs`: a table per group.
use super::{Report, view};

pub(super) fn render(report: &Report) -> String {
    let mut out =
        String::from("% Needs \\usepackage{booktabs} and, for the signs, \\usepackage[utf8]{inputenc}.\n");
    for line in report.closing() {
        out += &format!("% {}\n", line.replace('\n', " "));
    }
    for group in view::groups(report) {
        let mut caption = escape(&report.spec.title);
        if !group.heading.is_empty() {
            caption += &format!(", {}", escape(&group.heading));
        }
        let headings: Vec<String> = report.headings().iter().map(|line| escape(line)).collect();
        let columns: Vec<String> = group.columns.iter().map(|column| escape(column)).collect();
        out += "\n\\begin{table}\n\\centering\n";
        out += &format!("\\caption{{{caption}. {}.}}\n", headings.join(". "));
        out += &format!("\\begin{{tabular}}{{ll{}}}\n\\toprule\n", "r".repeat(columns.len()));
        out += &format!(" & & {} \\\\\n\\midrule\n", columns.join(" & "));
        for (i, line) in group.lines.iter().enumerate() {
            if i > 0 && !line.label.is_empty() {
                out += "\\addlinespace\n";
            }
            let cells: Vec<String> = line.cells.iter().map(cell).collect();
            out += &format!(
                "{} & {} & {} \\\\\n",
                escape(&line.label),
                escape(line.what.trim()),
                cells.join(" & ")
            );
        }
        out += "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
    }
    out
}

fn cell(text: &view::Text) -> String {
    let escaped = escape(&text.text);
    if text.best { format!("\\textbf{{{escaped}}}") } else { escaped }
}

/// Signs with a meaning of their own, and those outside of the usual fonts.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '±' => out += "$\\pm$",
            '≈' => out += "$\\approx$",
            '−' => out += "$-$",
            'ρ' => out += "$\\rho$",
            'λ' => out += "$\\lambda$",
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn signs_with_a_meaning_are_escaped() {
        assert_eq!(escape("a_b & 50 % ±0.1 {x}^2"), "a\\_b \\& 50 \\% $\\pm$0.1 \\{x\\}\\textasciicircum{}2");
    }
}
