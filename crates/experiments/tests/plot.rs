//! Plots, and layouts of tables that are no scores.
use crate::{
    errors::check,
    project::{Project, replace, text},
};
use scenarec_experiments::{
    plan::Plan,
    report::{Cell, Format, Report, Status, Totals, Value, significance, verdict},
    spec::{Catalog, Selection, TableSpec},
    store::Store,
};
use std::collections::BTreeMap;

const TABLE: &str = "configs/tables/csdm-table1-100k.yaml";
const METHODS: &str = "  method: [none, cvar, csdm]\n";
/// The end of the table's layout.
const END: &str = "  where: { stage: evaluate }
  plot: { kind: bars, x: phase, series: method, panels: [dataset], y_from: data }\n";
const BARS: &str =
    "  plot: { kind: bars, x: phase, series: method, panels: [dataset] }\n  where: { stage: evaluate }\n";

fn load(project: &Project) -> TableSpec {
    TableSpec::load(&Catalog::open(&project.path("configs")), "csdm-table1-100k").unwrap()
}

/// Every cell of the table, without numbers.
fn cells(spec: &TableSpec) -> Vec<Cell> {
    let cell = |coordinates| Cell {
        coordinates,
        status: Status::NotRun,
        provenance: String::new(),
        stale: false,
        values: BTreeMap::new(),
    };
    spec.cells().into_iter().map(cell).collect()
}

/// Gives the cell invented numbers.
fn set(cell: &mut Cell, metric: &str, by_seed: &[f64], paper: Option<f64>) {
    let by_seed = by_seed.iter().enumerate().map(|(i, v)| (i as u64, *v)).collect();
    cell.values.insert(metric.into(), Value { by_seed, paper });
    cell.status = Status::Done;
    cell.provenance = "simulated".into();
}

fn render(spec: &TableSpec, cells: Vec<Cell>, format: Format) -> Vec<u8> {
    let runs = tempfile::tempdir().unwrap();
    let store = Store::open(runs.path(), runs.path()).unwrap();
    let report = Report {
        spec,
        selection: &Selection::default(),
        plan: &Plan { nodes: Default::default(), cells: vec![] },
        store: &store,
        significance: significance(spec, &cells),
        verdict: verdict(spec, &cells),
        totals: Totals::default(),
        points: vec![],
        searches: vec![],
        notes: BTreeMap::from([("movielens-100k-cold".into(), "simulated data: invented rows".into())]),
        cells,
        hidden: 0,
    };
    report.render(format, None).unwrap()
}

#[test]
fn bars_show_every_value_and_name_what_is_missing() {
    let project = Project::new();
    project.edit(TABLE, END, BARS);
    let spec = load(&project);
    let mut cells = cells(&spec);
    for (i, cell) in cells.iter_mut().filter(|c| c.coordinates["method"] != "cvar").enumerate() {
        set(cell, "auc", &[0.7 + 0.01 * i as f64, 0.71], (i < 3).then_some(0.72));
    }
    let svg = text(&render(&spec, cells.clone(), Format::Svg));
    for line in ["Base", "CVAR", "CSDM", "paper", "simulated data: invented rows", "Warm-c", "AUC", "phase"] {
        assert!(svg.contains(&format!(">\n{line}\n</text>")), "{line} is not in\n{svg}");
    }
    // A filled rectangle per value and one in the legend.
    let filled = |colour: &str| svg.matches(&format!("fill=\"{colour}\" stroke=\"none\"")).count();
    assert_eq!((filled("#E69F00"), filled("#56B4E9"), filled("#009E73")), (5, 1, 5), "{svg}");
    assert!(!svg.contains("Coloured diamonds") && !svg.contains("begin at zero"), "{svg}");
    assert_eq!(svg.matches("<polygon").count(), 3 + 1, "a diamond per number of the paper, and the legend's");
    assert_eq!(svg.matches(">\nnot run\n</text>").count(), 4);
    assert!(svg.contains("\n4 of 12 not run\n"), "{svg}");

    assert_eq!(text(&render(&spec, cells.clone(), Format::Svg)), svg, "not the same twice");

    let only_papers = cells.iter_mut().find(|c| c.coordinates["method"] == "cvar").unwrap();
    set(only_papers, "auc", &[], Some(0.7));
    let svg = text(&render(&spec, cells.clone(), Format::Svg));
    assert!(svg.contains("Coloured diamonds"), "{svg}");
    let png = render(&spec, cells, Format::Png);
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 10_000, "{} bytes", png.len());
}

