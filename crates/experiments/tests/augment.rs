//! Diff-MSR's stages through the command line: what they leave alone, and what `augment` writes.
use crate::project::Project;
use scenarec_train::{Measure, State, net::load_state};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const TABLE: &str = "diff-msr-table1";

/// Folders of finished runs or stages.
fn folders(project: &Project, below: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(project.path(below)).unwrap();
    entries.map(|e| e.unwrap().path()).filter(|p| p.join("job.json").is_file()).collect()
}

fn measures(folder: &Path) -> Vec<Measure> {
    let text = fs::read_to_string(folder.join("measures.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The net of stage 1 of the model that ran.
fn pretrained(project: &Project) -> PathBuf {
    let nets = folders(project, "runs/stages").into_iter().map(|f| f.join("net.safetensors"));
    let nets: Vec<PathBuf> = nets.filter(|n| n.is_file()).collect();
    assert_eq!(nets.len(), 1, "{nets:?}");
    nets[0].clone()
}

#[test]
fn rich_scenarios_are_predicted_as_before() {
    let project = Project::new();
    // FNN shares one logit, AITM hands on from one domain to the next, MMoE's domains are apart.
    let models = "model=fnn,aitm,mmoe-diff-msr";
    project.ok(&["run", TABLE, "--quick", "--only", models, "--only", "method=mix,diff,diff-msr"]);
    let mut values: BTreeMap<(String, String, String), BTreeSet<u64>> = BTreeMap::new();
    let (mut rich, mut cold) = (0, BTreeMap::<String, BTreeSet<u64>>::new());
    for run in folders(&project, "runs") {
        for m in measures(&run).into_iter().filter(|m| m.stage == "evaluate") {
            if m.scenario == "music" {
                cold.entry(m.model + &m.metric).or_default().insert(m.value.to_bits());
            } else {
                rich += 1;
                values.entry((m.model, m.scenario, m.metric)).or_default().insert(m.value.to_bits());
            }
        }
    }
    assert!(rich >= 3 * 3 * 2 * 2, "{rich} numbers");
    assert!(values.values().all(|v| v.len() == 1), "{values:?}");
    assert!(cold.values().any(|v| v.len() > 1), "no method changes anything: {cold:?}");
}

#[test]
fn augment_adds_a_scenarios_own_tensors_to_a_net() {
    let project = Project::new();
    let select = ["--quick", "--only", "model=fnn", "--only"];
    project.ok(&[&["run", TABLE][..], &select, &["method=mix"]].concat());
    let net = pretrained(&project);
    let files = ["a.safetensors", "b.safetensors", "c.safetensors"];
    for (file, seed) in files.iter().zip(["1", "1", "2"]) {
        let said = project.ok(&[
            &["augment", TABLE][..],
            &select,
            &["method=diff-msr", "--net", net.to_str().unwrap(), "--out", file, "--seed", seed],
        ]
        .concat());
        assert!(said.contains("of them the scenario's own; AUC on its validation rows"), "{said}");
    }
    let before = load_state(&net).unwrap();
    let [a, b, c] = files.map(|file| load_state(&project.path(file)).unwrap());
    let same =
        |a: &State, b: &State| a.len() == b.len() && a.iter().zip(b).all(|((n, t), (m, u))| n == m && t == u);
    assert!(same(&a, &b), "the seed does not decide everything");
    assert!(!same(&a, &c));
    assert!(before.iter().all(|(name, tensor)| a[name] == *tensor), "the net itself has changed");
    let own: Vec<&str> = a.keys().filter_map(|name| name.strip_prefix("own.music.")).collect();
    assert_eq!(own.len() + before.len(), a.len(), "{:?}", a.keys());
    assert!(own.iter().any(|name| name.starts_with("mlp.")), "{own:?}");
    for name in own {
        assert!(before.contains_key(name) && !name.starts_with("embedding."), "{name}");
        assert_ne!(before[name], a[&format!("own.music.{name}")], "{name}");
    }
    // Nothing stays behind.
    assert_eq!(folders(&project, "runs").len(), 1);
}

#[test]
fn augment_says_what_it_cannot_do() {
    let project = Project::new();
    let run = |more: &[&str]| {
        let all = ["augment", TABLE, "--quick", "--net", "none.safetensors", "--out", "out.safetensors"];
        project.error(&[&all[..], more].concat())
    };
    let error = run(&["--only", "model=fnn"]);
    assert!(error.contains("10 combinations of diff-msr-table1 are left"), "{error}");
    let error = run(&["--only", "model=fnn", "--only", "method=mix"]);
    assert!(error.contains("the method generates no rows"), "{error}");
    let error = run(&["--only", "model=fnn", "--only", "method=diff-msr"]);
    assert!(error.contains("cannot read none.safetensors"), "{error}");
    assert!(!project.path("out.safetensors").exists());
    let error = run(&["--only", "model=fnn", "--only", "method=diff-msr", "--set", "run.cold=jazz"]);
    assert!(error.contains("none.safetensors") || error.contains("jazz"), "{error}");
    let error = project.error(&["augment", "csdm-table1", "--net", "n", "--out", "o"]);
    assert!(error.contains("csdm-table1 is a table of the recipe cold_item"), "{error}");
}
