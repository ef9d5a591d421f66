//! Stacks against the networks they stand for, one by one; pieces of a batch against the whole.
use scenarec_train::{
    Build, Feed, InitScheme, Mode, OptimSpec, Optimizer, ParamSet, Scope, Scoping, State, bce,
    feed::gather,
    labels,
    nn::{Mlp, MlpConfig, Norm, StackedMlp, mix},
    rng::{normal, stream},
    scenario_weights,
    testing::{all, changed, dataset, distance, net},
    weighted_bce,
};
use tch::{Device, Kind, Tensor};

const COPIES: i64 = 3;

/// A stack and its copies as networks of their own.
fn stack(norm: Norm, hidden: &[i64], outputs: Option<i64>) -> (StackedMlp, ParamSet, Vec<(Mlp, ParamSet)>) {
    let config = MlpConfig { hidden: hidden.to_vec(), norm, dropout: 0.0 };
    let mut set = ParamSet::new(Device::Cpu, 1, InitScheme::Uniform(1.0));
    let stack = StackedMlp::new(&mut set.root(), COPIES, 4, &config, outputs);
    let alone = |k: i64| {
        let mut own = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let mlp = Mlp::new(&mut own.root(), 4, &config, outputs);
        let copy = |(name, t): (&String, &Tensor)| {
            let t = t.get(k);
            let linear = name.ends_with("linear.weight") || name == "out.weight";
            (name.clone(), if linear { t.tr().contiguous() } else { t })
        };
        own.load(&set.state().iter().map(copy).collect::<State>(), "").unwrap();
        (mlp, own)
    };
    let copies = (0..COPIES).map(alone).collect();
    (stack, set, copies)
}