#[test]
fn lines_are_drawn_over_numbers_and_interrupted_by_gaps() {
    let project = Project::new();
    let variant =
        |rho: &str| format!("    - {{ name: \"{rho}\", set: {{ method: {{ csdm: {{ rho: {rho} }} }} }} }}\n");
    let grid = format!(
        "{METHODS}  rho:\n{}{}{}{}",
        variant("0.01"),
        variant("1.0"),
        variant("0.1"),
        variant("10.0")
    );
    project.edit(TABLE, METHODS, &grid);
    project.edit(TABLE, "rows: [dataset, method]", "rows: [dataset, method, rho]");
    project.edit(
        TABLE,
        END,
        "  plot: { kind: lines, x: rho, scale_x: log, series: method, panels: [phase] }\n  where: { stage: evaluate }\n",
    );
    let spec = load(&project);
    let mut cells = cells(&spec);
    let shown = |c: &&mut Cell| c.coordinates["method"] == "none" && c.coordinates["phase"] == "cold";
    for cell in cells.iter_mut().filter(shown) {
        let rho: f64 = cell.coordinates["rho"].parse().unwrap();
        if rho < 5.0 {
            set(cell, "auc", &[0.7 + 0.001 * rho], None);
        }
    }
    let svg = text(&render(&spec, cells, Format::Svg));
    // Two circles per point: its fill and its edge; one point is the legend's.
    assert_eq!(svg.matches("<circle").count(), 2 * (3 + 1), "{svg}");
    let line = svg.lines().find(|l| l.contains("<polyline") && l.matches(',').count() == 3).unwrap();
    let x: Vec<f64> = line
        .split("points=\"")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .filter_map(|p| p.split_once(',')?.0.parse().ok())
        .collect();
    assert!(x[0] < x[1] && (x[2] - x[1] - (x[1] - x[0])).abs() <= 1.0, "equal steps of the logarithm: {x:?}");
    assert_eq!(
        svg.matches(">\nnot run\n</text>").count(),
        1 + 3,
        "a gap of all lines, and three empty panels"
    );
    assert!(svg.contains(">\nCVAR, CSDM: not run at 0.01, 1.0, 0.1\n</text>"), "{svg}");
}

#[test]
fn cells_that_do_not_exist_are_shown_nowhere() {
    let project = Project::new();
    project.edit(
        TABLE,
        "dataset: [movielens-100k-cold]",
        "dataset: [movielens-100k-cold, movielens-1m-cold]",
    );
    let without = "  without:
    - { dataset: movielens-100k-cold, phase: [warm_b, warm_c] }
    - { dataset: movielens-1m-cold, phase: cold }
    - { dataset: movielens-1m-cold, method: none }\n";
    project.edit(TABLE, END, &format!("{without}{BARS}"));
    let spec = load(&project);
    let cells = cells(&spec);
    assert_eq!(cells.len(), 3 * 2 + 2 * 3);
    let shown = text(&render(&spec, cells.clone(), Format::Markdown));
    for header in ["| | | Cold | Warm-a |\n", "| | | Warm-a | Warm-b | Warm-c |\n", "cells: 0 of 12 computed"]
    {
        assert!(shown.contains(header), "{header} is not in\n{shown}");
    }
    assert_eq!(shown.matches("| Base |").count(), 1, "{shown}");
    assert_eq!(text(&render(&spec, cells.clone(), Format::Csv)).lines().count(), 1 + 12);
    let svg = text(&render(&spec, cells, Format::Svg));
    let labels = |label| svg.matches(&format!(">\n{label}\n</text>")).count();
    assert_eq!([labels("Cold"), labels("Warm-a"), labels("Warm-b")], [1, 2, 1], "places of each panel");
    // What has no cell has no run.
    let planned = project.ok(&["plan", "csdm-table1-100k", "--quick", "--only", "method=none"]);
    assert!(planned.contains("movielens-100k-cold") && !planned.contains("movielens-1m-cold"), "{planned}");
}

#[test]
fn mistakes_in_what_does_not_exist_are_named() {
    let without = |item: &str, needle: &str, message: &str| {
        let lines = format!("  without: [{item}]\n{END}");
        check(END, &lines, needle, &format!("layout.without{message}"));
    };
    without("{ phases: cold }", "phases", ".0.phases: unknown dimension `phases`; did you mean `phase`?");
    without("{ phase: clod }", "clod", ".0.phase: unknown phase `clod`; did you mean `cold`?");
    without("{ method: [none, cdsm] }", "[none, cdsm]", ".0.method: unknown method `cdsm`");
    without("{}", "{}]", ".0: names no dimension");
    without("{ method: [none, cvar, csdm] }", "without:", ": no cell is left");
}

