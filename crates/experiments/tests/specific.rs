//! What belongs to single scenarios: the registry's `specific` and `isolated`.
use crate::contract::{data, default_config};
use scenarec_data::Dataset;
use scenarec_experiments::models::{build, model, models};
use scenarec_train::{
    Build, Mode, ModelEntry, Net, OptimSpec, Optimizer,
    feed::gather,
    labels, loss,
    params::Selection,
    testing::{dataset, distance, magnitude, model_config, scramble},
};
use serde_yaml::Value;
use std::{collections::BTreeSet, fs, path::Path, sync::Arc};
use tch::{Device, Tensor};

fn entry(config: &Value) -> &'static ModelEntry {
    model(config["name"].as_str().unwrap()).unwrap()
}

fn scrambled(config: &Value, data: &Dataset) -> Net {
    let mut net = build(&data.schema, config, Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

/// Twenty rows of a scenario.
fn rows(data: &Dataset, scenario: u16) -> Vec<u32> {
    (0..data.rows() as u32).filter(|r| data.scenario[*r as usize] == scenario).take(20).collect()
}

fn logits(net: &mut Net, data: &Arc<Dataset>, scenario: u16) -> Tensor {
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(&gather(data, &rows(data, scenario)).unwrap());
    net.forward(&x, false).logits
}

/// The loss of the first scenario's rows.
fn first_loss(net: &mut Net, data: &Arc<Dataset>, train: bool) -> Tensor {
    let batch = gather(data, &rows(data, 0)).unwrap();
    let x = net.weights.tables.embed_with(&batch, true, None);
    loss(&net.forward(&x, train), &labels(&batch, Device::Cpu))
}

/// How far the logits of both scenarios' rows move while the specific parameters learn from the first's.
fn moves(config: &Value) -> [f64; 2] {
    let data = data(entry(config).name);
    let mut net = scrambled(config, &data);
    let before = [0, 1].map(|s| logits(&mut net, &data, s));
    let guard = net.weights.freeze_all_but(entry(config).specific, Mode::Eval).unwrap();
    let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), &mut net.weights);
    for _ in 0..5 {
        let loss = first_loss(&mut net, &data, guard.train());
        optimizer.step(&loss, &mut net.weights).unwrap();
    }
    [0, 1].map(|s: u16| distance(&logits(&mut net, &data, s), &before[usize::from(s)]))
}

fn with_levels(config: &Value, levels: i64) -> Value {
    let mut config = config.clone();
    config["levels"] = levels.into();
    config
}

#[test]
fn specific_parameters_are_dense_and_every_configuration_has_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/models");
    let files = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    let stems: BTreeSet<String> = files.map(|f| f.file_stem().unwrap().to_str().unwrap().into()).collect();
    let mut configs: Vec<Value> = stems.iter().map(|stem| model_config(models(), stem)).collect();
    let mut without_linear = model_config(models(), "xdeepfm");
    without_linear["linear"] = false.into();
    configs.push(without_linear);
    configs.push(with_levels(&model_config(models(), "adatt"), 2));
    for config in configs {
        let name = entry(&config).name;
        let net = build(&data(name).schema, &config, Build::cpu(1)).unwrap();
        let selection = Selection::new(entry(&config).specific).unwrap();
        let (own, rest) = selection.split(net.weights.names()).unwrap_or_else(|e| panic!("{name}: {e}"));
        // What pools behaviours belongs to all scenarios.
        let dense: Vec<&str> = net.weights.params.names().filter(|n| !n.starts_with("behaviours.")).collect();
        assert!(own.iter().all(|n| dense.contains(n)), "{name}: {own:?}");
        assert_eq!(rest.iter().any(|n| dense.contains(n)), !entry(&config).one_logit, "{name}: {rest:?}");
    }
}

#[test]
fn isolated_models_keep_what_other_scenarios_see() {
    let variants =
        ["mmoe-diff-msr", "star-diff-msr", "star-reduced"].map(|name| model_config(models(), name));
    for config in models().map(default_config).chain(variants) {
        let entry = entry(&config);
        // An MLP has one scenario.
        if entry.name == "mlp" {
            continue;
        }
        let [own, others] = moves(&config);
        assert!(own > 1e-3, "{}: {own}", entry.name);
        if entry.isolated {
            assert_eq!(others, 0.0, "{}", entry.name);
        } else if ["ple", "adatt"].contains(&entry.name) {
            assert_eq!(config["levels"], 1);
            assert_eq!(others, 0.0, "{}: one level is isolated", entry.name);
            assert!(moves(&with_levels(&config, 2))[1] > 1e-3, "{}", entry.name);
        } else {
            assert!(others > 1e-3, "{}: {others}", entry.name);
        }
    }
}

/// Also in training, where batch norm lets all rows pass all heads.
#[test]
fn one_scenarios_rows_give_the_others_copies_no_gradient() {
    let files = [
        "shared-bottom",
        "mmoe",
        "mmoe-diff-msr",
        "star",
        "star-reduced",
        "m3oe",
        "aitm",
        "ple-diff-msr",
        "maria",
    ];
    for file in files {
        let mut config = model_config(models(), file);
        if file == "m3oe" {
            // A gate over one expert learns nothing.
            config["shared_experts"] = 2.into();
        }
        let data = dataset(120, 2);
        let mut net = scrambled(&config, &data);
        let loss = first_loss(&mut net, &data, true);
        let gradients = net.weights.gradients(&loss).unwrap();
        let (own, _) = Selection::new(entry(&config).specific).unwrap().split(net.weights.names()).unwrap();
        // Parameters whose rows are copies by head or domain; PLE's first level is read by all, AITM's transfers are not
        // copies by domain.
        let stacks = own.iter().filter(|n| !n.starts_with("levels.0.") && !n.starts_with("transfers."));
        for name in stacks {
            let gradient = &gradients[*name];
            let half = gradient.size()[0] / 2;
            let [first, second] = [0, half].map(|from| magnitude(&gradient.narrow(0, from, half)));
            assert!(first > 0.0, "{file}: {name}");
            assert_eq!(second, 0.0, "{file}: {name}");
        }
    }
}
