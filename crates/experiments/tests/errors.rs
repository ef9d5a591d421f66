//! Every error in a configuration names file, line, column and key.
use crate::project::{Project, text};

pub const TABLE: &str = "configs/tables/csdm-table1-100k.yaml";
pub const PLAN: [&str; 3] = ["plan", "csdm-table1-100k", "--quick"];

/// Line and column of `needle`, which occurs once.
pub fn place(project: &Project, file: &str, needle: &str) -> String {
    let text = project.read(file);
    assert_eq!(text.matches(needle).count(), 1, "{needle:?} in\n{text}");
    let before = &text[..text.find(needle).unwrap()];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{file}:{line}:{column}: ")
}

/// Replaces `from` by `to` in the table; the error is about `needle`.
pub fn check(from: &str, to: &str, needle: &str, message: &str) {
    let project = Project::new();
    project.edit(TABLE, from, to);
    let expected = format!("error: {}{message}", place(&project, TABLE, needle));
    let error = project.error(&PLAN);
    assert!(error.starts_with(&expected), "expected {expected}\nfound    {error}");
}

#[test]
fn in_a_table() {
    check("seeds: 10", "seed: 10", "seed: 10", "seed: unknown field `seed`");
    check("seeds: 10", "seeds: ten", "ten\n", "seeds: invalid type: string \"ten\", expected u64");
    check("seeds: 10", "seeds: 0", "0\n\ngrid", "seeds: a table needs at least one seed");
    check(
        "method: [none, cvar, csdm]",
        "method: [none, cvar, cdsm]",
        "cdsm",
        "grid.method.2: unknown method `cdsm`; did you mean `csdm`?",
    );
    check(
        "method: [none, cvar, csdm]",
        "method: [none, cvar, { name: ours, of: cdsm }]",
        "cdsm",
        "grid.method.2.of: unknown method `cdsm`; did you mean `csdm`?",
    );
    check(
        "grid:\n",
        "grid:\n  rho: [{ name: small, of: csdm }]\n",
        "of: csdm",
        "grid.rho.0.of: entries of `rho` have no files",
    );
    check(
        "dataset: [movielens-100k-cold]",
        "dataset: [movielens-10k]",
        "movielens-10k",
        "grid.dataset.0: unknown dataset `movielens-10k`; did you mean `movielens-100k-cold`?",
    );
    check(
        "model: deepfm",
        "model: deepfn",
        "deepfn",
        "run.model: unknown model `deepfn`; did you mean `deepfm`? (known: ",
    );
    check(
        "recipe: cold_item",
        "recipe: cold_items",
        "cold_items",
        "run.recipe: unknown recipe `cold_items`; did you mean `cold_item`?",
    );
    check(
        "pretrain: { epochs: 1,",
        "pretrain: { epoch: 1,",
        "epoch: 1",
        "run.pretrain.epoch: recipe cold_item: unknown field `epoch`",
    );
    check(
        "pretrain: { epochs: 1,",
        "pretrain: { epochs: one,",
        "one, batch",
        "run.pretrain.epochs: recipe cold_item: invalid type: string \"one\"",
    );
    check(
        "\"{cvar,csdm}\": { iters: 1 }",
        "cvra: { iters: 1 }",
        "cvra",
        "quick.changes.method.cvra: unknown method `cvra`; did you mean `cvar`?",
    );
    check(
        "\"{cvar,csdm}\": { iters: 1 }",
        "csdm: { itres: 1 }",
        "itres",
        "quick.changes.method.csdm.itres: method csdm: unknown field `itres`",
    );
    check(
        "rows: [dataset, method]",
        "rows: [dataset, methods]",
        "methods",
        "layout.rows.1: unknown dimension `methods`; did you mean `method`?",
    );
    check(
        "rows: [dataset, method]",
        "rows: [dataset]",
        "layout:\n",
        "layout: the dimension `method` has several values",
    );
    check(
        "baseline: { method: none }",
        "baseline: { method: nine }",
        "nine",
        "layout.baseline.method: unknown method `nine`; did you mean `none`?",
    );
    check(
        "    phase: {",
        "    phases: {",
        "phases",
        "layout.labels.phases: unknown recorded dimension `phases`; did you mean `phase`?",
    );
}

#[test]
fn what_is_not_yaml() {
    let project = Project::new();
    project.edit(TABLE, "layout:\n", "layout: [\n");
    let error = project.error(&PLAN);
    // It is told where the reader stumbles, which need not be where the mistake is.
    assert!(error.starts_with(&format!("error: {TABLE}:")) && error.contains("not YAML"), "{error}");
}

