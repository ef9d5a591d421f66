//! What must hold of M3oE (sheet, section c): who depends on what, limits of the fusion weights, its size.
use scenarec_backbones::{Fusion, FusionScope, M3oe, M3oeConfig};
use scenarec_data::{Dataset, Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Build, Feed, InitScheme, Net, OptimSpec, Optimizer, Scope, Scoping, State,
    feed::gather,
    nn::Norm,
    predict,
    rng::{normal, stream},
    scenario_weights,
    testing::{all, changed, dataset, distance, magnitude, schema, scramble},
    weighted_bce,
};
use std::sync::Arc;
use tch::{Device, Tensor};

fn config() -> M3oeConfig {
    M3oeConfig {
        name: "m3oe".into(),
        dim: 4,
        star: 10,
        hidden: 8,
        expert: 6,
        shared_experts: 2,
        tower: vec![5],
        tower_norm: Norm::Layer,
        plain_eq2: false,
        gate_gradient: false,
        fusion: Fusion::Sum,
        use_domain: true,
        use_task: true,
        fusion_initial: 1.0,
        fusion_scope: FusionScope::Global,
        init: InitScheme::Torch,
    }
}

fn net(schema: &Schema, config: &M3oeConfig) -> Net {
    let mut net = M3oe::net(schema, config, Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

/// `[rows, T]` of all rows.
fn logits(net: &mut Net, data: &Arc<Dataset>) -> Tensor {
    let by_task = predict(net, &all(data), 64).unwrap();
    Tensor::stack(&by_task.iter().map(|l| Tensor::from_slice(l)).collect::<Vec<_>>(), 1)
}

/// The net with some of its tensors replaced.
fn with(net: &mut Net, change: impl Fn(&mut State)) -> Tensor {
    let data = dataset(40, 2);
    let kept = net.weights.state();
    let mut state: State = kept.iter().map(|(n, t)| (n.clone(), t.copy())).collect();
    change(&mut state);
    net.weights.load(&state, "").unwrap();
    let out = logits(net, &data);
    net.weights.load(&kept, "").unwrap();
    out
}

/// Moves copy number `k` of a stack, no two numbers alike: softmax and layer norm see no common shift.
fn perturb(state: &mut State, name: &str, k: i64) {
    let mut part = state[name].get(k);
    part += normal(&part.size(), &mut stream(7, name));
}

/// Rows of each scenario of `dataset(40, 2)`.
fn rows_of(scenario: u16) -> Tensor {
    let data = dataset(40, 2);
    let rows: Vec<i64> = (0..40).filter(|r| data.scenario[*r as usize] == scenario).collect();
    Tensor::from_slice(&rows)
}

#[test]
fn only_the_own_domains_parameters_matter() {
    let mut net = net(&schema(2), &config());
    let before = with(&mut net, |_| {});
    let moved = |after: &Tensor, scenario: u16| {
        let rows = rows_of(scenario);
        distance(&before.index_select(0, &rows), &after.index_select(0, &rows))
    };
    // Star matrices and biases, gates: number d is domain d's. Towers: number d T + t.
    let own = ["representation.star.own", "representation.star.own_bias", "gate.weight"];
    let own = own.map(|name| (name, 1)).into_iter().chain([("towers.0.linear.weight", 3)]);
    for (name, of_second_domain) in own {
        let after = with(&mut net, |s| perturb(s, name, of_second_domain));
        assert_eq!(moved(&after, 0), 0.0, "{name}");
        assert!(moved(&after, 1) > 1e-4, "{name}");
    }
    // The other domains' experts do matter (Eq. 5), unless beta_d is 1.
    let second_expert = |s: &mut State| perturb(s, "experts.0.norm.bias", 2 + 1);
    assert!(moved(&with(&mut net, second_expert), 0) > 1e-4);
    let certain =
        |s: &mut State| s.insert("fusion.beta_d".into(), Tensor::from_slice(&[100f32])).map_or((), drop);
    let (a, b) = (
        with(&mut net, certain),
        with(&mut net, |s| {
            certain(s);
            second_expert(s);
        }),
    );
    let rows = rows_of(0);
    assert_eq!(a.index_select(0, &rows), b.index_select(0, &rows));
}

#[test]
fn a_tower_belongs_to_one_task() {
    let mut net = net(&schema(2), &config());
    let before = with(&mut net, |_| {});
    let after = with(&mut net, |s| perturb(s, "towers.0.linear.weight", 2));
    assert_eq!(before.select(1, 1), after.select(1, 1));
    let rows = rows_of(1);
    let task = |t: &Tensor| t.select(1, 0).index_select(0, &rows);
    assert!(distance(&task(&before), &task(&after)) > 1e-4);
}

/// alpha = 0 is the variant without both modules.
#[test]
fn modules_without_weight_are_not_there() {
    let mut full = net(&schema(2), &config());
    let nothing = |s: &mut State| {
        for name in ["fusion.alpha_d", "fusion.alpha_t"] {
            s.insert(name.into(), Tensor::from_slice(&[-200f32]));
        }
    };
    let a = with(&mut full, nothing);
    let mut bare = net(&schema(2), &M3oeConfig { use_domain: false, use_task: false, ..config() });
    assert!(bare.weights.names().iter().all(|n| !n.starts_with("fusion.")));
    let mut state = full.weights.state();
    state.retain(|n, _| !n.starts_with("fusion."));
    for (name, tensor) in &mut state {
        if name.starts_with("experts.") {
            *tensor = tensor.narrow(0, 0, 2).copy(); // The shared experts come first.
        }
    }
    bare.weights.load(&state, "").unwrap();
    assert!(distance(&a, &logits(&mut bare, &dataset(40, 2))) < 1e-5);
    assert!(distance(&a, &with(&mut full, |_| {})) > 1e-3);
}

/// Eq. 5 and 6 by hand: beta on the own expert, the rest evenly on the others.
#[test]
fn own_and_other_experts_share_the_weight() {
    let data = dataset(40, 3);
    let mut net = net(&data.schema, &config());
    let beta = 1.0 / (1.0 + (-1.3f64).exp());
    let mut state = net.weights.state();
    for name in ["fusion.beta_d", "fusion.beta_t"] {
        state.insert(name.into(), Tensor::from_slice(&[1.3f32]));
    }
    net.weights.load(&state, "").unwrap();
    let x = net.weights.tables.embed(&gather(&data, &(0..40).collect::<Vec<_>>()).unwrap());
    let parts = net.representations(&x);
    let named = |name: &str| &parts.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name}")).1;
    for (row, scenario) in data.scenario.iter().enumerate() {
        let at = |t: &Tensor| t.get(row as i64);
        let names = ["home", "search"];
        let own = names[usize::from(*scenario)];
        let other = names[1 - usize::from(*scenario)];
        let expected = at(named(&format!("domain_expert.{own}"))) * beta
            + at(named(&format!("domain_expert.{other}"))) * (1.0 - beta);
        assert!(distance(&expected, &at(named("domain"))) < 1e-5);
    }
    let expert = |t: usize| named(&format!("task_expert.task{t}"));
    let expected = expert(1) * beta + (expert(0) + expert(2)) * ((1.0 - beta) / 2.0);
    assert!(distance(&expected, named("task.task1")) < 1e-5);
    let weight: f64 = 1.0 / (1.0 + f64::exp(-f64::from(state["fusion.alpha_d"].double_value(&[0]) as f32)));
    assert!((net.fusion_weights()[0].1 - weight).abs() < 1e-6 && net.fusion_weights()[0].0 == "alpha_d");
}

#[test]
fn one_domain_or_task_has_nothing_to_weigh() {
    let data = dataset(40, 2);
    for (scoping, missing) in [
        (Scoping::Single, &["fusion.beta_d", "fusion.beta_t"][..]),
        (Scoping::Mtl, &["fusion.beta_d"]),
        (Scoping::Mdl, &["fusion.beta_t"]),
        (Scoping::Mdmt, &[]),
    ] {
        for scope in scoping.scopes(&data.schema) {
            let mut net = net(&scope.schema(&data.schema), &config());
            let names = net.weights.names();
            for name in ["fusion.beta_d", "fusion.beta_t", "fusion.alpha_d", "fusion.alpha_t"] {
                assert_eq!(names.contains(&name), !missing.contains(&name), "{scoping:?}: {name}");
            }
            let feed = Feed::scoped(data.clone(), &(0..40).collect::<Vec<_>>(), &scope);
            let logits = predict(&mut net, &feed, 7).unwrap();
            assert_eq!(logits.len(), scope.tasks.len());
            assert!(logits.iter().all(|l| l.len() == feed.rows().len() && l.iter().all(|x| x.is_finite())));
            let x = net.weights.tables.embed(&feed.in_order(40).next().unwrap().unwrap());
            let parts = net.representations(&x);
            let named = |name: &str| &parts.iter().find(|(n, _)| n.starts_with(name)).unwrap().1;
            if scope.scenarios.len() == 1 {
                assert_eq!(named("domain_expert."), named("domain"), "f_E alone");
            }
            if scope.tasks.len() == 1 {
                assert_eq!(named("task_expert."), named("task."), "f_E alone");
            }
        }
    }
}

#[test]
fn every_variant_learns() {
    let data = dataset(60, 2);
    let base = config();
    let variants = [
        M3oeConfig { fusion: Fusion::Concat, ..base.clone() },
        M3oeConfig { fusion: Fusion::Gate, ..base.clone() },
        M3oeConfig { fusion: Fusion::Gate, use_domain: false, ..base.clone() },
        M3oeConfig { use_domain: false, ..base.clone() },
        M3oeConfig { use_task: false, ..base.clone() },
        M3oeConfig { fusion_scope: FusionScope::Each, ..base.clone() },
        M3oeConfig { plain_eq2: true, gate_gradient: true, ..base.clone() },
        M3oeConfig { tower_norm: Norm::Batch, ..base.clone() },
        M3oeConfig { tower_norm: Norm::None, shared_experts: 1, ..base },
    ];
    for config in variants {
        let mut net = net(&data.schema, &config);
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), &mut net.weights);
        let batch = all(&data).in_order(60).next().unwrap().unwrap();
        let mut losses = Vec::new();
        let before = net.weights.state();
        for _ in 0..30 {
            let x = net.weights.tables.embed_with(&batch, true, None);
            let weights = Tensor::from_slice(&scenario_weights(&batch));
            let labels = scenarec_train::labels(&batch, Device::Cpu);
            let loss = weighted_bce(&net.forward(&x, true).logits, &labels, &weights);
            optimizer.step(&loss, &mut net.weights).unwrap();
            losses.push(loss.double_value(&[]));
        }
        assert!(losses[29] < 0.8 * losses[0], "{config:?}: {losses:?}");
        let moved = changed(&before, &net.weights.state());
        let still: Vec<_> = before.keys().filter(|n| !moved.contains(n)).collect();
        let constant_gate = config.shared_experts == 1;
        assert!(still.iter().all(|n| constant_gate && n.starts_with("gate.")), "{config:?}: {still:?}");
    }
}

