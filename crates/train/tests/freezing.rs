//! Parameters chosen by name, frozen while a guard lives.
use scenarec_train::{
    Backend, Build, Mode, Net, OptimSpec, Optimizer, bce, labels,
    testing::{all, changed, dataset, net},
};
use std::collections::BTreeSet;
use tch::Device;

const BACKENDS: [Backend; 2] = [Backend::Deferred, Backend::Dense];
/// Buffers, which every forward pass in training mode moves.
const STATISTICS: [&str; 4] = [
    "mlp.0.norm.running_mean",
    "mlp.0.norm.running_var",
    "mlp.1.norm.running_mean",
    "mlp.1.norm.running_var",
];

fn small(backend: Backend) -> Net {
    net(&dataset(40, 1).schema, Build { seed: 1, device: Device::Cpu, backend })
}

/// The trainable parameters that one step of a given optimiser moves.
fn moved_by(net: &mut Net, optimizer: &mut Optimizer) -> BTreeSet<String> {
    let before = net.weights.state();
    let batch = all(&dataset(40, 1)).in_order(40).next().unwrap().unwrap();
    let x = net.weights.tables.embed_with(&batch, true, None);
    let loss = bce(&net.forward(&x, true).logits, &labels(&batch, Device::Cpu));
    optimizer.step(&loss, &mut net.weights).unwrap();
    changed(&before, &net.weights.state()).into_iter().filter(|n| !STATISTICS.contains(&n.as_str())).collect()
}

fn moved(net: &mut Net) -> BTreeSet<String> {
    let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
    moved_by(net, &mut optimizer)
}

fn names(net: &Net, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    net.weights.names().into_iter().filter(|n| wanted(n)).map(String::from).collect()
}

#[test]
fn only_what_no_guard_holds_moves() {
    for backend in BACKENDS {
        let mut net = small(backend);
        let everything = names(&net, |_| true);
        assert_eq!(everything.len(), 15, "{everything:?}");
        assert_eq!(moved(&mut net), everything, "{backend:?}");
        {
            let _guard = net.weights.freeze(&["mlp.0.*", "embedding.item_id"], Mode::Eval).unwrap();
            let open = |n: &str| !n.starts_with("mlp.0.") && n != "embedding.item_id";
            assert_eq!(moved(&mut net), names(&net, open), "{backend:?}");
        }
        assert_eq!(moved(&mut net), everything, "{backend:?}: the guard is gone");
        let guard = net.weights.freeze_all_but(&["embedding.item_id"], Mode::Train).unwrap();
        assert_eq!(moved(&mut net), BTreeSet::from(["embedding.item_id".to_string()]), "{backend:?}");
        drop(guard);
        assert_eq!(moved(&mut net), everything, "{backend:?}: this guard too");
    }
}

#[test]
fn a_guard_inside_another_leaves_the_outer_ones_parameters_frozen() {
    for backend in BACKENDS {
        let mut net = small(backend);
        let held = |n: &str| n.starts_with("mlp.1.") || n == "embedding.word";
        let outer = net.weights.freeze(&["mlp.1.*", "embedding.word"], Mode::Eval).unwrap();
        {
            let _inner = net.weights.freeze(&["mlp.*", "embedding.*"], Mode::Train).unwrap();
            let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), &mut net.weights);
            let batch = all(&dataset(40, 1)).in_order(40).next().unwrap().unwrap();
            let x = net.weights.tables.embed_with(&batch, true, None);
            assert!(!x.fields.requires_grad(), "{backend:?}");
            let loss = bce(&net.forward(&x, true).logits, &labels(&batch, Device::Cpu));
            let error = optimizer.step(&loss, &mut net.weights).unwrap_err().to_string();
            assert_eq!(error, "nothing to optimise: every parameter is frozen");
        }
        assert_eq!(moved(&mut net), names(&net, |n| !held(n)), "{backend:?}: the outer guard holds on");
        drop(outer);
        assert_eq!(moved(&mut net), names(&net, |_| true), "{backend:?}");
    }
}

#[test]
fn an_optimiser_stops_where_a_later_guard_says_so() {
    for backend in BACKENDS {
        let mut net = small(backend);
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
        moved_by(&mut net, &mut optimizer);
        let guard = net.weights.freeze(&["embedding.user_id", "mlp.out.*"], Mode::Train).unwrap();
        let open = names(&net, |n| n != "embedding.user_id" && !n.starts_with("mlp.out"));
        assert_eq!(moved_by(&mut net, &mut optimizer), open, "{backend:?}");
        drop(guard);
        assert_eq!(moved_by(&mut net, &mut optimizer), names(&net, |_| true), "{backend:?}");
    }
}

#[test]
fn an_optimiser_never_moves_what_was_frozen_when_it_was_made() {
    for backend in BACKENDS {
        let mut net = small(backend);
        let guard = net.weights.freeze(&["embedding.user_id", "mlp.out.*"], Mode::Train).unwrap();
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
        drop(guard);
        let open = names(&net, |n| n != "embedding.user_id" && !n.starts_with("mlp.out"));
        for _ in 0..2 {
            assert_eq!(moved_by(&mut net, &mut optimizer), open, "{backend:?}");
        }
    }
}

#[test]
fn a_glob_that_matches_nothing_freezes_nothing() {
    let mut net = small(Backend::Deferred);
    for result in [
        net.weights.freeze(&["mlp.*", "embeding.*"], Mode::Eval).map(drop),
        net.weights.freeze_all_but(&["embeding.*"], Mode::Eval).map(drop),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(
            error.starts_with("\"embeding.*\" matches no parameter; the parameters are embedding.item_id, ")
        );
        assert!(error.contains("mlp.out.bias"), "{error}");
    }
    let error = format!("{:#}", net.weights.freeze(&["mlp.[*"], Mode::Eval).unwrap_err());
    assert!(error.starts_with("glob \"mlp.[*\""), "{error}");
    assert_eq!(moved(&mut net), names(&net, |_| true));
}

#[test]
fn the_guard_says_in_which_mode_the_frozen_part_runs() {
    let net = small(Backend::Deferred);
    assert!(!net.weights.freeze(&["*"], Mode::Eval).unwrap().train());
    assert!(net.weights.freeze(&["*"], Mode::Train).unwrap().train());
}