#[test]
fn in_a_method() {
    let project = Project::new();
    let file = "configs/methods/csdm.yaml";
    let shipped = project.read(file);
    project.write(file, "method: csdm\nconfig:\n  rho: high\n");
    let error = project.error(&PLAN);
    let expected =
        "error: configs/methods/csdm.yaml:3:8: config.rho: method csdm: invalid type: string \"high\"";
    assert!(error.starts_with(expected), "{error}");
    project.write(file, "method: csdm\nconfig: {}\nprofiles:\n  released: { roh: 1.0 }\n");
    let error = project.error(&[&PLAN[..], &["--profile", "released"]].concat());
    let expected =
        "error: configs/methods/csdm.yaml:4:15: profiles.released.roh: method csdm: unknown field `roh`";
    assert!(error.starts_with(expected), "{error}");
    project.write(file, &shipped.replace("  stride: 10\n", "  stride: 101\n"));
    let expected =
        "error: configs/methods/csdm.yaml:8:11: config.stride: method csdm: 101 is not between 1 and the 100";
    assert!(project.error(&PLAN).starts_with(expected), "{}", project.error(&PLAN));
    project.write(file, "method: cdsm\n");
    let expected =
        "error: configs/methods/csdm.yaml:1:9: method: unknown method `cdsm`; did you mean `csdm`?";
    assert!(project.error(&PLAN).starts_with(expected));
    project.write(file, "model: deepfm\n");
    let expected = "error: configs/methods/csdm.yaml:1:1: model: a method's file has no key `model`";
    assert!(project.error(&PLAN).starts_with(expected));
}

#[test]
fn on_the_command_line() {
    let project = Project::new();
    let error = |more: &[&str]| project.error(&[&PLAN[..], more].concat());
    assert!(
        error(&["--set", "run.pretrain.epoch=1"])
            .starts_with("error: --set run.pretrain.epoch=1: recipe cold_item: unknown field `epoch`")
    );
    assert!(
        error(&["--set", "method.cdsm.iters=1"]).contains("--set method.cdsm.iters=1: unknown method `cdsm`")
    );
    assert!(
        error(&["--only", "methods=csdm"]).contains("unknown dimension `methods`; did you mean `method`?")
    );
    assert!(
        error(&["--only", "method=cdsm"])
            .contains("--only method=cdsm: unknown method `cdsm`; did you mean `csdm`?")
    );
    assert!(
        error(&["--profile", "released-code"])
            .contains("unknown profile `released-code`; did you mean `released`?")
    );
    assert!(error(&["--seeds", "0"]).contains("at least one seed"));
    assert!(
        project
            .error(&["plan", "csdm-tabel1"])
            .contains("unknown table `csdm-tabel1`; did you mean `csdm-table1`?")
    );
}

#[test]
fn outside_of_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let out = Project::new().command(&["list"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("change to the project's folder or give --root"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn in_the_reported_numbers() {
    let project = Project::new();
    let plan = ["plan", "csdm-table1", "--quick"];
    let (table, numbers) = ("configs/tables/csdm-table1.yaml", "configs/tables/reported/csdm-table1.csv");
    let before = project.read(numbers);
    project.edit(numbers, "Base,Cold,0.7313", "Base,Cold,O.7313");
    let error = project.error(&plan);
    assert!(
        error.contains(
            "configs/tables/reported/csdm-table1.csv:2: column 5: expected a number, found \"O.7313\""
        ),
        "{error}"
    );
    project.write(numbers, &before);
    let searched = "configs/tables/csdm-table1-searched.yaml";
    project.edit(searched, "[Base, CVAR, CSDM]", "[Base, CVAR, CDSM]");
    let error = project.error(&["plan", "csdm-table1-searched", "--quick"]);
    let expected = format!(
        "error: {}reported.only.method: unknown method of {numbers} `CDSM`; did you mean `CSDM`?",
        place(&project, searched, "[Base, CVAR, CDSM]")
    );
    assert!(error.starts_with(&expected), "{error}");
    project.write(numbers, &before.replace("phase,auc", "phase,AUC"));
    let error = project.error(&plan);
    let expected = format!(
        "error: {}reported.value: unknown column of {numbers} `auc`",
        place(&project, table, "auc\n  also")
    );
    assert!(error.starts_with(&expected), "{error}");
}
