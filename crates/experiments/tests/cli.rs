//! What the commands print.
use crate::{
    project::{Project, copy, repository, text},
    registry::catalog,
};
use std::process::Command;

#[test]
fn tables_are_listed_with_their_runs() {
    let listed = Project::new().ok(&["list"]);
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, catalog().names("table"));
    let width = names.iter().map(|n| n.len()).max().unwrap();
    for (name, about) in [
        ("csdm-figure2", "CSDM Figure 2: AUC in four phases, backbones Wide & Deep and DCN (0 of 240 runs)"),
        (
            "csdm-table1",
            "CSDM Table 1: AUC and RelaImpr in four phases, backbone DeepFM (0 of 210 runs, 0 of 8 trials)",
        ),
    ] {
        assert!(listed.contains(&format!("{name:width$}  {about}\n")), "{listed}");
    }
}

#[test]
fn the_papers_binary_knows_its_tables_by_their_short_names() {
    let project = Project::new();
    let csdm = |arguments: &[&str]| {
        let out =
            Command::new(env!("CARGO_BIN_EXE_csdm")).args(arguments).current_dir(project.path("")).output();
        let out = out.unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    assert_eq!(csdm(&["plan", "table1", "--quick"]), csdm(&["plan", "csdm-table1", "--quick"]));
    assert!(csdm(&["completions", "bash"]).contains("_csdm()"));
}

#[test]
fn show_prints_every_setting() {
    let shown = Project::new().ok(&[
        "show",
        "csdm-table1-100k",
        "--only",
        "method=csdm",
        "--set",
        "run.warm.epochs=7",
    ]);
    for part in
        ["recipe: cold_item", "fingerprint:", "epochs: 7", "weight_decay: ", "rho: ", "dim: 16", "threads: 1"]
    {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn a_profile_can_change_the_split() {
    let shown = |profile| {
        Project::new().ok(&[
            "show",
            "m3oe-table1",
            "--only",
            "dataset=movielens-1m-age",
            "--profile",
            profile,
        ])
    };
    assert!(shown("paper").contains("ratio:"), "{}", shown("paper"));
    let released = shown("released");
    assert!(released.contains("by_position:") && released.contains("order: joined"), "{released}");
}

#[test]
fn statistics_of_a_dataset_name_its_scenarios() {
    let shown = Project::new().ok(&["data", "stats", "movielens-1m-age", "--rows", "2000"]);
    for part in ["all", "train", "valid", "test"] {
        let rows = |name: &str| -> usize {
            let line = shown.lines().find_map(|l| l.trim_start().strip_prefix(name)?.strip_prefix("  "));
            line.unwrap_or_else(|| panic!("no {name} in\n{shown}"))
                .split_whitespace()
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        let sum = ["1", "2", "3"].iter().map(|s| rows(&format!("{part}, {s}"))).sum::<usize>();
        assert_eq!(sum, rows(part), "{shown}");
    }
}

#[test]
fn the_first_rows_are_shown_field_by_field() {
    let shown = Project::new().ok(&["data", "head", "dewu-8", "--rows", "6400", "-n", "2"]);
    for part in ["dewu-8: simulated", "row 1", "behaviours.brand", "sequence", "label click", "session", "D1"]
    {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("row 2"), "{shown}");
}

#[test]
fn raw_files_are_compared_with_the_official_ones_and_their_statistics_with_the_papers() {
    let project = Project::new();
    let error = project.error(&["data", "verify", "movielens-1m-age"]);
    assert!(
        error.contains("data/raw/movielens-1m does not hold the raw files of movielens-1m-age"),
        "{error}"
    );

    copy(&repository().join("data/fixtures/movielens-1m"), &project.path("data/raw/movielens-1m"));
    let out = project.command(&["data", "verify", "movielens-1m-age"]).output().unwrap();
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "these are not the official files: {shown}");
    for part in ["approximated: the checksum of ratings.dat is not a known one", "M3oE Table 1", "210,747"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn what_cannot_be_fetched_is_told_where_it_is() {
    let project = Project::new();
    let error = project.error(&["data", "fetch", "taobao-ad-cold"]);
    assert!(error.contains("tianchi.aliyun.com/dataset/56") && error.contains("raw_sample.csv"), "{error}");
    let error = project.error(&["data", "fetch", "dewu-8"]);
    assert!(error.contains("dewu-8 was never published"), "{error}");

    copy(&repository().join("data/fixtures/movielens-1m"), &project.path("data/raw/movielens-1m"));
    let shown = project.ok(&["data", "fetch", "movielens-1m-age"]);
    assert!(shown.contains("left as they are: ratings.dat, users.dat, movies.dat"), "{shown}");
}

#[test]
fn a_report_without_runs_says_so() {
    let project = Project::new();
    let shown = project.ok(&["report", "csdm-table1", "--quick"]);
    for part in ["quick, simulated", "not run", "cells: 0 of 84 computed", "84 not run", "0.7313"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(shown.lines().all(|l| l.chars().count() <= 100), "{shown}");
    let file = project.path("table.md");
    project.ok(&[
        "report",
        "csdm-table1",
        "--quick",
        "--format",
        "markdown",
        "--out",
        file.to_str().unwrap(),
    ]);
    assert!(project.read("table.md").contains("| Base | AUC | not run | not run | not run | not run |"));
}

#[test]
fn gc_shows_before_it_removes() {
    let project = Project::new();
    project.ok(&["report", "csdm-table1", "--quick"]);
    let dead = project.path("runs/.tmp-0123456789abcdef-x");
    std::fs::create_dir(&dead).unwrap();
    assert!(project.ok(&["gc"]).contains("left by a killed process"));
    assert!(dead.exists());
    assert!(project.ok(&["gc", "--yes"]).contains("1 folders, 0.0 MiB removed"));
    assert!(!dead.exists());
}
