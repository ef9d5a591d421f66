//! What must hold of models for several domains and tasks: M3oE's baselines.
use crate::configs::config_file;
use scenarec_backbones::build;
use scenarec_data::Dataset;
use scenarec_train::{
    Build, Feed, Net, Scoping, State,
    feed::gather,
    labels, loss,
    params::Selection,
    predict,
    rng::{normal, stream},
    testing::{dataset, distance, magnitude, scramble},
};
use serde_yaml::Value;
use std::sync::Arc;
use tch::{Device, Tensor};

/// Files of configs/models.
const FILES: [&str; 12] = [
    "shared-bottom",
    "mmoe",
    "ple",
    "adatt",
    "adatt-sp",
    "star",
    "star-reduced",
    "m2m",
    "m3oe",
    "aitm",
    "pepnet",
    "maria",
];

/// The configuration in a file; without batch norm, for which other rules hold in training.
fn without_batch_norm(file: &str) -> Value {
    let mut config = config_file(file);
    if config.get("norm").is_some_and(|norm| norm == "batch") {
        config["norm"] = "layer".into();
    }
    config
}

/// Models whose heads have batch norm.
fn with_batch_norm() -> Vec<Value> {
    let files = ["shared-bottom", "mmoe", "ple", "adatt", "mmoe-diff-msr", "ple-diff-msr", "aitm"];
    let batch = |file: &&str| {
        let mut config = config_file(file);
        config["norm"] = "batch".into();
        config
    };
    let mut configs: Vec<Value> = files.iter().map(batch).collect();
    let mut funnel = config_file("aitm");
    funnel["funnel"] = 0.6.into();
    configs.push(funnel);
    configs
}

