//! The report's formats, from a table that was run.
use crate::project::{Project, text};
use std::fs;

const SELECT: [&str; 5] = ["small", "--quick", "--seeds", "2", "--set"];
const EPOCHS: &str = "run.pretrain.epochs=3";

#[test]
fn a_run_is_reported_in_every_format() {
    let project = Project::with_small_table();
    project.ok(&[&["run"], &SELECT[..], &[EPOCHS]].concat());
    let read = |end: &str| project.read(&format!("runs/reports/small-quick.{end}"));

    let page = read("html");
    for wanted in [
        "simulated data</span>",
        "these numbers say nothing about the paper",
        "<th scope=\"row\">CSDM</th>",
        "cells: 12 of 12 computed",
        "<h2>Plot</h2>",
        "<h2>Learning curves</h2>",
        "<h2>Settings</h2>",
        "<h2>Environment</h2>",
        "peak memory",
        "shared stages",
    ] {
        assert!(page.contains(wanted), "{wanted:?} is missing");
    }
    // Nothing is loaded from elsewhere: the only address is that of SVG's namespace.
    let addresses: Vec<&str> = page.split("http").skip(1).map(|rest| &rest[..rest.len().min(22)]).collect();
    assert!(addresses.iter().all(|a| *a == "://www.w3.org/2000/svg"), "{addresses:?}");
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("<img"));
    assert_eq!(page.matches("<svg ").count(), 2);
    // Pictures take the page's colours, light or dark.
    for grey in ["var(--page)", "var(--ink)", "var(--soft)", "var(--line)"] {
        assert!(
            page.contains(&format!("fill=\"{grey}\"")) || page.contains(&format!("stroke=\"{grey}\"")),
            "{grey}"
        );
    }

    let latex = read("tex");
    assert_eq!(latex.matches("\\begin{tabular}").count(), latex.matches("\\end{tabular}").count());
    assert!(
        latex.contains("\\toprule") && latex.contains("$\\pm$") && latex.contains("simulated data"),
        "{latex}"
    );
    // A number of the table is the same everywhere.
    let line = latex.lines().find(|l| l.starts_with("CSDM & ")).unwrap();
    let number = line.split(" & ").nth(2).unwrap();
    let number = number.trim_start_matches("\\textbf{").split('$').next().unwrap();
    assert!(number.parse::<f64>().is_ok(), "{line}");
    assert!(page.contains(&format!(">{number}±")) && read("md").contains(number), "{number}");

    let curves = ["--tensorboard", "curves"];
    let said = project.command(&[&["report"], &SELECT[..], &[EPOCHS], &curves].concat()).output().unwrap();
    assert!(text(&said.stderr).contains("tensorboard --logdir curves"), "{}", text(&said.stderr));
    let of_run = fs::read_dir(project.path("curves")).unwrap().map(|run| run.unwrap().path());
    let stages: Vec<_> = of_run.filter(|run| run.to_string_lossy().contains("pretrain")).collect();
    assert_eq!(stages.len(), 2, "one for each seed: {stages:?}");
    let file = fs::read_dir(&stages[0]).unwrap().next().unwrap().unwrap().path();
    let tags = fs::read(file).unwrap();
    let tag = b"pretrain/loss";
    assert_eq!(tags.windows(tag.len()).filter(|w| w == tag).count(), 3, "a number for each epoch");
}

#[test]
fn the_index_lists_every_table() {
    let project = Project::new();
    project.ok(&["report", "--all", "--quick"]);
    let index = project.read("runs/reports/index.html");
    let tables = fs::read_dir(project.path("configs/tables")).unwrap();
    let mut n = 0;
    for table in tables.map(|t| t.unwrap().path()).filter(|t| t.extension().is_some_and(|e| e == "yaml")) {
        let name = table.file_stem().unwrap().to_str().unwrap();
        assert!(index.contains(&format!("<a href=\"{name}-quick.html\">{name}</a>")), "{name}");
        assert!(project.path(&format!("runs/reports/{name}-quick.html")).is_file(), "{name}");
        n += 1;
    }
    assert!(n > 50, "{n} tables");
}

#[test]
fn a_file_of_no_format_is_refused() {
    let project = Project::new();
    let error = project.error(&["report", "csdm-table1", "--out", "table.docx"]);
    assert!(
        error.contains("no format has files of this name (known: .txt, .md, .csv, .html, .tex, .svg, .png)"),
        "{error}"
    );
}
