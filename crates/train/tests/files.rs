//! Nets saved and loaded.
use scenarec_train::{
    Backend, Build, OptimSpec, Optimizer, bce, labels,
    net::{load_state, save_state},
    predict,
    testing::{DIM, all, changed, dataset, net, schema, scramble},
};
use tch::{Device, Kind, Tensor};

fn build(seed: u64, backend: Backend) -> Build {
    Build { seed, device: Device::Cpu, backend }
}

#[test]
fn what_is_saved_is_loaded_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (data, path) = (dataset(40, 1), folder.path().join("net.safetensors"));
    for (from, to) in [
        (Backend::Deferred, Backend::Deferred),
        (Backend::Deferred, Backend::Dense),
        (Backend::Dense, Backend::Deferred),
    ] {
        let mut first = net(&data.schema, build(1, from));
        scramble(&mut first.weights, 8);
        // Tables that owe moves, and running statistics that moved.
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut first.weights);
        for batch in all(&data).in_order(10) {
            let batch = batch.unwrap();
            let x = first.weights.tables.embed_with(&batch, true, None);
            let loss = bce(&first.forward(&x, true).logits, &labels(&batch, Device::Cpu));
            optimizer.step(&loss, &mut first.weights).unwrap();
        }
        first.save(&path).unwrap();
        let mut second = net(&data.schema, build(2, to));
        let other = second.weights.state();
        let named = changed(&first.weights.state(), &other);
        assert!(named.len() == other.len(), "everything differs before: {named:?}");
        second.load(&path).unwrap();
        assert_eq!(changed(&first.weights.state(), &second.weights.state()), Vec::<String>::new());
        let logits = [&mut first, &mut second].map(|net| predict(net, &all(&data), 16).unwrap());
        assert!(logits[0][0].iter().any(|l| *l != logits[0][0][0]));
        if from == to {
            assert_eq!(logits[0], logits[1]);
        }
    }
}

#[test]
fn a_loaded_net_can_be_trained() {
    let data = dataset(40, 1);
    for backend in [Backend::Deferred, Backend::Dense] {
        let mut net = net(&data.schema, build(1, backend));
        let state = net.weights.state();
        net.weights.load(&state, "").unwrap();
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), &mut net.weights);
        let batch = all(&data).in_order(40).next().unwrap().unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = bce(&net.forward(&x, true).logits, &labels(&batch, Device::Cpu));
        optimizer.step(&loss, &mut net.weights).unwrap();
        let moved = changed(&state, &net.weights.state());
        assert_eq!(moved.len(), state.len(), "{backend:?}: {moved:?}");
    }
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let mut net = net(&schema(1), Build::cpu(1));
    net.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for damaged in [&bytes[..bytes.len() - 7], &bytes[..5], b"not a tensor in here", b""] {
        std::fs::write(&path, damaged).unwrap();
        let error = format!("{:#}", net.load(&path).unwrap_err());
        assert!(error.starts_with(&format!("cannot read {} as safetensors", path.display())), "{error}");
    }
    let absent = folder.path().join("absent.safetensors");
    let error = format!("{:#}", net.load(&absent).unwrap_err());
    assert!(error.contains(&absent.display().to_string()), "{error}");
}

#[test]
fn a_missing_name_and_a_wrong_shape_are_named() {
    let mut net = net(&schema(1), Build::cpu(1));
    for (name, needed) in [
        ("mlp.0.linear.weight", "[8, 30]"),
        ("mlp.1.norm.running_var", "[8]"),
        ("embedding.item_id", "[40, 4]"),
    ] {
        let mut state = net.weights.state();
        let value = state.remove(name).unwrap();
        let error = net.weights.load(&state, "").unwrap_err().to_string();
        assert_eq!(error, format!("no tensor is called {name:?}"));
        // As many values, so that only a look at the shape tells.
        state.insert(name.into(), value.flatten(0, -1).unsqueeze(0));
        let error = net.weights.load(&state, "").unwrap_err().to_string();
        let found = [1, value.numel()];
        assert_eq!(error, format!("{name:?} has shape {found:?}, but {needed} is needed"));
    }
}

#[test]
fn a_prefix_chooses_a_part_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.safetensors");
    let mut first = net(&schema(1), Build::cpu(1));
    let mut both = scenarec_train::State::new();
    for (name, value) in first.weights.state() {
        both.insert(format!("net.{name}"), value.shallow_clone());
        // The other half, in a layout that is not contiguous.
        both.insert(
            format!("other.{name}"),
            if value.dim() == 2 { value.tr().contiguous().tr() * 2.0 } else { value * 2.0 },
        );
    }
    save_state(&both, &path).unwrap();
    let mut second = net(&schema(1), Build::cpu(2));
    second.weights.load(&load_state(&path).unwrap(), "other.").unwrap();
    for (name, value) in second.weights.state() {
        assert_eq!(value, &first.weights.state()[&name] * 2.0, "{name}");
    }
    let zeros = Tensor::zeros([DIM as i64], (Kind::Float, Device::Cpu));
    assert_ne!(second.weights.tables.get_rows("embedding.word", &[0]).unwrap().squeeze(), zeros);
}
