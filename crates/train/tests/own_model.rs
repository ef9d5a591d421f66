//! The example crate `examples/own-model`, which is outside the workspace, compiled as a part of these tests: what it says of the
//! libraries stays true without anything being compiled for it alone.
#[path = "../../../examples/own-model/src/lib.rs"]
mod example;

use scenarec_data::{Provenance, Roots};
use scenarec_train::Silent;
use std::{collections::BTreeSet, fs, path::Path};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/own-model")
}

#[test]
fn it_learns_and_is_read_back() {
    let own = tempfile::tempdir().unwrap();
    let roots = Roots { raw: own.path().join("raw"), cache: own.path().join("cache") };
    let (dataset, net) = (folder().join("clicks.yaml"), own.path().join("net.safetensors"));
    let report = example::train(&dataset, &roots, 1, &net, &Silent).unwrap();
    assert_eq!(report.provenance, Provenance::Simulated);
    assert!(report.auc > 0.6 && report.logloss < 0.69, "better than chance: {report:?}");
    let best = report.valid.iter().copied().fold(0.0, f64::max);
    assert!(best > report.valid[0] + 0.01, "it learns after the first epoch: {report:?}");
    assert!(*report.valid.last().unwrap() < best, "it stops after the best epoch: {report:?}");
    assert_eq!(example::test(&dataset, &roots, &net).unwrap(), (report.auc, report.logloss));

    fs::write(&net, "no net").unwrap();
    let error = example::test(&dataset, &roots, &net).unwrap_err().to_string();
    assert!(error.contains("net.safetensors as safetensors"), "{error}");
}

/// Its manifest is cargo's business when it is built; here: it asks for what its files use and nothing else, in the versions that are
/// compiled for the workspace, in a profile that shares them.
#[test]
fn its_manifest_fits_its_files() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let root = fs::read_to_string(folder().join("../../Cargo.toml")).unwrap();
    let section = |text: &str, name: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| *line != name).skip(1);
        let own = lines.take_while(|line| !line.starts_with('['));
        own.filter(|line| !line.is_empty() && !line.starts_with('#')).map(String::from).collect()
    };
    let dependencies = section(&manifest, "[dependencies]");
    let asked: BTreeSet<String> =
        dependencies.iter().map(|line| line.split(' ').next().unwrap().replace('-', "_")).collect();
    let mut used = BTreeSet::new();
    for file in ["lib.rs", "main.rs", "two_towers.rs"] {
        let text = fs::read_to_string(folder().join("src").join(file)).unwrap();
        let uses = text.lines().filter_map(|line| line.strip_prefix("use "));
        used.extend(uses.map(|path| path.split([':', ';']).next().unwrap().to_string()));
    }
    let own = ["own_model", "std", "two_towers"].map(String::from);
    assert_eq!(asked, used.iter().filter(|name| !own.contains(name)).cloned().collect());
    for line in dependencies.iter().filter(|line| !line.contains("path = ")) {
        assert!(section(&root, "[workspace.dependencies]").contains(line), "{line}: not the workspace's");
    }
    for profile in ["[profile.dev]", "[profile.dev.package.torch-sys]"] {
        assert_eq!(section(&manifest, profile), section(&root, profile), "{profile}");
    }
}
