//! What every model of the registry must do. One binary, so that libtorch is linked once.
use scenarec_backbones::{MODELS, ModelEntry};
use scenarec_data::Schema;
use scenarec_train::{
    Build, Feed, Net, OptimSpec, Optimizer,
    batch::gather,
    labels, loss, metrics, predict,
    testing::{all, changed, dataset, distance, magnitude, schema, scramble},
};
use serde_yaml::Value;
use std::{fs, path::Path};
use tch::{Device, Tensor};

/// Parameters that rightly get no gradient but rounding noise, and why.
const WITHOUT_GRADIENT: &[(&str, &str, &str)] =
    &[("deepfm", "mlp.*.linear.bias", "batch norm subtracts the mean, and with it any bias")];

/// The configuration that is shipped with the project.
fn shipped(model: &ModelEntry) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../configs/models/{}.yaml", model.name));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: Value = serde_yaml::from_str(&text).unwrap();
    let mut config = file["config"].clone();
    config["name"] = model.name.into();
    (model.resolve)(config).unwrap()
}

fn net(model: &ModelEntry, schema: &Schema) -> Net {
    (model.build)(schema, shipped(model), Build::cpu(7)).unwrap()
}

/// Logits in evaluation mode, `[B, T]`.
fn logits(net: &mut Net, feed: &Feed, rows: &[u32]) -> Tensor {
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(&gather(feed.data(), rows));
    net.forward(&x, false).logits
}

#[test]
fn logits_are_one_per_row_and_task() {
    for model in MODELS {
        let data = dataset(50, 1);
        let mut net = net(model, &data.schema);
        assert_eq!(
            logits(&mut net, &all(&data), &(0..50).collect::<Vec<_>>()).size(),
            [50, 1],
            "{}",
            model.name
        );
        assert_eq!(logits(&mut net, &all(&data), &[3]).size(), [1, 1], "{}: one row", model.name);
    }
}

#[test]
fn every_parameter_gets_a_gradient() {
    for model in MODELS {
        let data = dataset(200, 1);
        let mut net = net(model, &data.schema);
        scramble(&mut net.weights, 5);
        let batch = gather(&data, &(0..200).collect::<Vec<_>>());
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        let exempt = |name: &str| {
            let globs =
                WITHOUT_GRADIENT.iter().filter(|(m, _, reason)| *m == model.name && !reason.is_empty());
            globs.into_iter().any(|(_, glob, _)| globset(glob, name))
        };
        for name in net.weights.names() {
            let size =
                magnitude(gradients.get(name).unwrap_or_else(|| panic!("{}: {name} is unused", model.name)));
            assert_eq!(size > 1e-6, !exempt(name), "{}: {name} has gradient {size:e}", model.name);
        }
    }
}

/// Whether `name` matches `glob`, where `*` stands for one part.
fn globset(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<&str>, Vec<&str>) = (glob.split('.').collect(), name.split('.').collect());
    glob.len() == name.len() && glob.iter().zip(&name).all(|(g, n)| *g == "*" || g == n)
}

#[test]
fn frozen_parameters_do_not_move_and_the_others_do() {
    for model in MODELS {
        let data = dataset(100, 1);
        let mut net = net(model, &data.schema);
        scramble(&mut net.weights, 5);
        let before = net.weights.state();
        let names: Vec<String> = net.weights.names().into_iter().map(String::from).collect();
        let (held, open): (Vec<_>, Vec<_>) = names.iter().partition(|n| n.starts_with("embedding."));
        let _frozen = net.weights.freeze(&["embedding.*"], scenarec_train::Mode::Train).unwrap();
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), &mut net.weights);
        let batch = gather(&data, &(0..100).collect::<Vec<_>>());
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        optimizer.step(&loss, &mut net.weights).unwrap();
        let moved = changed(&before, &net.weights.state());
        assert!(held.iter().all(|n| !moved.contains(*n)), "{}: {moved:?}", model.name);
        assert!(open.iter().all(|n| moved.contains(*n)), "{}: {moved:?}", model.name);
    }
}

