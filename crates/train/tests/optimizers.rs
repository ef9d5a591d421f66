//! The dense optimisers against their formulas, written out.
use scenarec_train::{
    Backend, FeatureEmbedding, Init, InitScheme, OptimSpec, Optimizer, ParamSet, Weights,
    optim::OptimName,
    testing::{dataset, schema},
    to_vec,
};
use tch::{Device, Kind, Tensor};

const STEPS: usize = 200;
const START: [f64; 3] = [0.5, -1.0, 2.0];

/// Two parameters `a` and `b`, and no table in the graph.
pub fn weights() -> (Weights, Tensor, Tensor) {
    let tables = FeatureEmbedding::new(
        &schema(1),
        |f| f == "year",
        "t.",
        2,
        InitScheme::Torch,
        1,
        Device::Cpu,
        Backend::Deferred,
    );
    let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
    let mut parameter = |name: &str| {
        let p = params.root().parameter(name, &[3], Init::Constant(0.0));
        tch::no_grad(|| p.shallow_clone().copy_(&Tensor::from_slice(&START)));
        p
    };
    let (a, b) = (parameter("a"), parameter("b"));
    (Weights { tables: tables.unwrap(), params }, a, b)
}

/// Gradient at `w` in step `t`: of Σ c w² / 2 + k_t w.
fn gradient(w: f64, i: usize, t: usize) -> f64 {
    [0.3, 1.0, 0.05][i] * w + (0.7 * t as f64 + i as f64).sin()
}

fn loss(w: &Tensor, t: usize) -> Tensor {
    let linear: Vec<f32> = (0..3).map(|i| (0.7 * t as f64 + i as f64).sin() as f32).collect();
    let square = Tensor::from_slice(&[0.15f32, 0.5, 0.025]);
    (w.square() * square + w * Tensor::from_slice(&linear)).sum(Kind::Float)
}

/// `b` is in the graph of two steps in three only.
fn has_b(t: usize) -> bool {
    t % 3 != 1
}

fn lr(t: usize) -> f64 {
    if t < 120 { 0.02 } else { 0.005 }
}

/// One optimiser's update of a weight: (weight, state, gradient with decay, learning rate, own step from 1).
type Formula = fn(&OptimSpec, f64, &mut [f64; 2], f64, f64, i32) -> f64;

fn check(spec: OptimSpec, initial: f64, formula: Formula) {
    let (mut weights, a, b) = weights();
    let table = to_vec(&weights.tables.state()["t.year"]);
    let mut optimizer = Optimizer::new(spec, &mut weights);
    for t in 0..STEPS {
        optimizer.set_lr(lr(t));
        let total = if has_b(t) { loss(&a, t) + loss(&b, t) } else { loss(&a, t) };
        optimizer.step(&total, &mut weights).unwrap();
    }
    for (name, parameter, in_graph) in [("a", &a, (|_| true) as fn(usize) -> bool), ("b", &b, has_b)] {
        for (i, start) in START.iter().enumerate() {
            let (mut w, mut state, mut own) = (*start, [initial; 2], 0);
            for t in (0..STEPS).filter(|t| in_graph(*t)) {
                own += 1;
                let g = gradient(w, i, t) + spec.weight_decay * w;
                w = formula(&spec, w, &mut state, g, lr(t), own);
            }
            let found = parameter.double_value(&[i as i64]);
            assert!((w - *start).abs() > 0.01, "{name}[{i}] moves");
            assert!(
                (found - w).abs() < 1e-5 * (w - *start).abs().max(1.0),
                "{spec:?}: {name}[{i}] {found}, not {w}"
            );
        }
    }
    assert_eq!(to_vec(&weights.tables.state()["t.year"]), table, "no gradient: no step, no decay");
}

fn adam(spec: &OptimSpec, w: f64, state: &mut [f64; 2], g: f64, lr: f64, t: i32) -> f64 {
    state[0] = spec.beta1 * state[0] + (1.0 - spec.beta1) * g;
    state[1] = spec.beta2 * state[1] + (1.0 - spec.beta2) * g * g;
    let (m, v) = (state[0] / (1.0 - spec.beta1.powi(t)), state[1] / (1.0 - spec.beta2.powi(t)));
    w - lr * m / (v.sqrt() + spec.eps)
}

