//! MARIA beyond the contract.
use crate::configs::default_config;
use scenarec_backbones::{build, model};
use scenarec_data::Schema;
use scenarec_train::{
    Build, Net, Scoping,
    feed::gather,
    labels, loss,
    testing::{dataset, distance, magnitude, schema, scramble},
};
use serde_yaml::Value;
use tch::{Device, Tensor};

fn default() -> Value {
    default_config(model("maria").unwrap())
}

fn without_behaviours() -> Value {
    let mut config = default();
    config.as_mapping_mut().unwrap().shift_remove("behaviours");
    config
}

fn scrambled(schema: &Schema, config: &Value) -> Net {
    let mut net = build(schema, config, Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

#[test]
fn selectors_draw_in_training_only() {
    let data = dataset(60, 2);
    let logits_of = |config: &Value| {
        let mut net = scrambled(&data.schema, config);
        let x = net.weights.tables.embed(&gather(&data, &(0..60).collect::<Vec<_>>()).unwrap());
        [false, false, true, true].map(|train| net.forward(&x, train).logits)
    };
    let mut config = default();
    let [first, second, drawn, again] = logits_of(&config);
    assert_eq!(first, second);
    assert!(distance(&first, &drawn) > 1e-2 && distance(&drawn, &again) > 1e-2);
    // The noise is the seed's.
    assert_eq!(logits_of(&config)[2], drawn);
    config["sampling"] = false.into();
    let [evaluated, _, trained, again] = logits_of(&config);
    assert_eq!(evaluated, first);
    assert_eq!([&trained, &again], [&evaluated; 2]);
}

/// The refiners read all of Q̂ but one field, which only the scales of the others know.
#[test]
fn scaling_sends_no_gradient_to_what_it_scales() {
    let data = dataset(60, 2);
    let mut net = scrambled(&data.schema, &without_behaviours());
    let (slot, dim) = (net.weights.tables.slot("user_id").unwrap() as i64, net.weights.tables.dim() as i64);
    // The user's group has user_id first and one refiner, and so no selector.
    let state = net.weights.state();
    let _ = state["groups.user.refiners.weight"].narrow(1, 0, dim).zero_();
    net.weights.load(&state, "").unwrap();
    let batch = gather(&data, &(0..60).collect::<Vec<_>>()).unwrap();
    let x = net.weights.tables.embed(&batch);
    let other = x.with_field(slot, &x.fields.select(1, slot).flip([0]));
    assert!(distance(&net.forward(&x, false).logits, &net.forward(&other, false).logits) > 1e-2);

    let x = net.weights.tables.embed_with(&batch, true, None);
    let loss = loss(&net.forward(&x, false), &labels(&batch, Device::Cpu));
    let gradients = net.weights.gradients(&loss).unwrap();
    assert_eq!(magnitude(&gradients["embedding.user_id"]), 0.0);
    assert!(magnitude(&gradients["embedding.item_id"]) > 1e-4 && magnitude(&gradients["domain"]) > 1e-4);
}

#[test]
fn the_shared_towers_part_is_weighed_by_the_coupling() {
    let data = dataset(60, 2);
    let mut net = scrambled(&data.schema, &default());
    let x = net.weights.tables.embed(&gather(&data, &(0..60).collect::<Vec<_>>()).unwrap());
    let mut with_outputs = |bias: f64| {
        let mut state = net.weights.state();
        state.insert("extra.out.weight".into(), state["extra.out.weight"].zeros_like());
        state.insert("extra.out.bias".into(), state["extra.out.bias"].full_like(bias));
        net.weights.load(&state, "").unwrap();
        net.forward(&x, false).logits
    };
    let added = with_outputs(1.0) - with_outputs(0.0);
    let domain = &net.weights.state()["domain"];
    let [a, b] = [0, 1].map(|d| domain.get(d));
    let length = |v: &Tensor| v.dot(v).double_value(&[]).sqrt();
    let cosine = a.dot(&b).double_value(&[]) / (length(&a) * length(&b));
    let alpha = 1.0 / (1.0 + (-cosine).exp());
    let near = 1e-5 * (1.0 + magnitude(&net.forward(&x, false).logits));
    assert!(distance(&added, &added.full_like(alpha)) < near, "{added:?} {alpha}");
}

/// All rows pass all heads, so that there are statistics to learn from.
#[test]
fn under_batch_norm_a_scenario_may_have_one_row_or_none() {
    let data = dataset(120, 2);
    let mut config = default();
    config["norm"] = "batch".into();
    let scenario = &data.scenario;
    let of = |s: u16| (0..120).filter(move |r| scenario[*r as usize] == s);
    for others in [0, 1] {
        let rows: Vec<u32> = of(1).take(10).chain(of(0).take(others)).collect();
        let mut net = scrambled(&data.schema, &config);
        let batch = gather(&data, &rows).unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        assert!(gradients.values().all(|g| magnitude(g).is_finite()));
        assert!(magnitude(&gradients["embedding.user_id"]) > 1e-4);
        assert!(net.weights.state().values().all(|t| magnitude(t).is_finite()));
    }
}

#[test]
fn parameters_that_could_do_nothing_are_not_there() {
    let names = |schema: &Schema, config: &Value| -> Vec<String> {
        let net = build(schema, config, Build::cpu(1)).unwrap();
        net.weights.params.names().map(String::from).collect()
    };
    let begin = |names: &[String], prefix: &str| names.iter().any(|n| n.starts_with(prefix));
    let all = names(&schema(2), &default());
    for prefix in ["extra.", "groups.behaviours.selector.", "groups.item.selector.", "groups.context.common."]
    {
        assert!(begin(&all, prefix), "{prefix}");
    }
    // One refiner has the weight 1.
    assert!(!begin(&all, "groups.user.selector.") && !begin(&all, "groups.context.selector."));
    assert!(!begin(&names(&schema(2), &without_behaviours()), "groups.behaviours."));
    // One scenario is coupled with none.
    let scope = &Scoping::Mtl.scopes(&schema(2))[0];
    assert!(!begin(&names(&scope.schema(&schema(2)), &default()), "extra."));
    // One group is correlated with none.
    let mut item = schema(2);
    item.fields.retain(|f| f.name == "item_id");
    (item.user_id, item.side) = (None, vec![]);
    assert!(names(&item, &without_behaviours()).iter().all(|n| !n.ends_with("common.weight")));
}

#[test]
fn settings_without_sense_are_refused_with_their_key() {
    let refused = |key: &str, value: Value| {
        let mut config = default();
        match key.split_once('.') {
            Some((outer, inner)) => config[outer][inner] = value,
            None => config[key] = value,
        }
        model("maria").unwrap().resolve(config).unwrap_err().to_string()
    };
    for key in ["refiners.behaviours", "refiners.user", "refiners.item", "refiners.context"] {
        assert_eq!(refused(key, 0.into()), format!("{key}: 0 is below 1"));
    }
    for key in ["refined", "correlation", "experts"] {
        assert_eq!(refused(key, 0.into()), format!("{key}: 0 is below 1"));
    }
    assert_eq!(refused("temperature", 0.0.into()), "temperature: 0 is not above 0");
    assert_eq!(refused("scaling", Value::Sequence(vec![])), "scaling: no layer");
    assert!(refused("refiners", serde_yaml::from_str("{item: 1}").unwrap()).contains("missing field"));
}
