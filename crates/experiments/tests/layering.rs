//! Which crate may use which: data <- train <- {backbones, contrastive, baselines, diffusion} <- experiments.
use crate::project::repository;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

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

/// Files below a folder in which the lint is lifted.
fn unsafe_files(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            unsafe_files(&entry, into);
        } else if entry.extension().is_some_and(|e| e == "rs")
            && fs::read_to_string(&entry).unwrap().contains(concat!("[allow(", "unsafe_code)]"))
        {
            let path = entry.strip_prefix(repository().join("crates")).unwrap();
            into.insert(path.to_str().unwrap().to_string());
        }
    }
}

#[test]
fn the_page_names_the_files_with_unsafe_code() {
    let mut found = BTreeSet::new();
    unsafe_files(&repository().join("crates"), &mut found);
    let page = fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    let invariant =
        page.lines().skip_while(|l| !l.contains("**No `unsafe`**")).take_while(|l| !l.starts_with("13."));
    let text: String = invariant.collect();
    let named: BTreeSet<String> = text.split('`').filter(|s| s.ends_with(".rs")).map(String::from).collect();
    assert_eq!(found, named);
}