fn adagrad(spec: &OptimSpec, w: f64, state: &mut [f64; 2], g: f64, lr: f64, t: i32) -> f64 {
    state[0] += g * g;
    w - lr / (1.0 + f64::from(t - 1) * spec.lr_decay) * g / (state[0].sqrt() + spec.eps)
}

fn sgd(_: &OptimSpec, w: f64, _: &mut [f64; 2], g: f64, lr: f64, _: i32) -> f64 {
    w - lr * g
}

#[test]
fn adam_is_its_formula() {
    check(OptimSpec::adam(0.02, 0.0), 0.0, adam);
    check(OptimSpec::adam(0.02, 0.1), 0.0, adam);
    check(OptimSpec { beta1: 0.5, beta2: 0.9, eps: 1e-3, ..OptimSpec::adam(0.02, 1e-2) }, 0.0, adam);
}

#[test]
fn adagrad_is_its_formula() {
    let spec = OptimSpec { name: OptimName::Adagrad, ..OptimSpec::adam(0.02, 0.1) };
    check(spec, 0.0, adagrad);
    check(OptimSpec { lr_decay: 0.01, initial_accumulator: 0.3, weight_decay: 0.0, ..spec }, 0.3, adagrad);
}

#[test]
fn sgd_is_its_formula() {
    let spec = OptimSpec { name: OptimName::Sgd, ..OptimSpec::adam(0.02, 0.0) };
    check(spec, 0.0, sgd);
    check(OptimSpec { weight_decay: 0.1, ..spec }, 0.0, sgd);
}

fn rmsprop(spec: &OptimSpec, w: f64, state: &mut [f64; 2], g: f64, lr: f64, _: i32) -> f64 {
    state[0] = spec.alpha * state[0] + (1.0 - spec.alpha) * g * g;
    w - lr * g / (state[0].sqrt() + spec.eps)
}

#[test]
fn rmsprop_is_its_formula() {
    let spec = OptimSpec { name: OptimName::Rmsprop, ..OptimSpec::adam(0.02, 0.0) };
    check(spec, 0.0, rmsprop);
    check(OptimSpec { alpha: 0.8, eps: 1e-3, weight_decay: 0.1, ..spec }, 0.0, rmsprop);
}

