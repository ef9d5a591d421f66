//! The same spec on the same machine gives the same numbers to the last bit, with another run beside it or without.
use crate::project::Project;
use scenarec_experiments::spec::Catalog;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// A table of every recipe that trains, and what is run of it.
const TABLES: [(&str, &[&str]); 5] = [
    ("csdm-table1", &["dataset=movielens-1m-cold", "method=csdm,velf,meta-e"]),
    ("diff-msr-table1", &["model=fnn"]),
    ("m3oe-table2", &["model=m3oe"]),
    ("sacn-table2", &["model=sacn"]),
    ("sfpnet-table3", &["model=sfpnet"]),
];

/// What a line says but for times and memory, which are no results.
fn result(line: &str) -> Option<String> {
    let mut line: Value = serde_json::from_str(line).unwrap();
    let measured = ["seconds", "wall_seconds", "samples_per_second", "peak_rss_bytes"];
    let is_result = line["metric"].as_str().is_none_or(|metric| !measured.contains(&metric));
    line.as_object_mut().unwrap().remove("seconds");
    is_result.then(|| line.to_string())
}

/// The results of all runs and stages below a folder, by their ids.
fn results(folder: &Path, into: &mut BTreeMap<String, Vec<String>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (name, path) = (entry.file_name().into_string().unwrap(), entry.path());
        if name == "stages" {
            results(&path, into);
        } else if path.join("job.json").is_file() {
            let files = ["measures.jsonl", "curves.jsonl"].map(|file| path.join(file));
            let text =
                files.iter().filter(|file| file.is_file()).map(|file| fs::read_to_string(file).unwrap());
            let lines = text.flat_map(|text| text.lines().filter_map(result).collect::<Vec<_>>());
            into.insert(name, lines.collect());
        }
    }
}

#[test]
fn numbers_are_the_same_every_time() {
    let project = Project::new();
    for (table, only) in TABLES {
        let of = |runs: &str, jobs: &str| {
            let mut arguments = vec!["run", table, "--quick", "--seeds", "1", "--runs", runs, "--jobs", jobs];
            only.iter().for_each(|only| arguments.extend(["--only", only]));
            project.ok(&arguments);
            let mut all = BTreeMap::new();
            results(&project.path(runs), &mut all);
            all
        };
        let (first, second) = (of("first", "1"), of("second", "2"));
        assert!(!first.is_empty() && first.values().all(|lines| !lines.is_empty()), "{table}");
        assert!(first.keys().eq(second.keys()), "{table}");
        for (id, lines) in &first {
            assert_eq!(lines, &second[id], "{table}: {id}");
        }
    }
}

/// So that a recipe which trains cannot be forgotten above.
#[test]
fn every_recipe_that_trains_is_among_them() {
    let project = Project::new();
    let recipe = |table: &str| {
        let text = project.read(&format!("configs/tables/{table}.yaml"));
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix("recipe: "));
        line.map(String::from)
    };
    let tried: Vec<String> = TABLES.iter().filter_map(|(table, _)| recipe(table)).collect();
    assert_eq!(tried.len(), TABLES.len());
    // Those without training of their own: figures of what others trained, of data, of times.
    let others = ["noised_classifier", "representations", "similarity", "statistics", "step_time"];
    for table in Catalog::open(&project.path("configs")).names("table") {
        // A table that is another one with changes has its recipe.
        let Some(recipe) = recipe(&table) else { continue };
        assert!(tried.contains(&recipe) || others.contains(&&*recipe), "{table}: {recipe}");
    }
}
