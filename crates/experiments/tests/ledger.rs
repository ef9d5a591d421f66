//! `compare` and `leaderboard`, over runs of a table.
use crate::project::{Project, repository};
use scenarec_experiments::store::Store;
use serde_json::Value;
use std::fs;

const DATASET: &str = "movielens-100k-cold";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn finished_runs_are_ranked_and_compared() {
    let project = Project::with_small_table();
    let few = ["run", "small", "--quick", "--seeds", "2", "--only", "method=none,csdm"];
    project.ok(&few);
    project.ok(&[&few[..], &["--set", "run.warm.epochs=2"]].concat());

    let error = project.error(&["leaderboard", DATASET]);
    assert!(error.contains("no finished run on movielens-100k-cold has the metric auc"), "{error}");
    let board = lines(&project.ok(&["leaderboard", DATASET, "--quick", "--by", "warm_c", "--json"]));
    assert_eq!(board.len(), 4, "two methods, each twice");
    let means: Vec<f64> = board.iter().map(|e| e["means"]["warm_c"].as_f64().unwrap()).collect();
    assert!(means.is_sorted_by(|a, b| a >= b), "{means:?}");
    for entry in &board {
        assert_eq!(entry["runs"].as_object().unwrap().len(), 2, "a run for each seed");
        assert_eq!((&entry["provenance"], &entry["model"]), (&"simulated".into(), &"deepfm".into()));
        assert_eq!(entry["older"], false);
        let own = entry["settings"].as_object().unwrap();
        assert!(own.keys().eq(["run.warm.epochs"]), "{own:?}");
    }
    let shown = project.ok(&["leaderboard", DATASET, "--quick", "--top", "1", "--only", "method.name=csdm"]);
    assert!(shown.contains("higher is better, by cold") && shown.contains("\n1 more (--top)"), "{shown}");
    let none = project.error(&["leaderboard", DATASET, "--quick", "--by", "noon"]);
    assert!(none.contains("no run has numbers of \"noon\" (there are: cold, warm_a"), "{none}");

    let run = |epochs: &str, seed: &str| {
        let one = board.iter().find(|e| e["settings"]["run.warm.epochs"] == epochs && e["method"] == "csdm");
        one.unwrap()["runs"][seed].as_str().unwrap().to_string()
    };
    let (first, second) = (run("1", "1"), run("2", "1"));
    let both = &lines(&project.ok(&["compare", &first, &second, "--json"]))[0];
    let settings = both["settings"].as_object().unwrap();
    assert!(settings.keys().eq(["run.warm.epochs"]), "{settings:?}");
    let auc = both["numbers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|n| n["of"] == "evaluate cold click" && n["metric"] == "auc");
    let auc = auc.unwrap();
    let [a, b] = [0, 1].map(|i| auc["values"][i].as_f64().unwrap());
    assert_eq!(auc["difference"].as_f64().unwrap(), b - a);
    let shown = project.ok(&["compare", &first[..10], &run("1", "2")]);
    assert!(shown.contains("\n seed") && shown.contains("wall_seconds"), "{shown}");

    let unknown = project.error(&["compare", &first, "zz"]);
    assert!(unknown.contains("no finished run has an id that begins with \"zz\""), "{unknown}");
    let several = project.error(&["compare", "", &first]);
    assert!(several.contains("runs have an id that begins with \"\""), "{several}");
}

#[test]
fn every_listing_has_a_form_for_programs() {
    let project = Project::new();
    let tables = lines(&project.ok(&["list", "--json"]));
    assert!(tables.len() > 50 && tables.iter().all(|t| t["runs"].is_u64()), "{tables:?}");
    let datasets = lines(&project.ok(&["data", "list", "--json"]));
    assert!(
        datasets.iter().any(|d| d["dataset"] == DATASET && d["provenance"] == "simulated"),
        "{datasets:?}"
    );
    let plan = lines(&project.ok(&["plan", "csdm-table1", "--quick", "--json"]));
    assert!(plan.iter().all(|n| n["id"].is_string() && n["finished"] == false), "{plan:?}");
    assert!(plan.iter().any(|n| !n["inputs"].as_object().unwrap().is_empty()), "runs need stages");
}

/// What cannot be read is left out of reports and leaderboards without a word.
#[test]
fn every_published_run_can_be_read() {
    let results = repository().join("docs/results");
    let files = fs::read_dir(&results).unwrap().flatten().map(|e| e.path());
    let runs = files.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    let published: usize = runs.map(|path| fs::read_to_string(path).unwrap().lines().count()).sum();
    let own = tempfile::tempdir().unwrap();
    let store = Store::open(own.path(), &results).unwrap();
    assert!(published > 0);
    assert_eq!(store.finished(false).unwrap().len(), published);
}
