//! Every table of the repository resolves, and every number of a paper has its cell.
use crate::project::{Project, repository};
use scenarec_data::Roots;
use scenarec_experiments::{
    id, methods,
    recipes::RECIPES,
    spec::{Catalog, CellSearch, ResolvedCell, Score, Selection, TableSpec, resolve},
};
use std::collections::{BTreeMap, BTreeSet};

pub fn catalog() -> Catalog {
    Catalog::open(&repository().join("configs"))
}

fn tables() -> Vec<TableSpec> {
    let names = catalog().names("table");
    assert!(!names.is_empty());
    names.iter().map(|n| TableSpec::load(&catalog(), n).unwrap_or_else(|e| panic!("{e:#}"))).collect()
}

/// Resolved on simulated data, which needs no files; no trial has been run.
pub fn resolved(spec: &TableSpec, selection: &Selection) -> Vec<ResolvedCell> {
    resolved_after(spec, selection, &|_, _| Ok(None))
}

/// The same, where trials have been run.
pub fn resolved_after(spec: &TableSpec, selection: &Selection, score: &Score) -> Vec<ResolvedCell> {
    let nowhere = repository().join("no-such-folder");
    let roots = Roots { raw: nowhere.clone(), cache: nowhere };
    let fingerprint = |config: &_, quick: &_| Ok(scenarec_data::identify(config, &roots, quick)?.fingerprint);
    let cells = resolve(spec, &catalog(), selection, &fingerprint, score);
    cells.unwrap_or_else(|e| panic!("{}: {e:#}", spec.name))
}

#[test]
fn every_table_resolves_in_every_mode() {
    for spec in tables() {
        for profile in spec.known_profiles(&catalog()).unwrap() {
            for quick in [false, true] {
                let selection = Selection { profile: profile.clone(), quick, ..Selection::default() };
                let cells = resolved(&spec, &selection);
                let seeds = if quick { spec.quick.seeds } else { spec.seeds };
                let mut ids = BTreeMap::new();
                for cell in &cells {
                    let trials = match &cell.search {
                        Some(CellSearch::On(search)) => &search.trials[..],
                        _ => &[],
                    };
                    let none = cell.combination.not_yet.is_some() || !trials.is_empty();
                    assert_eq!(cell.jobs.len(), if none { 0 } else { seeds as usize });
                    for job in cell.jobs.iter().chain(trials.iter().flat_map(|t| &t.jobs)) {
                        // Cells that ask the same share their runs, and only those.
                        let first = ids.entry(id::of(job).unwrap()).or_insert_with(|| job.clone());
                        assert_eq!(first, job, "{}: two different runs have one id", spec.name);
                        let recipe = RECIPES.iter().find(|r| r.name == job.recipe).unwrap();
                        for stage in (recipe.stages)(job).unwrap() {
                            assert!(stage.stage.is_some());
                        }
                    }
                }
                assert!(!ids.is_empty(), "{} has no run at all", spec.name);
            }
        }
    }
}

/// Whether a table uses it or not.
#[test]
fn every_model_and_method_resolves_in_each_of_its_profiles() {
    for kind in ["model", "method"] {
        for name in catalog().names(kind) {
            let file = catalog().component(kind, &name).unwrap_or_else(|e| panic!("{e:#}"));
            let resolved = |profile: &str| {
                let layered = file.layered(profile, "any").unwrap();
                file.checked(&layered).unwrap_or_else(|e| panic!("{e:#}"))
            };
            let paper = resolved("paper");
            for profile in &file.profiles {
                assert_ne!(resolved(profile), paper, "{kind} {name}: profile {profile} changes nothing");
            }
        }
    }
}

#[test]
fn a_job_survives_its_file() {
    for spec in tables() {
        for cell in resolved(&spec, &Selection { quick: true, ..Selection::default() }) {
            for job in cell.jobs {
                let text = serde_json::to_string(&job).unwrap();
                let back = serde_json::from_str(&text).unwrap();
                assert_eq!(job, back);
                assert_eq!(id::of(&job).unwrap(), id::of(&back).unwrap());
            }
        }
    }
}

