//! What the commands print.
use crate::project::Project;
use std::process::Command;

#[test]
fn list() {
    let project = Project::new();
    let expected = "\
csdm-ablations             CSDM, ablations of ours: what the gain comes from, backbone DeepFM (0 of 140 runs)
csdm-figure2               CSDM Figure 2: AUC in four phases, backbones Wide & Deep and DCN (0 of 240 runs)
csdm-figure3               CSDM Figure 3: AUC by the weight rho of the diffusion loss, backbone DeepFM (0 of 24 runs)
csdm-figure4               CSDM Figure 4: time of one training batch, MovieLens-1M, DeepFM, 2,048 rows (0 of 24 runs)
csdm-figure6               CSDM Figure 6: AUC in four phases, backbone PNN (0 of 120 runs)
csdm-table1                CSDM Table 1: AUC and RelaImpr in four phases, backbone DeepFM (0 of 210 runs, 0 of 8 trials)
csdm-table1-100k           CSDM Table 1, the table on MovieLens-100K, N = 50, K = 5 (0 of 30 runs)
csdm-table1-half           CSDM Table 1, the table on half of MovieLens-1M (users 1-2999), N = 200, K = 20 (0 of 30 runs)
csdm-table1-searched       CSDM Table 1 on MovieLens-1M, CSDM with rho and stride searched for (0 of 30 runs, 0 of 8 trials)
csdm-table2                CSDM Table 2: dropout in the diffusion model, on and off, backbone DeepFM (0 of 60 runs)
csdm-table3                CSDM Table 3: statistics of the datasets (0 of 3 runs)
csdm-table4                CSDM Table 4: dropout in the diffusion model, on and off, backbone DCN (0 of 60 runs)
diff-msr-figure4a          Diff-MSR Figure 4a: variance schedules, AUC on Music of Douban (0 of 18 runs)
diff-msr-figure4a-partial  Diff-MSR Figure 4a: variance schedules, AUC on Music of Douban, a tenth of Movie (0 of 18 runs)
diff-msr-figure4b          Diff-MSR Figure 4b: what the network predicts, AUC on Music of Douban (0 of 18 runs)
diff-msr-figure4b-partial  Diff-MSR Figure 4b: what the network predicts, AUC on Music of Douban, a tenth of Movie (0 of 18 runs)
diff-msr-figure5           Diff-MSR Figure 5: AUC of the domain classifier on noised embeddings, Douban (0 of 18 runs)
diff-msr-figure5-partial   Diff-MSR Figure 5: AUC of the domain classifier on noised embeddings, Douban, a tenth of Movie (0 of 18 runs)
diff-msr-table1            Diff-MSR Table 1: AUC on the cold domain Music of Douban (0 of 216 runs)
diff-msr-table1-partial    Diff-MSR Table 1: AUC on the cold domain Music of Douban, a tenth of Movie (0 of 216 runs)
diff-msr-table2            Diff-MSR Table 2: AUC on the cold domain Beauty of Amazon 5-core (0 of 216 runs)
diff-msr-table3            Diff-MSR Table 3: statistics of the domains (0 of 2 runs)
diff-msr-table4            Diff-MSR Table 4: settings (0 of 2 runs)
m3oe-figure1               M3oE Figure 1: AUC relative to the MLP's, MovieLens-1M (0 of 20 runs)
m3oe-figure3               M3oE Figure 3: how far experts and modules lie from what they are fused into, over its mean length (0 of 2 runs)
m3oe-figure4a              M3oE Figure 4 (a): mean AUC of the six pairs by the learning rate (0 of 30 runs)
m3oe-figure4b              M3oE Figure 4 (b): mean AUC of the six pairs by the number of shared experts (0 of 36 runs)
m3oe-fusion                M3oE, ways to set the fusion weights: mean AUC of the six pairs (0 of 80 runs)
m3oe-fusion-weights        M3oE, the fusion weights after training (0 of 80 runs)
m3oe-table1                M3oE Table 1: statistics of the domains (0 of 2 runs)
m3oe-table2                M3oE Table 2: AUC of every domain and task, their mean, and log loss (0 of 150 runs)
m3oe-table2-joined         M3oE Table 2 on the released split (test users unseen): AUC of every domain and task, their mean, and log loss (0 of 75 runs)
m3oe-table3                M3oE Table 3: ablations, mean AUC of the six pairs of a domain and a task (0 of 70 runs)
m3oe-table3-joined         M3oE Table 3 on the released split (test users unseen): ablations, mean AUC of the six pairs of a domain and a task (0 of 35 runs)
";
    assert_eq!(project.ok(&["list"]), expected);
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
