//! Settings that trials decide: what is tried, what is chosen, and what is refused.
use crate::{
    errors::place,
    project::{Project, replace, text},
    registry::{catalog, resolved, resolved_after},
};
use scenarec_experiments::{
    id,
    job::Job,
    recipes::RECIPES,
    spec::{CellSearch, Changes, ResolvedCell, Selection, TableSpec, Trials},
};
use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

const TABLE: &str = "configs/tables/searched.yaml";
const PLAN: [&str; 3] = ["plan", "searched", "--quick"];
const RUN: [&str; 3] = ["run", "searched", "--quick"];

const SEARCH: &str = "\
search:
  - method: csdm
    values: { rho: [0.25, 0.75] }
    changes: { run: { evaluate: valid } }
    seeds: 3
    best: { metric: auc, mode: max, where: { stage: evaluate } }

";

/// A project with a table `searched` of two methods, one of which is searched.
fn project() -> Project {
    let project = Project::new();
    let table = project.read("configs/tables/csdm-table1-100k.yaml");
    let table = replace(&table, "table: csdm-table1-100k", "table: searched");
    let table = replace(&table, "method: [none, cvar, csdm]", "method: [none, csdm]");
    let table = replace(&table, "\"{cvar,csdm}\": { iters: 1 }", "csdm: { iters: 1 }");
    project.write(TABLE, &replace(&table, "profiles:\n", &format!("{SEARCH}profiles:\n")));
    project
}

/// With a tenth of the rows.
fn small_project() -> Project {
    let project = project();
    project.edit(TABLE, "rows: 20000", "rows: 4000");
    project.edit(TABLE, "threshold: 40, k: 4", "threshold: 30, k: 2");
    project
}

fn searched() -> TableSpec {
    TableSpec::load(&catalog(), "csdm-table1-searched").unwrap()
}

fn csdm(cells: Vec<ResolvedCell>) -> ResolvedCell {
    cells.into_iter().find(|c| c.combination.coordinates["method"] == "csdm").unwrap()
}

fn trials(cell: &ResolvedCell) -> &Trials {
    match &cell.search {
        Some(CellSearch::On(trials)) => trials,
        other => panic!("no trials but {other:?}"),
    }
}

fn set(flags: &[&str]) -> Selection {
    let set = flags.iter().fold(Changes::default(), |set, f| set.then(&Changes::from_flag(f).unwrap()));
    Selection { set, ..Selection::default() }
}

fn ids(jobs: &[Job]) -> Vec<String> {
    jobs.iter().map(|j| id::of(j).unwrap()).collect()
}

#[test]
fn every_combination_of_values_is_a_trial_on_validation_rows() {
    let cells = resolved(&searched(), &Selection::default());
    for cell in cells.iter().filter(|c| c.combination.coordinates["method"] != "csdm") {
        assert!(cell.search.is_none() && cell.jobs.len() == 10);
    }
    let first_stage = |job: &Job| {
        let recipe = RECIPES.iter().find(|r| r.name == job.recipe).unwrap();
        id::of(&(recipe.stages)(job).unwrap()[0]).unwrap()
    };
    let shared = first_stage(&cells[0].jobs[0]);
    let cell = csdm(cells);
    assert!(cell.jobs.is_empty() && cell.seeds == 10, "nothing is decided");
    let texts: Vec<String> = trials(&cell).trials.iter().map(|t| t.tried.text()).collect();
    let expected: Vec<String> = ["0.001", "0.01", "0.1", "1.0"]
        .iter()
        .flat_map(|rho| ["5", "10"].map(|stride| format!("rho = {rho}, stride = {stride}")))
        .collect();
    assert_eq!(texts, expected);
    for trial in &trials(&cell).trials {
        let [job] = &trial.jobs[..] else { panic!("one seed") };
        assert_eq!(job.settings["evaluate"].as_str(), Some("valid"));
        for (key, value) in &trial.tried.values {
            assert_eq!(&job.method[key.as_str()], value);
        }
        assert_eq!(first_stage(job), shared);
    }
}