#[test]
fn rmsprop_refuses_deferred_tables_and_takes_dense_ones() {
    let spec = OptimSpec { name: OptimName::Rmsprop, ..OptimSpec::adam(0.02, 0.0) };
    let data = dataset(8, 1);
    let batch = scenarec_train::feed::gather(&data, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    for backend in [Backend::Deferred, Backend::Dense] {
        let (schema, scheme) = (schema(1), InitScheme::Torch);
        let tables =
            FeatureEmbedding::new(&schema, |f| f == "year", "t.", 2, scheme, 1, Device::Cpu, backend);
        let params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let mut weights = Weights { tables: tables.unwrap(), params };
        let before = to_vec(&weights.tables.state()["t.year"]);
        let mut optimizer = Optimizer::new(spec, &mut weights);
        let w = weights.params.root().parameter("w", &[2], Init::Constant(1.0));
        let mut all = Optimizer::of_parameters(spec, &weights, &["w"]).unwrap();
        let x = weights.tables.embed_with(&batch, true, None).fields;
        let loss = (&x * &w).square().sum(Kind::Float);
        let result = optimizer.accumulate(&loss, &mut weights);
        let moved = |weights: &mut Weights| to_vec(&weights.tables.state()["t.year"]) != before;
        match backend {
            Backend::Deferred => {
                let error = result.unwrap_err().to_string();
                assert!(error.starts_with("rmsprop trains dense parameters only"), "{error}");
                // Without look-ups that are tracked there is nothing to refuse.
                let x = weights.tables.embed(&batch).fields;
                all.step(&(x * &w).square().sum(Kind::Float), &mut weights).unwrap();
                assert!(!moved(&mut weights) && to_vec(&w) != [1.0, 1.0]);
            }
            Backend::Dense => {
                result.unwrap();
                optimizer.apply(&mut weights).unwrap();
                assert!(moved(&mut weights));
            }
        }
    }
}

#[test]
fn a_second_optimiser_starts_from_zero() {
    let (mut weights, a, _) = weights();
    let spec = OptimSpec::adam(0.02, 0.0);
    // Adam's first step is lr in the gradient's direction, whatever its size.
    for _ in 0..2 {
        let mut optimizer = Optimizer::new(spec, &mut weights);
        let before = to_vec(&a);
        optimizer
            .step(&(&a * Tensor::from_slice(&[1e-3f32, -5.0, 70.0])).sum(Kind::Float), &mut weights)
            .unwrap();
        for ((after, before), direction) in to_vec(&a).iter().zip(before).zip([-1.0, 1.0, -1.0]) {
            assert!((after - before - 0.02 * direction).abs() < 1e-5);
        }
        optimizer.step(&(&a * 1.0).sum(Kind::Float), &mut weights).unwrap();
    }
}

#[test]
fn settings_are_read_with_pytorchs_defaults() {
    let spec: OptimSpec = serde_yaml::from_str("{name: adam, lr: 0.001}").unwrap();
    assert_eq!(spec, OptimSpec::adam(0.001, 0.0));
    assert_eq!((spec.beta1, spec.beta2, spec.eps, spec.alpha), (0.9, 0.999, 1e-8, 0.99));
    // What is written holds RMSprop's setting only where it is not the default.
    let written = |spec: &OptimSpec| serde_yaml::to_string(spec).unwrap();
    assert!(!written(&spec).contains("alpha"));
    assert!(written(&OptimSpec { alpha: 0.9, ..spec }).contains("alpha: 0.9"));
    let error =
        serde_yaml::from_str::<OptimSpec>("{name: adam, lr: 0.001, decay: 1}").unwrap_err().to_string();
    assert!(error.contains("unknown field `decay`"), "{error}");
}

#[test]
fn one_loss_steps_several_weights() {
    let spec = OptimSpec::adam(0.02, 0.1);
    // Each part alone, under its share of the loss: with an additive loss the gradients are the same.
    let alone = |t0: usize| {
        let (mut w, a, _) = weights();
        let mut optimizer = Optimizer::new(spec, &mut w);
        (0..20).for_each(|t| optimizer.step(&loss(&a, t0 + t), &mut w).unwrap());
        to_vec(&a)
    };
    let ((mut first, a, _), (mut second, b, _)) = (weights(), weights());
    let (mut of_first, mut of_second) = (Optimizer::new(spec, &mut first), Optimizer::new(spec, &mut second));
    for t in 0..20 {
        let total = loss(&a, t) + loss(&b, 7 + t);
        let mut parts = [(&mut of_first, &mut first), (&mut of_second, &mut second)];
        Optimizer::step_all(&total, &mut parts).unwrap();
    }
    assert_eq!(to_vec(&a), alone(0));
    assert_eq!(to_vec(&b), alone(7));
    assert_ne!(to_vec(&a), to_vec(&b));
}

#[test]
fn numbers_that_make_no_sense_are_named() {
    let adam = OptimSpec::adam(1e-3, 0.0);
    let adagrad = OptimSpec { name: OptimName::Adagrad, eps: 0.0, ..adam };
    for (spec, key) in [
        (OptimSpec { lr: 0.0, ..adam }, "training.optim.lr: 0 is not above 0"),
        (OptimSpec { weight_decay: -1.0, ..adam }, "training.optim.weight_decay: -1 is below 0"),
        (OptimSpec { beta2: 1.0, ..adam }, "training.optim.beta2: 1 is not in [0, 1)"),
        (OptimSpec { eps: 0.0, ..adam }, "training.optim.eps: 0 is below 1e-15"),
        (adagrad, "training.optim.eps: 0 is not above 0, and the sums begin at 0"),
        (OptimSpec { lr: f64::NAN, ..adam }, "training.optim.lr: NaN is not above 0"),
    ] {
        assert_eq!(spec.check("training.optim").unwrap_err().to_string(), key);
    }
    // As TensorFlow's: no ε where sums begin above 0.
    OptimSpec { initial_accumulator: 0.1, ..adagrad }.check("training.optim").unwrap();
}
