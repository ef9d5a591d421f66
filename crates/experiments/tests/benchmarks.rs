//! `bench`: what is shipped can be measured, and figures stand side by side.
use crate::{
    project::{Project, repository, text},
    registry::catalog,
};
use scenarec_experiments::bench::{Benchmark, Ours};
use std::fs;

#[test]
fn every_benchmark_can_be_planned_and_its_programs_are_there() {
    let project = Project::new();
    let catalog = catalog();
    let names = catalog.names("benchmark");
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        let benchmark = Benchmark::load(&catalog, &name).unwrap();
        benchmark.check(&repository()).unwrap();
        if let Ours::Run(run) = &benchmark.ours {
            let mut arguments = vec!["plan", &run.table, "--seeds", "1", "--profile", &run.profile];
            arguments.extend(run.only.iter().flat_map(|only| ["--only", only]));
            arguments.extend(run.set.iter().flat_map(|set| ["--set", set]));
            let plan = project.ok(&arguments);
            assert!(plan.contains(" to do"), "{name}: {plan}");
        }
    }
}

/// A project with a benchmark of its own, beside which `script` is measured, by a shell in the place of Python.
fn with_peer(script: &str) -> Project {
    let project = Project::new();
    project.write(
        "configs/benchmarks/mine.yaml",
        "benchmark: mine\ntitle: a thousand rows\nunit: seconds\nours: { built_in: { name: auc, rows: 1000 } }\n\
         peers: [{ name: another, script: another.sh, args: ['{rows}', '{threads}'] }]\n",
    );
    fs::create_dir_all(project.path("bench/peers")).unwrap();
    project.write("bench/peers/another.sh", script);
    project
}

#[test]
fn programs_stand_side_by_side() {
    let project =
        with_peer("echo hello\necho \"{\\\"seconds\\\": $1, \\\"peak_rss_bytes\\\": 1073741824}\"\n");
    let mine = ["bench", "mine", "--python", "sh", "--repeat", "2"];
    let shown = project.ok(&mine);
    let another = shown.lines().find(|l| l.contains("another")).unwrap();
    let words: Vec<&str> = another.split_whitespace().collect();
    assert_eq!((words[1], words[3]), ("1000", "1.00"), "{shown}");
    // A thousand seconds beside some microseconds.
    assert!(words[2].parse::<f64>().unwrap() > 1e4, "{shown}");

    let lines = project.ok(&[&mine[..], &["--json"]].concat());
    let lines: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines[0]["multiply_adds_per_second"].as_f64().unwrap() > 1e6);
    assert_eq!((&lines[1]["program"], &lines[2]["program"]), (&"scenarec".into(), &"another".into()));
    assert!(lines[1]["figure"]["peak_rss_bytes"].as_f64().unwrap() > 1e6);
    assert_eq!(lines[2]["figure"]["seconds"], 1000.0);

    let alone = project.ok(&["bench", "mine", "--alone"]);
    assert!(!alone.contains("another"), "{alone}");
    assert_eq!(project.ok(&["bench", "--list", "mine"]), "mine  a thousand rows (s)\n");
}

#[test]
fn what_cannot_be_measured_is_told() {
    for (script, message) in [
        ("echo hello", "the last line is \"hello\" and not its figure"),
        ("echo '{\"samples_per_second\": 3}'", "has no s"),
        ("echo no torch >&2; exit 3", "exit status: 3: no torch"),
    ] {
        let project = with_peer(script);
        let out = project.command(&["bench", "mine", "--python", "sh"]).output().unwrap();
        assert_eq!(out.status.code(), Some(2));
        let (shown, told) = (text(&out.stdout), text(&out.stderr));
        assert!(shown.contains(message) && told.contains("1 measurements failed"), "{shown}\n{told}");
    }
    let project = with_peer("");
    assert!(
        project.error(&["bench", "mein"]).contains("did you mean `mine`"),
        "{}",
        project.error(&["bench", "mein"])
    );
    project.edit("configs/benchmarks/mine.yaml", "name: auc", "name: acu");
    let shown = text(&project.command(&["bench", "mine", "--alone"]).output().unwrap().stdout);
    assert!(shown.contains("unknown measurement `acu`"), "{shown}");
    project.edit("configs/benchmarks/mine.yaml", "unit: seconds", "unit: second");
    let told = project.error(&["bench", "mine"]);
    assert!(told.contains("configs/benchmarks/mine.yaml:3:7: unit"), "{told}");
}