#[test]
fn the_best_trial_decides_and_the_first_of_equals() {
    // Strides do not matter to this score.
    let score = |jobs: &[Job]| {
        assert_eq!(jobs.len(), 1);
        -(jobs[0].method["rho"].as_f64().unwrap() - 0.01).abs()
    };
    let cell = csdm(resolved_after(&searched(), &Selection::default(), &|_, jobs| Ok(Some(score(jobs)))));
    assert_eq!(trials(&cell).chosen, Some(2));
    assert_eq!(cell.jobs.len(), 10);
    assert!(cell.jobs.iter().all(|j| j.settings["evaluate"].as_str() == Some("test")));
    // What is chosen is part of the id as any setting.
    let by_hand = csdm(resolved(&searched(), &set(&["method.csdm.rho=0.01", "method.csdm.stride=5"])));
    assert_eq!(ids(&cell.jobs), ids(&by_hand.jobs));

    // One trial is not finished.
    let score = |jobs: &[Job]| (jobs[0].method["rho"].as_f64() != Some(1.0)).then(|| score(jobs));
    let cell = csdm(resolved_after(&searched(), &Selection::default(), &|_, jobs| Ok(score(jobs))));
    assert!(trials(&cell).chosen.is_none() && cell.jobs.is_empty());
}

#[test]
fn searches_can_be_switched_off() {
    let off = |selection: &Selection| {
        let cell = csdm(resolved(&searched(), selection));
        let Some(CellSearch::Off(place)) = cell.search else { panic!("{:?}", cell.search) };
        (place, cell.jobs)
    };
    let (place, jobs) = off(&set(&["method.csdm.stride=20"]));
    assert_eq!((place.as_str(), jobs.len()), ("--set method.csdm.stride=20", 10));
    assert_eq!(jobs[0].method["stride"].as_u64(), Some(20));
    assert_eq!(off(&set(&["search=false"])).0, "--set search=false");
    let (place, _) = off(&Selection { profile: "released".into(), ..Selection::default() });
    assert!(place.ends_with(": profiles.released.search"), "{place}");
    // Keys that are not searched change the trials.
    let plain = csdm(resolved(&searched(), &Selection::default()));
    let more = csdm(resolved(&searched(), &set(&["method.csdm.iters=3"])));
    let all =
        |cell: &ResolvedCell| trials(cell).trials.iter().flat_map(|t| ids(&t.jobs)).collect::<BTreeSet<_>>();
    assert_eq!(all(&plain).len(), 8);
    assert!(all(&plain).is_disjoint(&all(&more)));
}

#[test]
fn a_quick_run_tries_the_first_and_the_last() {
    let cell = csdm(resolved(&searched(), &Selection { quick: true, ..Selection::default() }));
    let texts: Vec<String> = trials(&cell).trials.iter().map(|t| t.tried.text()).collect();
    assert_eq!(texts, ["rho = 0.001, stride = 5", "rho = 1.0, stride = 10"]);
}

#[test]
fn the_recipes_settings_are_searched_too() {
    let project = project();
    project.edit(
        TABLE,
        "- method: csdm\n    values: { rho: [0.25, 0.75] }",
        "- run: { warm.optim.lr: [0.1, 0.2] }",
    );
    let plan = project.ok(&PLAN);
    for method in ["none", "csdm"] {
        let line = format!("deepfm {method} seed 1, tries run.warm.optim.lr = 0.2");
        assert!(plan.contains(&line), "{line} is not in\n{plan}");
    }
    assert!(plan.ends_with("4 trials, then 2 runs whose settings they decide\n"), "{plan}");
    // A change of the whole section overrules the searched key in it.
    let plan = project.ok(&[&PLAN[..], &["--set", "run.warm.optim={ name: sgd, lr: 0.3 }"]].concat());
    assert!(!plan.contains("tries"), "{plan}");
}