/// The gates read the representation, but their gradient stops there, unless the configuration says otherwise.
#[test]
fn gates_do_not_shape_the_representation() {
    let data = dataset(40, 2);
    let gradient = |gate_gradient| {
        let mut net = net(&data.schema, &M3oeConfig { gate_gradient, ..config() });
        let x = net.weights.tables.embed_with(&gather(&data, &[0, 1, 2, 3]).unwrap(), true, None);
        let loss = net.forward(&x, true).logits.sum(tch::Kind::Float);
        net.weights.gradients(&loss).unwrap()
    };
    let (stopped, flowing) = (gradient(false), gradient(true));
    let name = "representation.agnostic.linear.weight";
    assert!(distance(&stopped[name], &flowing[name]) > 1e-4);
    assert_eq!(stopped["gate.weight"], flowing["gate.weight"]);
    assert!(magnitude(&stopped["gate.weight"]) > 1e-4);
}

/// The released configuration on MovieLens-1M by age: the sheet's numbers of parameters.
#[test]
fn it_has_as_many_parameters_as_the_released_one() {
    let rows = [
        ("user_id", 6040),
        ("item_id", 3706),
        ("gender", 2),
        ("occupation", 21),
        ("zip_code", 3439),
        ("genre", 18),
        ("domain", 3),
    ];
    let field = |name: &str, kind, table: Option<&str>| Field {
        name: name.into(),
        role: Role::User,
        kind,
        table: table.map(str::to_string),
    };
    let mut fields: Vec<Field> = rows.iter().map(|(n, _)| field(n, Kind::Id, Some(n))).collect();
    fields.push(field("age", Kind::Real, None));
    let schema = Schema {
        tables: rows.map(|(name, rows)| Table { name: name.into(), rows }).to_vec(),
        fields,
        tasks: ["click", "like"].map(String::from).to_vec(),
        scenarios: ["1", "2", "3"].map(String::from).to_vec(),
        ..Schema::default()
    };
    assert_eq!(Scope::whole(&schema).scenarios.len(), 3);
    for (shared_experts, parameters) in [(1, 733_792), (4, 788_146)] {
        let config = M3oeConfig {
            dim: 16,
            star: 512,
            hidden: 256,
            expert: 64,
            shared_experts,
            tower: vec![64],
            ..config()
        };
        let mut net = M3oe::net(&schema, &config, Build::cpu(1)).unwrap();
        let total: usize = net.weights.state().values().map(Tensor::numel).sum();
        assert_eq!(total, parameters);
    }
}
