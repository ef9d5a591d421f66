//! Which crate may use which: data <- train <- {backbones, contrastive, baselines, diffusion} <- experiments.
use crate::project::repository;
use serde_json::Value;
use std::{collections::BTreeSet, process::Command};

fn allowed(from: &str) -> &'static [&'static str] {
    match from {
        "data" => &[],
        "train" => &["data"],
        "backbones" | "contrastive" | "baselines" | "diffusion" => &["data", "train"],
        "experiments" => &["data", "train", "backbones", "contrastive", "baselines", "diffusion"],
        other => panic!("the crate {other} has no place in the layers"),
    }
}

#[test]
fn no_crate_uses_one_of_its_own_layer_or_above() {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let Some(from) = package["name"].as_str().unwrap().strip_prefix("scenarec-") else { continue };
        seen.insert(from.to_string());
        for dependency in package["dependencies"].as_array().unwrap() {
            if let Some(to) = dependency["name"].as_str().unwrap().strip_prefix("scenarec-") {
                assert!(allowed(from).contains(&to), "{from} uses {to}");
            }
        }
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}