/// Replaces `from` by `to` in the table; the error is about `needle`.
fn refused(from: &str, to: &str, needle: &str, message: &str) {
    let project = project();
    project.edit(TABLE, from, to);
    let expected = format!("error: {}{message}", place(&project, TABLE, needle));
    let error = project.error(&PLAN);
    assert!(error.starts_with(&expected), "expected {expected}\nfound    {error}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    refused(
        "- method: csdm",
        "- method: cdsm",
        "cdsm\n",
        "search.0.method: unknown method `cdsm`; did you mean `csdm`?",
    );
    refused(
        "rho: [0.25, 0.75]",
        "roh: [0.25]",
        "roh",
        "search.0.values.roh: method csdm: unknown field `roh`",
    );
    refused(
        "rho: [0.25, 0.75]",
        "rho: [0.25, high]",
        "high",
        "search.0.values.rho.1: method csdm: invalid type: string \"high\"",
    );
    refused(
        "rho: [0.25, 0.75]",
        "rho: 0.25",
        "0.25 }",
        "search.0.values.rho: invalid type: floating point `0.25`, expected a sequence",
    );
    refused("[0.25, 0.75]", "[]", "[] }", "search.0.values.rho: a list without values to try");
    refused("{ rho: [0.25, 0.75] }", "{}", "method: csdm\n", "search.0: nothing to try");
    refused("- method: csdm\n    values", "- values", "values:", "search.0.values: whose values?");
    refused(
        "- method: csdm\n",
        "- method: csdm\n    where: { datasets: a }\n",
        "datasets",
        "search.0.where.datasets: unknown dimension `datasets`; did you mean `dataset`?",
    );
    refused(
        "- method: csdm\n",
        "- method: csdm\n    where: { dataset: [a] }\n",
        "[a]",
        "search.0.where.dataset: unknown dataset `a`",
    );
    refused(
        "- method: csdm\n",
        "- method: csdm\n    where: { dataset: [] }\n",
        "[] }",
        "search.0.where.dataset: a list without names",
    );
    refused(
        "- method: csdm\n",
        "- method: csdm\n    where: { method: csdm }\n",
        "method: csdm }",
        "search.0.where.method: the search names its method above already",
    );
    refused(
        "changes: { run: { evaluate: valid } }",
        "changes: { search: true, run: { evaluate: valid } }",
        "search: true",
        "search.0.changes.search: a trial has no search of its own",
    );
    refused("seeds: 3", "seeds: 0", "0\n    best", "search.0.seeds: a trial needs at least one seed");
    refused("{ metric: auc, mode", "{ mode", "{ mode", "search.0.best: missing field `metric`");
    refused("mode: max", "mode: most", "most", "search.0.best.mode: unknown variant `most`");
    refused(
        "where: { stage: evaluate } }\n\n",
        "where: { stag: evaluate } }\n\n",
        "stag:",
        "search.0.best.where.stag: unknown recorded dimension `stag`; did you mean `stage`?",
    );
    refused(
        "    run: { share_pretrain: true }",
        "    run: { share_pretrain: true }\n    searches: false",
        "searches",
        "profiles.released.searches: unknown field `searches`, expected one of ",
    );
    let twice = format!("{SEARCH}{}", SEARCH.trim_start_matches("search:\n").replace("csdm", "'*'"));
    refused(SEARCH, &twice, "method: '*'", "search.1: another search applies to ");
    let e = Project::new().error(&["plan", "csdm-table1-100k", "--quick", "--set", "search=false"]);
    assert!(e.starts_with("error: --set search=false: the table has no searches"), "{e}");
}

#[test]
fn nothing_is_chosen_by_test_rows() {
    let message = "search.0.changes: a trial would be evaluated on test rows";
    refused("{ evaluate: valid }", "{ evaluate: test }", "changes: { run: { e", message);
    // Without changes it is told at the search.
    refused("    changes: { run: { evaluate: valid } }\n", "", "method: csdm\n", message);
    let e = project().error(&[&PLAN[..], &["--set", "run.evaluate=test"]].concat());
    assert!(e.contains(message), "{e}");
    refused(
        "{ run: { evaluate: valid } }",
        "{ run: { evaluate: valid }, dataset: { '*': { split: { seed: 2 } } } }",
        "dataset: { '*': { split: { seed",
        "search.0.changes.dataset: on other splits, validation rows may be test rows",
    );
}