#[test]
fn a_table_without_scores_has_metrics_as_columns_and_no_verdict() {
    let project = Project::new();
    let table = project.read(TABLE);
    let layout = table.find("layout:").unwrap();
    let counts = "layout:\n  rows: [method, phase]\n  cells: [rows, users, wall_seconds]\n  labels:\n    phase: { cold: Cold }\n";
    project.write(TABLE, &format!("{}{counts}", &table[..layout]));
    let spec = load(&project);
    let mut cells = cells(&spec);
    for cell in &mut cells {
        set(cell, "rows", &[1_000_209.0], Some(1_000_000.0));
        set(cell, "users", &[6040.0], None);
        set(cell, "wall_seconds", &[1.23, 1.25], None);
    }
    let shown = text(&render(&spec, cells.clone(), Format::Markdown));
    let expected = "\
| | | rows | users | seconds in all |
|---|---|---:|---:|---:|
| Cold | ours | 1,000,209 | 6,040 | 1.24±0.01 |
|  | paper | 1,000,000 |  |  |
|  | difference | +209 |  |  |
";
    assert!(shown.contains(expected), "{shown}");
    for word in ["best", "verdict", "p ="] {
        assert!(!shown.contains(word), "{word} is in\n{shown}");
    }
    assert!(text(&render(&spec, cells, Format::Text)).contains("+209"));
}

#[test]
fn mistakes_in_a_plot_are_named() {
    let plot = |from: &str, to: &str, needle: &str, message: &str| {
        check(END, &replace(BARS, from, to), needle, &format!("layout.plot{message}"));
    };
    plot(
        "bars",
        "bar",
        "bar,",
        ".kind: unknown variant `bar`, expected one of `bars`, `lines`, `scatter`; did you mean `bars`?",
    );
    plot("x: phase", "y_axis: auc", "y_axis", ".y_axis: unknown field `y_axis`");
    plot("x: phase", "x: phases", "phases", ".x: unknown dimension `phases`; did you mean `phase`?");
    plot("[dataset]", "[method]", "method] }", ".panels.0: the dimension `method` is already placed");
    plot("series: method, ", "", "plot", ": the dimension `method` has several values but is none of x");
    plot("x: phase", "y: logloss, x: phase", "logloss", ".y: unknown metric of layout.cells `logloss`");
    plot("x: phase", "scale_x: log, x: phase", "log, x", ".scale_x: bars stand at equal distances");
    plot(
        "kind: bars",
        "scale_x: log, kind: lines",
        "log, k",
        ".scale_x: `cold` of the dimension `phase` has no",
    );
    plot("x: phase, ", "", "{ kind: bars", ": missing field `x`");
    plot("bars, x: phase", "scatter, x: phase", "x: phase", ".x: the points tell it themselves");
    let scatter = |panels: &str, needle: &str, message: &str| {
        let to = format!("{{ kind: scatter, panels: {panels} }}");
        plot("{ kind: bars, x: phase, series: method, panels: [dataset] }", &to, needle, message);
    };
    scatter("[dataset]", "plot", ": the dimension `method` has several values but is not in panels");
    scatter("[method, phase, dataset]", "phase, dataset]", ".panels.1: unknown dimension `phase`");
    let cells = |to: &str, needle: &str, message: &str| check("cells: [auc, rela_impr]", to, needle, message);
    cells("cells: [aux]", "aux", "layout.cells.0: unknown metric `aux`; did you mean `auc`?");
    cells("cells: [ratio]", "ratio", "layout.cells.0: ratio is computed from another metric");
    cells("cells: [logloss, rela_impr]", "rela_impr", "layout.cells.1: rela_impr needs auc among the cells");
    check(
        "  baseline: { method: none }\n",
        "",
        "rela_impr",
        "layout.cells.1: rela_impr needs layout.baseline",
    );
}

#[test]
fn plots_are_files_beside_the_report() {
    let project = Project::new();
    project.edit(TABLE, END, "");
    let error = project.error(&["report", "csdm-table1-100k", "--quick", "--format", "svg"]);
    let expected = format!("error: {TABLE} says nothing about a plot: describe one under layout.plot");
    assert!(error.starts_with(&expected), "{error}");
    project.write(TABLE, &(project.read(TABLE) + BARS));
    let report = |more: &[&str]| project.ok(&[&["report", "csdm-table1-100k", "--quick"], more].concat());
    assert!(report(&["--format", "svg"]).contains("quick, simulated"));
    let error = project.error(&["report", "csdm-table1-100k", "--quick", "--format", "png"]);
    assert!(error.starts_with("error: --format png needs --out FILE"), "{error}");

    report(&["--format", "markdown", "--out", "small.md"]);
    assert!(!project.read("small.md").contains("!["));
    report(&["--format", "svg", "--out", "small.svg"]);
    report(&["--format", "markdown", "--out", "small.md"]);
    assert!(project.read("small.md").contains("](small.svg)\n"), "{}", project.read("small.md"));
}
