//! AdaSparse: its steps, its forms and its settings.
use crate::configs::config_file;
use scenarec_backbones::{build, model};
use scenarec_data::Dataset;
use scenarec_train::{
    Build, Net, Output,
    feed::gather,
    labels, loss,
    testing::{dataset, distance, magnitude, scramble},
    to_vec,
};
use serde_yaml::Value;
use std::sync::Arc;
use tch::{Device, Tensor};

const FORMS: [&str; 3] = [
    "{fusion: {alpha: {start: 1.0, growth: 0.5}, beta: 2.0, epsilon: 0.25}}",
    "{scaling: {beta: 2.0}}",
    "{binarisation: {alpha: {start: 1.0, growth: 0.5}, epsilon: 0.3, \
      sparsity: {min: 0.15, max: 0.25, weight: {start: 0.01, growth: 1e-4}}}}",
];

fn with(form: &str) -> Value {
    let mut config = config_file("adasparse");
    config["form"] = serde_yaml::from_str(form).unwrap();
    model("adasparse").unwrap().resolve(config).unwrap()
}

fn net(config: &Value, data: &Dataset, seed: u64) -> Net {
    build(&data.schema, config, Build::cpu(seed)).unwrap()
}

fn output(net: &mut Net, data: &Arc<Dataset>, train: bool) -> Output {
    let x = net.weights.tables.embed_with(&gather(data, &(0..60).collect::<Vec<_>>()).unwrap(), true, None);
    net.forward(&x, train)
}

fn steps(net: &mut Net) -> f32 {
    to_vec(&net.weights.state()["pruners.steps"])[0]
}

#[test]
fn steps_are_counted_in_training_only_and_saved() {
    let data = dataset(60, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net");
    for form in FORMS {
        let mut saved = net(&with(form), &data, 1);
        let first = output(&mut saved, &data, false).logits;
        assert_eq!(output(&mut saved, &data, false).logits, first, "{form}");
        assert_eq!(steps(&mut saved), 0.0);
        // The first step has the alpha that evaluation had.
        assert_eq!(output(&mut saved, &data, true).logits, first, "{form}");
        assert_eq!(steps(&mut saved), 1.0);
        let _ = output(&mut saved, &data, true);
        assert_eq!(steps(&mut saved), 2.0);
        let later = output(&mut saved, &data, false).logits;
        assert_eq!(distance(&later, &first) > 1e-4, !form.contains("scaling"), "{form}");
        saved.save(&path).unwrap();
        let mut loaded = net(&with(form), &data, 2);
        loaded.load(&path).unwrap();
        assert_eq!(steps(&mut loaded), 2.0);
        assert_eq!(output(&mut loaded, &data, false).logits, later, "{form}");
    }
}

#[test]
fn every_form_is_trained() {
    let data = dataset(60, 1);
    for form in FORMS {
        let mut net = net(&with(form), &data, 1);
        let batch = gather(&data, &(0..60).collect::<Vec<_>>()).unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let output = net.forward(&x, true);
        let names: Vec<&str> = output.aux.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, if form.contains("sparsity") { vec!["sparsity"] } else { vec![] });
        let loss = loss(&output, &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        for name in net.weights.names() {
            let size = magnitude(&gradients[name]);
            assert!(size > 0.0 && size.is_finite(), "{form}: {name}: {size:e}");
        }
    }
}

/// Where all neurons are pruned the last layer's bias is all there is.
#[test]
fn pruned_neurons_say_nothing() {
    let data = dataset(60, 1);
    let mut net =
        net(&with("{fusion: {alpha: {start: 1.0, growth: 0.0}, beta: 2.0, epsilon: 1.0}}"), &data, 1);
    scramble(&mut net.weights, 1);
    let mut state = net.weights.state();
    // v is 1 where u is 0, and 1 is not above 1.
    for l in 0..3 {
        let name = format!("pruners.{l}.weight");
        let zeros = state[&name].zeros_like();
        state.insert(name, zeros);
    }
    net.weights.load(&state, "").unwrap();
    let logits = output(&mut net, &data, false).logits;
    assert_eq!(logits, Tensor::ones_like(&logits) * &state["mlp.out.bias"]);
}

#[test]
fn settings_without_sense_are_refused_with_their_key() {
    let refused = |form: &str| {
        let mut config = config_file("adasparse");
        config["form"] = serde_yaml::from_str(form).unwrap();
        model("adasparse").unwrap().resolve(config).unwrap_err().to_string()
    };
    let replaced = |form: &str, from: &str, to: &str| {
        assert!(form.contains(from));
        refused(&form.replacen(from, to, 1))
    };
    let [fusion, scaling, binarisation] = FORMS;
    assert_eq!(replaced(scaling, "2.0", "0.0"), "form.scaling.beta: 0 is not above 0");
    assert_eq!(replaced(fusion, "beta: 2.0", "beta: -1.0"), "form.fusion.beta: -1 is not above 0");
    assert_eq!(replaced(fusion, "0.25", "2.0"), "form.fusion.epsilon: 2 is not in [0, 2)");
    assert_eq!(replaced(fusion, "start: 1.0", "start: 0.0"), "form.fusion.alpha.start: 0 is not above 0");
    assert_eq!(replaced(fusion, "0.5", "-0.5"), "form.fusion.alpha.growth: -0.5 is below 0");
    let binary = |from, to| replaced(binarisation, from, to);
    assert_eq!(binary("0.3", "1.0"), "form.binarisation.epsilon: 1 is not in [0, 1)");
    assert_eq!(binary("min: 0.15", "min: -1"), "form.binarisation.sparsity.min: a share of -1");
    assert_eq!(binary("max: 0.25", "max: 0.1"), "form.binarisation.sparsity.max: 0.1 is not in [0.15, 1]");
    assert_eq!(binary("start: 0.01", "start: -1"), "form.binarisation.sparsity.weight.start: a weight of -1");
    assert_eq!(binary("1e-4", "-1"), "form.binarisation.sparsity.weight.growth: -1 is below 0");
    assert!(refused("{scaling: {beta: 2.0, epsilon: 0.1}}").contains("unknown field `epsilon`"));
}