#[test]
fn a_table_is_searched_and_run() {
    let project = project();
    let plan = project.ok(&PLAN);
    assert!(plan.contains("csdm seed 1, tries rho = 0.75"), "{plan}");
    assert!(plan.ends_with("2 trials, then 1 runs whose settings they decide\n"), "{plan}");

    // Half of the trials, by another engine, which is told of nothing else.
    let out = project.command(&[&PLAN[..], &["--format", "lines"]].concat()).output().unwrap();
    assert!(text(&out.stderr).contains("call this again when they have ended"), "{}", text(&out.stderr));
    let commands = text(&out.stdout);
    assert_eq!(commands.lines().count(), 3, "{commands}");
    for command in commands.lines().take(2) {
        assert!(Command::new("sh").args(["-c", command]).stdout(Stdio::null()).status().unwrap().success());
    }
    let half = project.ok(&["report", "searched", "--quick"]);
    assert!(
        half.contains("to be searched on validation rows: ") && half.contains(": 1 of 2 tried"),
        "{half}"
    );
    assert!(half.contains("cells: 0 of 8 computed") && half.contains("8 not run"), "{half}");
    assert!(project.ok(&PLAN).ends_with("1 trials, then 1 runs whose settings they decide\n"));

    let report = project.ok(&RUN);
    assert!(report.contains("cells: 8 of 8 computed"), "{report}");
    let plan = project.ok(&PLAN);
    assert!(plan.contains("5 of 5 exist; 0 to do") && !plan.contains("then"), "{plan}");

    // The report says what was chosen, and the run was made with it.
    let scores: Vec<(f64, &str)> = report
        .lines()
        .filter_map(|l| l.strip_prefix("  ")?.split_once(" rho = "))
        .map(|(score, rho)| (score.parse().unwrap(), rho))
        .collect();
    let [(first, _), (second, _)] = scores[..] else { panic!("{report}") };
    let best = if second > first { "0.75" } else { "0.25" };
    assert!(report.contains(&format!("rho = {best} of 2 tried; their auc")), "{report}");
    assert!(report.contains(&format!("rho = {best} (chosen)")), "{report}");
    assert!(project.read("runs/reports/searched-quick.md").contains(&format!("rho = {best} (chosen)")));
    let shown = project.ok(&["show", "searched", "--quick", "--only", "method=csdm"]);
    let job = shown.split("\njob:\n").nth(1).unwrap();
    assert!(job.contains(&format!(" rho: {best}\n")) && job.contains("evaluate: test"), "{shown}");
    assert!(shown.contains(&format!("chosen: rho = {best}\n")), "{shown}");

    // The command line has the last word.
    let by_hand = [&PLAN[..], &["--set", "method.csdm.rho=0.5"]].concat();
    let plan = project.ok(&by_hand);
    assert!(plan.contains("2 of 3 exist; 1 to do") && !plan.contains("tries"), "{plan}");
    let report = project.ok(&[&["report"], &by_hand[1..]].concat());
    assert!(report.contains("not searched: ") && report.contains("--set method.csdm.rho=0.5"), "{report}");
}

#[test]
fn a_metric_that_trials_do_not_record_is_told_with_its_place() {
    let project = small_project();
    project.edit(TABLE, "{ metric: auc, mode", "{ metric: aucc, mode");
    let expected = format!(
        "error: {}search.0.best.metric: unknown metric of the trials `aucc`; did you mean `auc`?",
        place(&project, TABLE, "aucc")
    );
    let error = project.error(&RUN);
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_failed_trial_leaves_its_combination_undecided() {
    let project = small_project();
    // So large a weight makes the loss infinite.
    project.edit(TABLE, "rho: [0.25, 0.75]", "rho: [0.25, 1.0e300]");
    let out = project.command(&RUN).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let (shown, told) = (text(&out.stdout), text(&out.stderr));
    assert!(told.contains("1 failed:") && told.contains("tries rho = 1e+300"), "{told}");
    assert_eq!(told.matches("failed: movielens").count(), 1, "it was tried twice: {told}");
    assert!(shown.contains("cells: 4 of 8 computed") && shown.contains("4 failed: "), "{shown}");
}
