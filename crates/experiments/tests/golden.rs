//! Every golden case: `parity` on PyTorch's weights and inputs gives PyTorch's logits, loss, gradients and steps.
use crate::project::repository;
use clap::Parser;
use scenarec_experiments::parity::{self, ParityArgs};
use scenarec_train::{State, net::load_state, to_vec};
use serde_yaml::Value;
use std::{fs, path::Path};
use tch::{Device, Kind, Tensor};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: ParityArgs,
}

/// |ours - PyTorch's| <= TOLERANCE (1 + the tensor's largest |PyTorch's|): both compute in f32, in another order, and that order
/// depends on the processor. A small number may be the difference of large ones.
const TOLERANCE: f32 = 1e-5;

fn compare(case: &Path) -> usize {
    let out = tempfile::NamedTempFile::new().unwrap();
    let file = |name: &str| case.join(name).to_str().unwrap().to_string();
    let flags = fs::read_to_string(case.join("args")).unwrap();
    let config: Value = serde_yaml::from_str(&fs::read_to_string(case.join("config.yaml")).unwrap()).unwrap();
    let model = config["model"]["name"].as_str().unwrap();
    let mut words: Vec<String> = ["parity", "--model", model, "--config"].map(String::from).to_vec();
    words.extend([file("config.yaml"), "--weights".into(), file("weights.safetensors")]);
    words.extend(["--batch".into(), file("batch.safetensors"), "--out".into()]);
    words.push(out.path().to_str().unwrap().into());
    words.extend(flags.split_whitespace().map(String::from));
    parity::run(&Command::parse_from(words).args).unwrap_or_else(|e| panic!("{}: {e:#}", case.display()));

    let ours = load_state(out.path()).unwrap();
    let theirs = load_state(&case.join("expected.safetensors")).unwrap();
    let names = |s: &State| s.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "{}", case.display());
    for (name, expected) in &theirs {
        assert_eq!(ours[name].size(), expected.size(), "{}: {name}", case.display());
        let expected = to_vec(expected);
        let largest = expected.iter().fold(0f32, |most, b| most.max(b.abs()));
        for (i, (a, b)) in to_vec(&ours[name]).into_iter().zip(expected).enumerate() {
            let near = (a - b).abs() <= TOLERANCE * (1.0 + largest);
            assert!(near, "{}: {name}[{i}] is {a}, PyTorch has {b}", case.display());
        }
    }
    theirs.len()
}

#[test]
fn parity_agrees_with_pytorch() {
    let folder = repository().join("golden");
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        if case.join("args").is_file() {
            assert!(compare(&case) >= 7, "{}: too few tensors were compared", case.display());
            cases += 1;
        }
    }
    assert!(cases >= 33, "only {cases} golden cases were found");
}

#[test]
fn initial_weights_can_be_written_and_read_back() {
    let case = repository().join("golden/csdm-paper");
    let weights = tempfile::NamedTempFile::new().unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let path = |p: &Path| p.to_str().unwrap().to_string();
    let run = |more: &[String]| {
        let mut words: Vec<String> =
            ["parity", "--model", "deepfm", "--module", "csdm", "--config"].map(String::from).to_vec();
        words.extend([path(&case.join("config.yaml")), "--weights".into(), path(weights.path())]);
        words.extend_from_slice(more);
        parity::run(&Command::parse_from(words).args).unwrap();
    };
    run(&["--init".into()]);
    let names: Vec<String> = load_state(weights.path()).unwrap().into_keys().collect();
    let golden: Vec<String> = load_state(&case.join("weights.safetensors")).unwrap().into_keys().collect();
    assert_eq!(names, golden);
    run(&["--batch".into(), path(&case.join("batch.safetensors")), "--out".into(), path(out.path())]);
    assert!(to_vec(&load_state(out.path()).unwrap()["loss"])[0].is_finite());
}

#[test]
fn a_wrong_batch_is_refused_with_its_name() {
    let ids = |state: &mut State| {
        let rows = state["ids.user_id"].size()[0];
        let wrong = Tensor::full([rows], 999, (Kind::Int64, Device::Cpu));
        state.insert("ids.user_id".into(), wrong);
    };
    let error = refused("batch.safetensors", ids);
    assert!(error.contains("ids.user_id has id 999, but its table has 11 rows"), "{error}");
}

#[test]
fn a_scenario_that_the_schema_lacks_is_refused() {
    let error = refused("batch.safetensors", |state| {
        let beyond = &state["scenario"] + 1;
        state.insert("scenario".into(), beyond);
    });
    assert!(error.contains("scenario has 1, but the schema has 1 scenarios"), "{error}");
}

#[test]
fn a_weight_that_the_net_lacks_is_refused_with_its_name() {
    let error = refused("weights.safetensors", |state| {
        let bias = state["mlp.out.bias"].copy();
        state.insert("mlp.uot.bias".into(), bias);
    });
    assert!(error.contains("the net has no mlp.uot.bias"), "{error}");
}

/// The error for a golden case whose file called `name` has been changed.
fn refused(name: &str, change: impl Fn(&mut State)) -> String {
    let case = repository().join("golden/deepfm");
    let mut state = load_state(&case.join(name)).unwrap();
    change(&mut state);
    let changed = tempfile::NamedTempFile::new().unwrap();
    scenarec_train::net::save_state(&state, changed.path()).unwrap();
    let path = |p: &Path| p.to_str().unwrap().to_string();
    let file = |own: &str| if own == name { path(changed.path()) } else { path(&case.join(own)) };
    let words = ["parity", "--model", "deepfm", "--out", "/dev/null", "--config"].map(String::from);
    let more = [file("config.yaml"), "--weights".into(), file("weights.safetensors")];
    let batch = ["--batch".to_string(), file("batch.safetensors")];
    let args = Command::parse_from(words.iter().chain(&more).chain(&batch)).args;
    format!("{:#}", parity::run(&args).unwrap_err())
}
