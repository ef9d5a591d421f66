//! AESM²: its noise, its losses, its variants and its settings.
use crate::configs::config_file;
use scenarec_backbones::{build, model};
use scenarec_data::Dataset;
use scenarec_train::{
    Build, Net, Output, State,
    feed::gather,
    labels, loss,
    testing::{dataset, distance, magnitude, scramble},
};
use serde_yaml::Value;
use std::sync::Arc;
use tch::{Device, Tensor};

fn with(changes: &[(&str, Value)]) -> Value {
    let mut config = config_file("aesm2");
    changes.iter().for_each(|(key, value)| config[*key] = value.clone());
    config
}

fn scrambled(config: &Value, data: &Dataset) -> Net {
    let mut net = build(&data.schema, config, Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

fn output(net: &mut Net, data: &Arc<Dataset>, train: bool) -> Output {
    let x = net.weights.tables.embed_with(&gather(data, &(0..60).collect::<Vec<_>>()).unwrap(), true, None);
    net.forward(&x, train)
}

#[test]
fn gates_have_noise_in_training_only() {
    let data = dataset(60, 1);
    let both = |net: &mut Net, train| [0; 2].map(|_| output(net, &data, train).logits);
    let mut noisy = scrambled(&config_file("aesm2"), &data);
    let still = both(&mut noisy, false);
    assert_eq!(still[0], still[1]);
    let moved = both(&mut noisy, true);
    assert!(distance(&moved[0], &moved[1]) > 1e-3);
    // The stream is the net's own: another net of the seed draws the same.
    let again = both(&mut scrambled(&config_file("aesm2"), &data), true);
    assert_eq!(moved, again);
    let mut quiet = scrambled(&with(&[("noise_scale", 0.0.into())]), &data);
    assert_eq!(both(&mut quiet, true), still);
}

#[test]
fn the_divergences_are_losses_with_their_weights() {
    let data = dataset(60, 1);
    let of = |specific: f64, shared: f64| -> [f64; 2] {
        let weights = [("specific_kl", specific.into()), ("shared_kl", shared.into())];
        let Output { aux, .. } = output(&mut scrambled(&with(&weights), &data), &data, false);
        assert_eq!(aux.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["specific_kl", "shared_kl"]);
        [0, 1].map(|i| aux[i].1.double_value(&[]))
    };
    let one = of(1.0, 1.0);
    assert!(one.iter().all(|kl| *kl > 1e-3), "{one:?}");
    let other = of(0.5, 3.0);
    assert!((other[0] - 0.5 * one[0]).abs() < 1e-6 && (other[1] - 3.0 * one[1]).abs() < 1e-5, "{other:?}");
}

#[test]
fn every_variant_is_trained() {
    let data = dataset(60, 1);
    let shared = ("towers", "shared".into());
    for config in [
        with(&[("levels", 2.into())]),
        with(&[("levels", 2.into()), shared.clone()]),
        with(&[("specific_experts", 4.into()), ("norm", "batch".into())]),
        with(&[("shared_experts", 3.into()), shared]),
    ] {
        let mut net = scrambled(&config, &data);
        let batch = gather(&data, &(0..60).collect::<Vec<_>>()).unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        for name in net.weights.names() {
            let size = magnitude(&gradients[name]);
            // Batch norm subtracts the biases before it.
            let none = config["norm"] == "batch" && name.ends_with("linear.bias");
            assert!(size.is_finite() && (none || size > 1e-6), "{config:?}: {name}: {size:e}");
        }
    }
}

/// With the gates' weights at 0 the biases choose, for all rows of a scenario alike.
#[test]
fn experts_that_are_not_chosen_have_no_effect() {
    let data = dataset(60, 1);
    let mut net = scrambled(&config_file("aesm2"), &data);
    let mut state = net.weights.state();
    let gates = state["levels.0.gates.weight"].zeros_like();
    state.insert("levels.0.gates.weight".into(), gates);
    // Expert 0 is the first scenario's, 1 the second's, 2 both's; 3 comes after them in every order.
    let bias = Tensor::from_slice2(&[[3.0f32, -3.0, 0.5, 1.0], [-3.0, 3.0, 0.5, -1.0]]);
    state.insert("levels.0.gates.bias".into(), bias);
    let logits = |net: &mut Net, state: &State| {
        net.weights.load(state, "").unwrap();
        output(net, &data, false).logits
    };
    let before = logits(&mut net, &state);
    for expert in 0..4 {
        let mut changed: State = state.iter().map(|(n, t)| (n.clone(), t.copy())).collect();
        let _ = changed.get_mut("levels.0.experts.0.linear.weight").unwrap().get(expert).g_mul_scalar_(-2.0);
        let after = logits(&mut net, &changed);
        for (row, scenario) in data.scenario.iter().enumerate() {
            let moved = distance(&after.get(row as i64), &before.get(row as i64)) > 0.0;
            assert_eq!(moved, expert == 2 || expert == i64::from(*scenario), "row {row}, expert {expert}");
        }
    }
}

#[test]
fn settings_without_sense_are_refused_with_their_key() {
    let refused = |key: &str, value: Value| {
        let config = with(&[(key, value)]);
        model("aesm2").unwrap().resolve(config).unwrap_err().to_string()
    };
    assert_eq!(refused("levels", 0.into()), "levels: 0 is below 1");
    assert_eq!(refused("experts", 0.into()), "experts: 0 is below 1");
    assert_eq!(refused("specific_experts", 0.into()), "specific_experts: 0 is below 1");
    assert_eq!(refused("specific_experts", 5.into()), "specific_experts: 5 of 4 experts");
    assert_eq!(refused("shared_experts", 5.into()), "shared_experts: 5 of 4 experts");
    assert_eq!(refused("noise_scale", (-0.1).into()), "noise_scale: a deviation of -0.1");
    assert_eq!(refused("specific_kl", (-1.0).into()), "specific_kl: a weight of -1");
    assert_eq!(refused("shared_kl", (-1.0).into()), "shared_kl: a weight of -1");
    assert_eq!(refused("expert", Value::Sequence(vec![])), "expert: no layer");
    assert!(refused("towers", "each".into()).contains("unknown variant `each`"));
}