#[test]
fn entries_of_one_file_differ_by_their_own_settings() {
    let project = Project::new();
    let table = "configs/tables/csdm-table1-100k.yaml";
    project.edit(
        table,
        "method: [none, cvar, csdm]",
        "method: [none, cvar, csdm, { name: ours, of: csdm, reported_as: Ours, set: { run: { warm: { epochs: 2 } } } }]",
    );
    project.edit(
        table,
        "dataset: [movielens-100k-cold]",
        "dataset: [{ name: small, of: movielens-100k-cold, set: { dataset: { small: { split: { k: 3 } } } } }]",
    );
    project.edit(table, "\"{cvar,csdm}\": { iters: 1 }", "ours: { iters: 1 }");
    let spec = TableSpec::load(&Catalog::open(&project.path("configs")), "csdm-table1-100k").unwrap();
    assert_eq!((spec.label("method", "ours"), spec.label("method", "csdm")), ("Ours", "CSDM"));
    assert_eq!(spec.datasets_of("movielens-100k-cold").collect::<Vec<_>>(), ["small"]);
    let job = |name: &str, quick| {
        let cells = resolved(&spec, &Selection { quick, ..Selection::default() });
        let of_method = |c: &ResolvedCell| c.combination.coordinates["method"] == name;
        cells.into_iter().find(of_method).unwrap().jobs.remove(0)
    };
    let (theirs, ours) = (job("csdm", true), job("ours", true));
    assert_eq!((&theirs.method["name"], &ours.method["name"]), (&"csdm".into(), &"csdm".into()));
    assert_eq!(
        (&theirs.settings["warm"]["epochs"], &ours.settings["warm"]["epochs"]),
        (&1.into(), &2.into())
    );
    assert_ne!(theirs.method["iters"], ours.method["iters"], "changes go by the entry's name");
    let config = job("ours", false).dataset.config;
    assert_eq!(config.dataset, "movielens-100k-cold");
    assert_eq!(serde_yaml::to_value(&config).unwrap()["split"]["k"], 3);
}

#[test]
fn the_pretraining_is_shared_between_methods_and_not_between_seeds() {
    let spec = TableSpec::load(&catalog(), "csdm-table1").unwrap();
    // Stages by seed, data and the method, where it pre-trains in a way of its own.
    let mut stages = BTreeMap::new();
    for cell in resolved(&spec, &Selection { seeds: Some(2), ..Selection::default() }) {
        for job in cell.jobs {
            let recipe = RECIPES.iter().find(|r| r.name == job.recipe).unwrap();
            let (entry, own) = (methods::of(&job.method).unwrap(), methods::pretrains(&job.method).unwrap());
            let stage = &(recipe.stages)(&job).unwrap()[0];
            let key = (job.seed, job.dataset.fingerprint.clone(), own.then_some(entry.name));
            stages.entry(key).or_insert_with(BTreeSet::new).insert(id::of(stage).unwrap());
        }
    }
    assert!(stages.values().all(|ids| ids.len() == 1), "{stages:?}");
    let distinct: BTreeSet<_> = stages.values().flatten().collect();
    assert_eq!(distinct.len(), stages.len(), "{stages:?}");
    for name in ["dropoutnet", "velf"] {
        assert!(stages.keys().any(|(.., own)| *own == Some(name)), "{name}");
    }
}

#[test]
fn every_reported_row_matches_exactly_one_cell() {
    for spec in tables() {
        let Some(reported) = &spec.reported else { continue };
        let cells = spec.cells();
        let mut taken = BTreeSet::new();
        for row in &reported.rows {
            let fitting: Vec<usize> = (0..cells.len()).filter(|i| row.matches(&spec, &cells[*i])).collect();
            let place = format!("{}:{}", reported.file, row.line);
            assert_eq!(fitting.len(), 1, "{place} matches {} cells: {:?}", fitting.len(), row.labels);
            assert!(!row.values.is_empty(), "{place} has no number");
            for metric in row.values.keys() {
                let is_first = taken.insert((fitting[0], metric.clone()));
                assert!(is_first, "{place}: another row has the cell's {metric} already");
            }
        }
        assert!(!reported.rows.is_empty(), "{} is empty", reported.file);
    }
}
