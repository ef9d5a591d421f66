//! `add-scenario`: a scenario that a trained net does not know yet, learned without touching the others.
use crate::project::Project;
use scenarec_train::net::load_state;
use std::{fs, path::PathBuf};
use tch::Tensor;

const TABLE: &str = "sfpnet-table3";
/// The last of the twelve scenarios.
const NEW: (&str, i64) = ("A12", 11);

/// The net of the only run.
fn net(project: &Project) -> PathBuf {
    let runs = fs::read_dir(project.path("runs")).unwrap().map(|e| e.unwrap().path().join("net.safetensors"));
    let nets: Vec<PathBuf> = runs.filter(|n| n.is_file()).collect();
    assert_eq!(nets.len(), 1, "{nets:?}");
    nets[0].clone()
}

/// Rows (or copies) of a tensor in which two differ.
fn changed_rows(a: &Tensor, b: &Tensor) -> Vec<i64> {
    (0..a.size()[0]).filter(|row| a.get(*row) != b.get(*row)).collect()
}

#[test]
fn a_new_scenario_learns_its_own_part_only() {
    for (model, learned) in [
        ("sfpnet", &["embedding.scenario"][..]),
        ("mmoe-sfpnet", &["embedding.scenario", "gates.bias", "gates.weight", "towers.out.bias"]),
    ] {
        let project = Project::new();
        let only = format!("model={model}");
        let select = ["--quick", "--only", &only, "--set", "run.training.epochs=2"];
        let without = ["--set", "run.without=[A12]", "--set", "run.keep_nets=true"];
        project.ok(&[&["run", TABLE][..], &select, &without].concat());
        let before = net(&project);
        let to = ["--scenario", NEW.0, "--net", before.to_str().unwrap(), "--out", "out.safetensors"];
        let said = project.ok(&[&["add-scenario", TABLE][..], &select, &to].concat());
        assert!(said.contains("A12 learned its part of embedding.scenario"), "{said}");

        let (before, after) =
            (load_state(&before).unwrap(), load_state(&project.path("out.safetensors")).unwrap());
        assert!(before.keys().eq(after.keys()));
        let mut moved = Vec::new();
        for (name, tensor) in before.iter().filter(|(name, tensor)| **tensor != after[*name]) {
            assert_eq!(changed_rows(tensor, &after[name]), [NEW.1], "{model}: {name}");
            moved.push(name.as_str());
        }
        for name in learned {
            assert!(moved.contains(name), "{model}: {name} has not moved: {moved:?}");
        }
        assert!(model != "sfpnet" || moved.len() == 1, "{moved:?}");
    }
}

#[test]
fn what_cannot_be_added_is_refused() {
    let project = Project::new();
    let refused = |only: &str, scenario: &str| {
        let words = ["add-scenario", TABLE, "--quick", "--only", only, "--scenario", scenario];
        project.error(&[&words[..], &["--net", "none", "--out", "out.safetensors"]].concat())
    };
    let message = refused("model=sfpnet", "A13");
    assert!(message.contains("no scenario is called \"A13\" (A1, A2"), "{message}");
    let message = refused("model=sfpnet,mmoe-sfpnet", "A12");
    assert!(message.contains("2 combinations of sfpnet-table3 are left"), "{message}");
    let message = refused("model=sfpnet", "A12");
    assert!(message.contains("cannot read none"), "{message}");
    assert!(!project.path("out.safetensors").exists());
}
