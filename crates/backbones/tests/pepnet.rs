//! PEPNet beyond the contract.
use crate::configs::{config_file, default_config};
use scenarec_backbones::{build, model};
use scenarec_data::Schema;
use scenarec_train::{
    Build, Net, State,
    feed::gather,
    labels, loss,
    testing::{dataset, distance, magnitude, schema, scramble},
};
use serde_yaml::Value;
use tch::{Device, Tensor};

/// The default configuration without behaviours, whose target attention reads the item's fields too.
fn config(prior: &[&str]) -> Value {
    let mut config = default_config(model("pepnet").unwrap());
    config.as_mapping_mut().unwrap().shift_remove("behaviours");
    config["prior"] = prior.iter().map(|name| Value::from(*name)).collect();
    config
}

fn scrambled(schema: &Schema, config: &Value) -> Net {
    let mut net = build(schema, config, Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

/// Puts `f` of them in the place of the parameters called `name`.
fn change(net: &mut Net, name: &str, f: impl Fn(&Tensor) -> Tensor) {
    let mut state = net.weights.state();
    let value = f(&state[name]);
    state.insert(name.into(), value);
    net.weights.load(&state, "").unwrap();
}

#[test]
fn gates_of_zero_weights_leave_a_plain_network() {
    let data = dataset(60, 1);
    let batch = gather(&data, &(0..60).collect::<Vec<_>>()).unwrap();
    let logits = |net: &mut Net| {
        let x = net.weights.tables.embed(&batch);
        net.forward(&x, false).logits
    };
    let mut net = scrambled(&data.schema, &config(&[]));
    let gated = logits(&mut net);
    let mut state = net.weights.state();
    for (name, value) in &mut state {
        if name.starts_with("epnet.") || name.starts_with("gates.") {
            *value = value.zeros_like();
        }
    }
    net.weights.load(&state, "").unwrap();
    let open = logits(&mut net);
    assert!(distance(&gated, &open) > 0.1);

    let mut plain = config_file("base-dnn");
    plain.as_mapping_mut().unwrap().shift_remove("behaviours");
    let mut plain = build(&data.schema, &plain, Build::cpu(2)).unwrap();
    let renamed = |name: &String| name.replace("tower.", "mlp.");
    let state: State = state.iter().map(|(name, value)| (renamed(name), value.shallow_clone())).collect();
    plain.weights.load(&state, "").unwrap();
    assert!(distance(&open, &logits(&mut plain)) < 1e-5 * (1.0 + magnitude(&open)));
}

/// The tower reads all of E but one field, which gates alone can let through: how far its vectors move the logits, and
/// the size of their gradient.
fn through_gates_alone(prior: &[&str]) -> [f64; 2] {
    let data = dataset(60, 1);
    let mut net = scrambled(&data.schema, &config(prior));
    let (slot, dim) = (net.weights.tables.slot("year").unwrap() as i64, net.weights.tables.dim() as i64);
    change(&mut net, "tower.0.linear.weight", |weight| {
        let weight = weight.copy();
        let _ = weight.narrow(1, slot * dim, dim).zero_();
        weight
    });
    let batch = gather(&data, &(0..60).collect::<Vec<_>>()).unwrap();
    let x = net.weights.tables.embed(&batch);
    let other = x.with_field(slot, &x.fields.select(1, slot).flip([0]));
    let moved = distance(&net.forward(&x, false).logits, &net.forward(&other, false).logits);

    let x = net.weights.tables.embed_with(&batch, true, None);
    let loss = loss(&net.forward(&x, false), &labels(&batch, Device::Cpu));
    let gradients = net.weights.gradients(&loss).unwrap();
    for name in ["user_id", "item_id", "word"] {
        assert!(magnitude(&gradients[&format!("embedding.{name}")]) > 1e-4, "{name}");
    }
    assert!(magnitude(&gradients["domain"]) > 1e-4);
    [moved, magnitude(&gradients["embedding.year"])]
}

#[test]
fn gates_send_no_gradient_to_what_they_gate_but_to_the_prior() {
    let [moved, gradient] = through_gates_alone(&[]);
    assert!(moved > 1e-2, "{moved}");
    assert_eq!(gradient, 0.0);
    let [moved, gradient] = through_gates_alone(&["year"]);
    assert!(moved > 1e-2 && gradient > 1e-4, "{moved} {gradient}");
}

#[test]
fn a_priors_fields_are_there_and_named_once() {
    let refused = |prior: &[&str]| build(&schema(1), &config(prior), Build::cpu(1)).unwrap_err().to_string();
    let unknown = "prior: no embedded field is called \"shop\"; \
        there are item_id, user_id, last_item, year, title, tags, genres";
    assert_eq!(refused(&["year", "shop"]), unknown);
    // Reals have no embedding.
    assert!(refused(&["count"]).starts_with("prior: no embedded field is called \"count\""));
    for twice in [&["item_id"][..], &["year", "year"]] {
        let message = format!("prior: {:?} is there already", twice[twice.len() - 1]);
        assert!(refused(twice).starts_with(&message), "{}", refused(twice));
    }
    let width = |prior: &[&str]| {
        let state = scrambled(&schema(1), &config(prior)).weights.state();
        state["gates.2.in.weight"].size()[1]
    };
    assert_eq!(width(&["year", "genres"]), width(&[]) + 80);
}