#[test]
fn a_stack_is_its_copies() {
    let x = normal(&[7, 4], &mut stream(1, "x"));
    let each = normal(&[COPIES, 7, 4], &mut stream(1, "each"));
    for norm in [Norm::Layer, Norm::None, Norm::Batch] {
        for (hidden, outputs) in [(&[5i64, 6][..], Some(2)), (&[5], None), (&[], Some(2))] {
            for train in [true, false] {
                let (stack, set, copies) = stack(norm, hidden, outputs);
                let on_one = stack.on_one(&x, train);
                let on_each = stack.some_on_each(&each, 0..COPIES, train);
                let part = stack.some_on_one(&x, 1..3, false);
                for (k, (alone, own)) in copies.iter().enumerate() {
                    let at = k as i64;
                    assert!(
                        distance(&on_one.get(at), &alone.forward(&x, train)) < 1e-5,
                        "{norm:?} {hidden:?}"
                    );
                    assert!(distance(&on_each.get(at), &alone.forward(&each.get(at), train)) < 1e-5);
                    if k > 0 {
                        assert!(distance(&part.get(at - 1), &alone.forward(&x, false)) < 1e-5);
                    }
                    // Running statistics were learned alike.
                    for (name, value) in own.state().iter().filter(|(n, _)| n.contains("running")) {
                        assert!(distance(value, &set.state()[name].get(at)) < 1e-6, "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn gates_weigh_experts() {
    let (gates, experts) = (normal(&[5, 2, 3], &mut stream(1, "g")), normal(&[3, 5, 4], &mut stream(1, "e")));
    let mixed = mix(&gates, &experts);
    let weights = gates.softmax(-1, Kind::Float);
    for (row, task) in [(0, 0), (4, 1), (2, 1)] {
        let weight = |e: i64| weights.double_value(&[row, task, e]);
        let expected = (0..3).fold(Tensor::zeros([4], (Kind::Float, Device::Cpu)), |sum, e| {
            sum + experts.get(e).get(row) * weight(e)
        });
        assert!(distance(&mixed.get(row).get(task), &expected) < 1e-6);
    }
    let one = mix(&gates.narrow(2, 0, 1), &experts.narrow(0, 1, 1));
    assert_eq!(one.select(1, 1), experts.get(1));
}

#[test]
fn pieces_of_a_batch_make_the_same_step() {
    let data = dataset(50, 2);
    let trained = |piece: usize| {
        let mut net = net(&data.schema, Build::cpu(1));
        let _still = net.weights.freeze(&["mlp.*.norm.*"], Mode::Eval).unwrap();
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
        for batch in all(&data).in_order(30) {
            let batch = batch.unwrap();
            let weights = scenario_weights(&batch);
            for (rows, piece) in batch.split(piece) {
                let weights: Vec<f32> = rows.iter().map(|b| weights[*b]).collect();
                let weights = Tensor::from_slice(&weights);
                let x = net.weights.tables.embed_with(&piece, true, None);
                // Evaluation mode: batch statistics and dropout masks would differ.
                let logits = net.forward(&x, false).logits;
                let loss = weighted_bce(&logits, &labels(&piece, Device::Cpu), &weights);
                optimizer.accumulate(&loss, &mut net.weights).unwrap();
            }
            optimizer.apply(&mut net.weights).unwrap();
        }
        net.weights.state()
    };
    let (whole, pieces, start) = (trained(30), trained(7), net(&data.schema, Build::cpu(1)).weights.state());
    assert!(changed(&start, &whole).len() > 5);
    for (name, value) in &whole {
        assert!(distance(value, &pieces[name]) < 1e-5, "{name}");
    }
}

/// Σ over scenarios and tasks of means, some of them over no row.
#[test]
fn every_head_counts_alike() {
    let data = dataset(50, 2);
    let batch = gather(&data, &(0..50).collect::<Vec<_>>()).unwrap();
    let logits = normal(&[50, 2], &mut stream(1, "logits"));
    let labels = labels(&batch, Device::Cpu);
    let weighted = weighted_bce(&logits, &labels, &Tensor::from_slice(&scenario_weights(&batch)));
    let mut sum = 0.0;
    for scenario in 0..2 {
        let rows: Vec<i64> = (0..50).filter(|r| batch.scenario[*r as usize] == scenario).collect();
        let rows = Tensor::from_slice(&rows);
        for task in 0..2 {
            let of = |t: &Tensor| t.select(1, task).index_select(0, &rows);
            sum += bce(&of(&logits), &of(&labels)).double_value(&[]);
        }
    }
    assert!((weighted.double_value(&[]) - sum).abs() < 1e-5);
}

#[test]
fn a_scoped_feed_has_its_rows_and_labels() {
    let data = dataset(80, 3);
    for scope in Scoping::Mtl.scopes(&data.schema).into_iter().chain(Scoping::Single.scopes(&data.schema)) {
        let feed = Feed::scoped(data.clone(), &(10..80).collect::<Vec<_>>(), &scope);
        let inside = |r: &u32| data.scenario[*r as usize] == scope.scenarios[0];
        assert_eq!(feed.rows(), (10..80).filter(inside).collect::<Vec<_>>());
        let batch = feed.in_order(5).next().unwrap().unwrap();
        assert_eq!(batch.scenario, [0; 5], "scenarios are numbered anew");
        for (i, row) in feed.rows()[..5].iter().enumerate() {
            for (t, task) in scope.tasks.iter().enumerate() {
                let label = f32::from(data.labels[*task][*row as usize]);
                assert_eq!(batch.labels[i * scope.tasks.len() + t], label);
            }
        }
    }
    let whole = Feed::scoped(data.clone(), all(&data).rows(), &Scope::whole(&data.schema));
    let shuffled =
        |feed: &Feed| feed.shuffled(16, &mut stream(1, "shuffle")).map(Result::unwrap).collect::<Vec<_>>();
    let (plain, grouped) = (shuffled(&all(&data)), shuffled(&whole));
    for (plain, grouped) in plain.iter().zip(&grouped) {
        assert!(grouped.scenario.is_sorted(), "rows of a scenario stand together");
        let mut sorted = plain.scenario.clone();
        assert!(!sorted.is_sorted(), "as shuffled");
        sorted.sort_unstable();
        assert_eq!(sorted, grouped.scenario, "the same rows");
    }
}

#[test]
fn an_optimiser_for_some_parameters_leaves_the_rest() {
    let data = dataset(50, 2);
    let mut net = net(&data.schema, Build::cpu(1));
    let mut main = {
        let _apart = net.weights.freeze(&["mlp.out.*"], Mode::Train).unwrap();
        Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights)
    };
    let mut outer =
        Optimizer::of_parameters(OptimSpec::adam(0.1, 0.0), &net.weights, &["mlp.out.*"]).unwrap();
    let batch = gather(&data, &(0..50).collect::<Vec<_>>()).unwrap();
    for _ in 0..3 {
        let before = net.weights.state();
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = bce(&net.forward(&x, true).logits, &labels(&batch, Device::Cpu));
        main.step(&loss, &mut net.weights).unwrap();
        let between = net.weights.state();
        let moved = changed(&before, &between);
        assert!(
            moved.iter().all(|n| !n.starts_with("mlp.out.")) && moved.contains(&"embedding.user_id".into())
        );

        let x = net.weights.tables.embed_with(&batch, false, None);
        let loss = bce(&net.forward(&x, false).logits, &labels(&batch, Device::Cpu));
        outer.step(&loss, &mut net.weights).unwrap();
        let moved = changed(&between, &net.weights.state());
        assert_eq!(moved, ["mlp.out.bias", "mlp.out.weight"]);
    }
    assert!(Optimizer::of_parameters(OptimSpec::adam(0.1, 0.0), &net.weights, &["fusion.*"]).is_err());
}