fn scrambled(config: &Value, data: &Dataset) -> Net {
    let mut net = build(&data.schema, config, Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

/// Ten rows of the second domain, then `others` of the first.
fn beside(data: &Dataset, others: usize) -> Vec<u32> {
    let of = |domain: u16, n: usize| {
        (0..data.rows() as u32).filter(move |r| data.scenario[*r as usize] == domain).take(n)
    };
    of(1, 10).chain(of(0, others)).collect()
}

fn logits(net: &mut Net, data: &Arc<Dataset>, rows: &[u32], train: bool) -> Tensor {
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(&gather(data, rows).unwrap());
    net.forward(&x, train).logits
}

/// Variants of the files: the number of levels, and more than one native expert.
fn with(file: &str, changes: &[(&str, i64)]) -> Value {
    let mut config = config_file(file);
    changes.iter().for_each(|(key, value)| config[*key] = (*value).into());
    config
}

#[test]
fn every_scope_has_a_model_with_its_tasks() {
    let data = dataset(120, 2);
    let rows: Vec<u32> = (0..120).collect();
    for file in FILES {
        for scoping in [Scoping::Single, Scoping::Mtl, Scoping::Mdl, Scoping::Mdmt] {
            for scope in scoping.scopes(&data.schema) {
                let schema = scope.schema(&data.schema);
                let mut net = build(&schema, &config_file(file), Build::cpu(1)).unwrap();
                scramble(&mut net.weights, 1);
                let feed = Feed::scoped(data.clone(), &rows, &scope);
                let by_task = predict(&mut net, &feed, 50).unwrap();
                assert_eq!(by_task.len(), scope.tasks.len(), "{file}, {scoping:?}");
                for logits in by_task {
                    assert_eq!(logits.len(), feed.rows().len(), "{file}, {scoping:?}");
                    let spread = Tensor::from_slice(&logits).std(true).double_value(&[]);
                    assert!(spread > 0.1, "{file}, {scoping:?}: {spread}");
                }
            }
        }
    }
}

/// Second halves of first dimensions, which belong to the second domain: by globs, whether the first domain's rows depend
/// on them.
fn assert_routed(config: &Value, globs: &[&str], reach_the_first: bool) {
    let data = dataset(120, 2);
    let (mut net, rows) = (scrambled(config, &data), beside(&data, 10));
    let before = logits(&mut net, &data, &rows, false);
    let mut state = net.weights.state();
    for glob in globs {
        let names: Vec<String> = state.keys().cloned().collect();
        let (hit, _) = Selection::new(&[glob]).unwrap().split(names.iter().map(String::as_str)).unwrap();
        for name in hit {
            let value = &state[name];
            let (copies, own) = (value.size()[0], value.size()[0] / 2);
            let moved = value.narrow(0, own, copies - own);
            let moved = &moved + normal(&moved.size(), &mut stream(2, name)).abs() * 0.3;
            let both = Tensor::cat(&[value.narrow(0, 0, own), moved], 0);
            state.insert(name.into(), both);
        }
    }
    net.weights.load(&state, "").unwrap();
    let after = logits(&mut net, &data, &rows, false);
    let moved = |from: i64| distance(&before.narrow(0, from, 10), &after.narrow(0, from, 10));
    let (second, first) = (moved(0), moved(10));
    assert!(second > 1e-2, "{globs:?}: {second}");
    assert_eq!(first > 0.0, reach_the_first, "{globs:?}: {first}");
}

#[test]
fn a_row_passes_its_own_domains_parameters_only() {
    let one_by_one = |config: &Value, globs: &[&str]| {
        globs.iter().for_each(|glob| assert_routed(config, &[glob], false));
    };
    one_by_one(&config_file("shared-bottom"), &["towers.*"]);
    one_by_one(&config_file("mmoe"), &["towers.*", "gates.*"]);
    one_by_one(&config_file("ple"), &["towers.*", "levels.0.gates.*", "levels.0.specific.*"]);
    one_by_one(&config_file("adatt-sp"), &["towers.*", "levels.0.gates.*"]);
    one_by_one(
        &with("adatt", &[("native_experts", 2)]),
        &["towers.*", "levels.0.gates.*", "levels.0.native"],
    );
    one_by_one(&config_file("star"), &["layers.*.own_*", "norm.own_*", "norm.running_*", "domain"]);
    one_by_one(&config_file("star-reduced"), &["representation.star.own*"]);
    one_by_one(&config_file("m2m"), &["domain"]);
    one_by_one(&config_file("pepnet"), &["domain"]);
    one_by_one(&config_file("maria"), &["towers.*", "gates.*"]);
    // Every domain is coupled with the others.
    assert_routed(&config_file("maria"), &["domain"], true);
    // The shared experts between two levels read all heads' own.
    let two = with("ple", &[("levels", 2)]);
    one_by_one(&two, &["towers.*", "levels.1.gates.*", "levels.1.specific.*", "levels.0.gates.*"]);
    assert_routed(&two, &["levels.0.specific.*"], true);
    assert_routed(&config_file("adatt-sp"), &["levels.0.experts.*"], true);
    // What the second domain knows is handed to none, or to the first.
    let mut aitm = without_batch_norm("aitm");
    one_by_one(&aitm, &["towers.*", "bottoms.*"]);
    aitm["order"] = serde_yaml::from_str("scenarios: [search, home]").unwrap();
    one_by_one(&aitm, &["towers.*"]);
    assert_routed(&aitm, &["bottoms.*"], true);
}

/// STAR's batch statistics are a domain's own, and a domain may have one row in a batch, or none.
#[test]
fn in_training_a_domain_does_not_depend_on_the_rows_of_another() {
    let data = dataset(120, 2);
    let of = |file: &str, others: usize| {
        let mut net = scrambled(&without_batch_norm(file), &data);
        logits(&mut net, &data, &beside(&data, others), true).narrow(0, 0, 10)
    };
    for file in FILES {
        let many = of(file, 10);
        for others in [0, 1] {
            let near = 1e-5 * (1.0 + magnitude(&many));
            assert!(distance(&of(file, others), &many) < near, "{file} beside {others}");
        }
    }
}

#[test]
fn a_batch_that_lacks_a_domain_has_gradients() {
    let data = dataset(120, 2);
    let plain = FILES.iter().map(|file| without_batch_norm(file));
    for config in plain.chain(with_batch_norm()) {
        let mut net = scrambled(&config, &data);
        for others in [0, 1] {
            let batch = gather(&data, &beside(&data, others)).unwrap();
            let x = net.weights.tables.embed_with(&batch, true, None);
            let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
            let gradients = net.weights.gradients(&loss).unwrap();
            assert!(gradients.values().all(|g| magnitude(g).is_finite()), "{config:?}");
            assert!(magnitude(&gradients["embedding.user_id"]) > 1e-4, "{config:?}");
            assert!(net.weights.state().values().all(|t| magnitude(t).is_finite()), "{config:?}");
        }
    }
}

/// The batch norms of heads have the statistics of all rows, whichever domain these belong to: one row is enough of it,
/// and none.
#[test]
fn batch_statistics_are_those_of_the_whole_batch() {
    let data = dataset(120, 2);
    for config in with_batch_norm() {
        let statistics = |of_the_first: usize| -> State {
            let mut net = scrambled(&config, &data);
            let mut batch = gather(&data, &(0..20).collect::<Vec<_>>()).unwrap();
            batch.scenario = (0..20).map(|row| i64::from(row >= of_the_first)).collect();
            let x = net.weights.tables.embed(&batch);
            let before = net.weights.state();
            let _ = net.forward(&x, true);
            let after = net.weights.state();
            let running = after.into_iter().filter(|(name, _)| name.contains(".running_"));
            let running: State = running.filter(|(name, _)| name.starts_with("towers.")).collect();
            for (name, value) in &running {
                // Of every head.
                for k in 0..4 {
                    assert!(distance(&value.get(k), &before[name].get(k)) > 1e-3, "{config:?}: {name}");
                }
            }
            running
        };
        let half = statistics(10);
        assert!(half.len() >= 2, "{config:?}");
        for of_the_first in [0, 1, 20] {
            for (name, value) in &statistics(of_the_first) {
                assert!(distance(value, &half[name]) < 1e-5, "{config:?}: {name}");
            }
        }
    }
}

#[test]
fn more_levels_and_experts_are_trained() {
    let data: Arc<Dataset> = dataset(120, 2);
    let variants = [
        with("ple", &[("levels", 2)]),
        with("adatt", &[("levels", 2), ("native_experts", 2)]),
        with("adatt-sp", &[("levels", 2), ("native_experts", 2)]),
        with("m2m", &[("tower_layers", 2), ("experts", 1)]),
        with("mmoe", &[("experts", 1)]),
    ];
    for config in variants {
        let mut net = scrambled(&config, &data);
        let batch = gather(&data, &(0..120).collect::<Vec<_>>()).unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        // A gate over one expert always says 1, and so does attention to it.
        let constant = |n: &str| {
            config["experts"] == 1
                && ["gates.", "attention.", "score", "task"].iter().any(|c| n.starts_with(c))
        };
        for name in net.weights.names() {
            let size = magnitude(&gradients[name]);
            assert_eq!(
                size > 1e-6,
                !constant(name),
                "{}: {name}: {size:e}",
                config["name"].as_str().unwrap()
            );
        }
    }
}

#[test]
fn settings_without_sense_are_refused_with_their_key() {
    let refused = |file: &str, change: &dyn Fn(&mut Value)| {
        let mut config = config_file(file);
        change(&mut config);
        let name = config["name"].as_str().unwrap().to_string();
        scenarec_backbones::model(&name).unwrap().resolve(config).unwrap_err().to_string()
    };
    let set = |key: &'static str, value: Value| move |c: &mut Value| c[key] = value.clone();
    for (file, key, message) in [
        ("mmoe", "experts", "experts: 0 is below 1"),
        ("ple", "levels", "levels: 0 is below 1"),
        ("ple", "specific_experts", "specific_experts: 0 is below 1"),
        ("ple", "shared_experts", "shared_experts: 0 is below 1"),
        ("adatt", "native_experts", "native_experts: 0 is below 1"),
        ("m2m", "tower_layers", "tower_layers: 0 is below 1"),
        ("m2m", "width", "width: a width of 0"),
    ] {
        assert_eq!(refused(file, &set(key, 0.into())), message);
    }
    assert_eq!(refused("adatt", &set("shared_experts", (-1).into())), "shared_experts: -1 is below 0");
    assert_eq!(refused("shared-bottom", &set("bottom", Value::Sequence(vec![]))), "bottom: no layer");
    assert_eq!(refused("mmoe", &set("tower", Value::Sequence(vec![0.into()]))), "tower: a width below 1");
    assert_eq!(refused("aitm", &set("bottom", Value::Sequence(vec![]))), "bottom: no layer");
    assert_eq!(refused("aitm", &set("funnel", (-0.5).into())), "funnel: a weight of -0.5");
    assert_eq!(refused("xdeepfm", &set("cin", Value::Sequence(vec![]))), "cin: no layer");
    assert_eq!(refused("xdeepfm", &set("cin", Value::Sequence(vec![0.into()]))), "cin: a width below 1");
    let star = |c: &mut Value| c["form"]["original"]["hidden"] = Value::Sequence(vec![]);
    assert_eq!(refused("star", &star), "form.original.hidden: no layer");
}
