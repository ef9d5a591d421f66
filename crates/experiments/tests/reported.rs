//! Numbers of a paper that are no plain table, and those that follow from them.
use crate::{
    errors::{PLAN, TABLE, place},
    project::{Project, replace},
};

const NUMBERS: &str = "configs/tables/reported/invented.csv";
const SPEC: &str = "\
reported:
  file: reported/invented.csv
  value: number
  metrics:
    column: of
    values:
      auc: { metric: auc, scale: 0.01 }
      log_loss: { metric: logloss }
      gain: { metric: rela_impr }
  columns: { who: method }
  ignore: [group]
  rename: { method: { Gain: CSDM } }

";
const ROWS: &str = "\
group,who,phase,of,number
a,Base,Cold,auc,70
a,Base,Cold,log_loss,0.6
a,CVAR,Cold,auc,75
ours,CSDM,Cold,auc,80
a,Base,Warm-a,auc,70
ours,CSDM,Warm-a,auc,72
ours,Gain,Warm-a,gain,11
";

fn project() -> Project {
    let project = Project::new();
    let table = project.read(TABLE);
    let table = replace(&table, "seeds: 10", &format!("{SPEC}seeds: 10"));
    let table = replace(&table, "cells: [auc, rela_impr]", "cells: [auc, rela_impr, logloss]");
    let table =
        replace(&table, "baseline: { method: none }", "baseline: { best_of: method, except: [csdm] }");
    project.write(TABLE, &table);
    project.write(NUMBERS, ROWS);
    project
}

/// The paper's numbers in the report, by "method phase metric".
fn papers(project: &Project, more: &[&str]) -> Vec<(String, f64)> {
    let flags = ["report", "csdm-table1-100k", "--quick", "--format", "csv"];
    let text = project.ok(&[&flags[..], more].concat());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let names = ["method", "phase", "metric"].map(column);
    let number = |row: csv::StringRecord| {
        let paper = row[column("paper")].parse().ok()?;
        Some((names.map(|i| row[i].to_string()).join(" "), paper))
    };
    reader.records().filter_map(|r| number(r.unwrap())).collect()
}

#[test]
fn a_row_may_say_which_metric_its_number_is_of() {
    let found = papers(&project(), &[]);
    let expected = [
        ("none cold auc", 0.7),
        ("none cold logloss", 0.6),
        // Against the paper's own best baseline, CVAR.
        ("none cold rela_impr", -20.0),
        ("none warm_a auc", 0.7),
        ("none warm_a rela_impr", 0.0),
        ("cvar cold auc", 0.75),
        ("cvar cold rela_impr", 0.0),
        ("csdm cold auc", 0.8),
        ("csdm cold rela_impr", 20.0),
        ("csdm warm_a auc", 0.72),
        // What is printed wins: 10 would follow from the AUC.
        ("csdm warm_a rela_impr", 11.0),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((name, number), (expected_name, expected)) in found.iter().zip(expected) {
        assert!(name == expected_name && (number - expected).abs() < 1e-9, "{name}: {number}");
    }
}

#[test]
fn a_number_that_the_paper_does_not_print_is_marked() {
    let project = project();
    // The paper's best baseline is that of the whole table.
    let only = ["--only", "method=csdm"];
    let alone = papers(&project, &only);
    let (name, number) = &alone[1];
    assert!(name == "csdm cold rela_impr" && (number - 20.0).abs() < 1e-9, "{alone:?}");
    let shown = project.ok(&[&["report", "csdm-table1-100k", "--quick"], &only[..]].concat());
    for part in ["≈20.00", " 11.00 ", "≈ not printed by the paper, but computed"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    project.write(NUMBERS, &replace(ROWS, "ours,CSDM,Cold,auc,80\n", ""));
    assert!(!project.ok(&[&["report", "csdm-table1-100k", "--quick"], &only[..]].concat()).contains('≈'));
}

#[test]
fn rows_of_other_metrics_can_be_left_out() {
    let project = project();
    project.edit(TABLE, "      log_loss: { metric: logloss }\n      gain: { metric: rela_impr }\n", "");
    let error = project.error(&PLAN);
    let expected = "invented.csv:3: column 4: unknown metric of reported.metrics `log_loss` (known: auc)";
    assert!(error.contains(expected), "{error}");
    project.edit(
        TABLE,
        "  rename: { method: { Gain: CSDM } }\n",
        "  only: { of: auc, method: [Base, CSDM] }\n",
    );
    let names: Vec<String> = papers(&project, &[]).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"csdm cold auc".into()), "{names:?}");
    assert!(names.iter().all(|n| !n.contains("cvar") && !n.contains("logloss")), "{names:?}");
}

#[test]
fn mistakes_are_named() {
    let check = |from: &str, to: &str, needle: &str, message: &str| {
        let project = project();
        project.edit(TABLE, from, to);
        let expected = format!("error: {}reported.{message}", place(&project, TABLE, needle));
        let error = project.error(&PLAN);
        assert!(error.starts_with(&expected), "expected {expected}\nfound    {error}");
    };
    let column = |name: &str| format!("unknown column of {NUMBERS} `{name}`");
    check("column: of", "column: fo", "fo\n", &format!("metrics.column: {}", column("fo")));
    check("[group]", "[grup]", "[grup]", &format!("ignore: {}; did you mean `group`?", column("grup")));
    check(
        "metric: logloss }",
        "metric: gauc }",
        "gauc",
        "metrics.values.log_loss.metric: unknown metric of layout.cells `gauc`; did you mean `auc`?",
    );
    check(
        "  value: number\n",
        "  value: number\n  scale: 0.5\n",
        "scale: 0.5",
        "scale: where `metrics` tells metrics and scales, this key has no meaning",
    );
    check("{ Gain: CSDM }", "{ Gian: CSDM }", "{ Gian", "rename.method: unknown method of");
    check(
        "rename: { method:",
        "rename: { methods:",
        "methods",
        &format!("rename.methods: unknown dimension of {NUMBERS} `methods`; did you mean `method`?"),
    );
    check("  metrics:\n", "  also: { gauc: number }\n  metrics:\n", "also", "also: where `metrics`");
}