#[test]
fn a_few_rows_can_be_learned_by_heart() {
    for model in MODELS {
        let data = dataset(64, 1);
        let mut config = shipped(model);
        if config.get("dropout").is_some() {
            config["dropout"] = 0.0.into();
        }
        let mut net = (model.build)(&data.schema, config, Build::cpu(7)).unwrap();
        let feed = all(&data);
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.02, 0.0), &mut net.weights);
        let auc = |net: &mut Net| {
            let scores = &predict(net, &feed, 64)[0];
            metrics::auc(scores, &data.labels[0]).unwrap().expect("both classes occur")
        };
        assert!(auc(&mut net) < 0.9, "{}: nothing is left to learn", model.name);
        for _ in 0..300 {
            let batch = gather(&data, feed.rows());
            let x = net.weights.tables.embed_with(&batch, true, None);
            let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
            optimizer.step(&loss, &mut net.weights).unwrap();
        }
        let learned = auc(&mut net);
        assert!(learned > 0.99, "{}: AUC {learned}", model.name);
    }
}

#[test]
fn a_row_does_not_depend_on_the_others_of_its_batch() {
    for model in MODELS {
        let data = dataset(60, 1);
        let mut net = net(model, &data.schema);
        scramble(&mut net.weights, 5);
        let feed = all(&data);
        let rows: Vec<u32> = (0..60).collect();
        let whole = logits(&mut net, &feed, &rows);
        assert!(magnitude(&(&whole - whole.mean(tch::Kind::Float))) > 0.1, "{}: rows differ", model.name);
        let reversed: Vec<u32> = rows.iter().rev().copied().collect();
        assert!(distance(&whole.flip([0i64]), &logits(&mut net, &feed, &reversed)) < 1e-4, "{}", model.name);
        // One scenario's rows alone, and a single row.
        let first: Vec<u32> = rows.iter().copied().filter(|r| data.scenario[*r as usize] == 0).collect();
        for part in [first, vec![17]] {
            let index = Tensor::from_slice(&part.iter().map(|r| i64::from(*r)).collect::<Vec<_>>());
            let alone = logits(&mut net, &feed, &part);
            assert!(distance(&whole.index_select(0, &index), &alone) < 1e-4, "{}: {part:?}", model.name);
        }
    }
}

#[test]
fn what_is_saved_is_loaded_bit_by_bit() {
    let folder = std::env::temp_dir().join(format!("scenarec-backbones-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for model in MODELS {
        let data = dataset(30, 1);
        let file = folder.join(format!("{}.safetensors", model.name));
        let mut saved = net(model, &data.schema);
        scramble(&mut saved.weights, 5);
        saved.save(&file).unwrap();
        let mut loaded = (model.build)(&data.schema, shipped(model), Build::cpu(8)).unwrap();
        assert!(!changed(&saved.weights.state(), &loaded.weights.state()).is_empty());
        loaded.load(&file).unwrap();
        assert_eq!(changed(&saved.weights.state(), &loaded.weights.state()), Vec::<String>::new());
        let rows: Vec<u32> = (0..30).collect();
        let feed = all(&data);
        assert_eq!(logits(&mut saved, &feed, &rows), logits(&mut loaded, &feed, &rows), "{}", model.name);
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn configurations_are_checked() {
    for model in MODELS {
        let mut unknown = shipped(model);
        unknown["no_such_key"] = 1.into();
        assert!((model.resolve)(unknown).unwrap_err().to_string().contains("no_such_key"), "{}", model.name);
        let mut none = shipped(model);
        none["dim"] = 0.into();
        assert!((model.resolve)(none).is_err(), "{}: a width of 0", model.name);
    }
    let two_tasks = (MODELS[0].build)(&schema(2), shipped(&MODELS[0]), Build::cpu(1));
    assert!(two_tasks.unwrap_err().to_string().contains("has one task"));
}
