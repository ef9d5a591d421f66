//! Compiled with a copy of the backbones crate in which `new model` has made models: called with the folder of their configurations
//! and pairs of a model and its copy, it says whether both are the same model, to the bit, after some steps of training.
use scenarec_backbones::{MODELS, build, model};
use scenarec_train::{Build, OptimSpec, Optimizer, State, testing};
use serde_yaml::Value;
use std::{env, fs, path::Path};

/// A net as its configuration file has it, trained for three steps.
fn trained(folder: &Path, name: &str) -> State {
    let text = fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("a configuration");
    let file: Value = serde_yaml::from_str(&text).expect("YAML");
    let entry = model(file["model"].as_str().expect("a name")).expect("an entry");
    let mut config = file["config"].clone();
    config["name"] = entry.name.into();
    let config = entry.resolve(config).expect("a good configuration");
    let data = testing::dataset(120, if entry.one_logit { 1 } else { 2 });
    let mut net = build(&data.schema, &config, Build::cpu(1)).expect("a net");
    let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
    for batch in testing::all(&data).in_order(40) {
        let loss = net.loss(&batch.expect("rows"));
        optimizer.step(&loss, &mut net.weights).expect("a step");
    }
    net.weights.state()
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (folder, names) = arguments.split_first().expect("a folder");
    let folder = Path::new(folder);
    let place = |name: &str| MODELS.iter().position(|m| m.name == name.replace('-', "_")).expect("an entry");
    for pair in names.chunks(2) {
        let [original, copy] = pair else { panic!("a model without its copy") };
        assert_eq!(place(copy), place(original) + 1, "{copy} stands behind {original}");
        let [own, theirs] = [copy, original].map(|name| trained(folder, name));
        assert_eq!(testing::changed(&theirs, &own), Vec::<String>::new(), "{copy} and {original}");
        println!("{copy} is {original}: {} tensors", own.len());
    }
}
