//! Losses and gradients of the generators against PyTorch's (golden/gen/generators.py).
use scenarec_baselines::{
    GENERATORS, GeneratorConfig,
    generators::{Adversarial, CriticDraws},
};
use scenarec_train::{Build, RowSource, State, net::load_state, to_vec};
use std::path::Path;
use tch::Tensor;

/// |ours - PyTorch's| <= TOLERANCE (1 + |PyTorch's|): both compute in f32, in another order.
const TOLERANCE: f32 = 1e-5;
const SHAPE: [i64; 2] = [2, 4];

/// Adds a loss and its gradients by the parameters under `part`.
fn add(out: &mut State, source: &mut dyn RowSource, number: usize, loss: Tensor, part: &str) {
    let gradients = source.weights().gradients(&loss).unwrap();
    let own = gradients.into_iter().filter(|(name, _)| name.starts_with(part));
    out.extend(own.map(|(name, gradient)| (format!("grad.{name}"), gradient)));
    out.insert(format!("loss.{number}"), loss.detach());
}

fn adversarial(mut source: Adversarial, weights: &State, x: &State) -> State {
    source.weights().load(weights, "").unwrap();
    let mut out = State::new();
    let mix = x.get("mix").map(Tensor::shallow_clone);
    let draws = CriticDraws { latent: x["latent.critic"].shallow_clone(), mix };
    let loss = source.critic_loss(&x["real"], &draws).unwrap();
    // Not even by the way of a loss does the generator learn from the critic's step.
    let again = source.critic_loss(&x["real"], &draws).unwrap();
    let reached = source.weights().gradients(&again).unwrap();
    assert!(reached.keys().all(|name| name.starts_with("critic.")));
    add(&mut out, &mut source, 0, loss, "critic.");
    let loss = source.generator_loss(&x["real"], &x["latent.generator"]);
    add(&mut out, &mut source, 1, loss, "generator.");
    out
}

fn ours(config: &GeneratorConfig, weights: &State, x: &State) -> State {
    let build = Build::cpu(1);
    match config {
        GeneratorConfig::Vae(config) => {
            let mut source = config.source(SHAPE, build).unwrap();
            source.weights().load(weights, "").unwrap();
            let loss = source.loss(&x["real"], &x["noise"]);
            let mut out = State::new();
            add(&mut out, &mut source, 0, loss, "");
            out
        }
        GeneratorConfig::Gan(config) => adversarial(config.gan(SHAPE, build).unwrap(), weights, x),
        GeneratorConfig::SoftmaxGan(config) => {
            adversarial(config.softmax_gan(SHAPE, build).unwrap(), weights, x)
        }
        GeneratorConfig::Wgan(config) => adversarial(config.source(SHAPE, build).unwrap(), weights, x),
        GeneratorConfig::WganGp(config) => adversarial(config.source(SHAPE, build).unwrap(), weights, x),
    }
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    for name in GENERATORS {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name);
        let text = std::fs::read_to_string(case.join("config.yaml")).unwrap();
        let config: GeneratorConfig = serde_yaml::from_str(&text).unwrap();
        assert_eq!(config.name(), *name);
        let file = |name: &str| load_state(&case.join(format!("{name}.safetensors"))).unwrap();
        let (found, expected) = (ours(&config, &file("weights"), &file("batch")), file("expected"));
        assert!(found.keys().eq(expected.keys()), "{name}: {:?}, not {:?}", found.keys(), expected.keys());
        for (key, theirs) in &expected {
            assert_eq!(found[key].size(), theirs.size(), "{name}: {key}");
            for (i, (a, b)) in to_vec(&found[key]).into_iter().zip(to_vec(theirs)).enumerate() {
                let near = (a - b).abs() <= TOLERANCE * (1.0 + b.abs());
                assert!(near, "{name}: {key}[{i}] is {a}, PyTorch has {b}");
            }
        }
    }
}

#[test]
fn a_penalty_without_numbers_to_mix_by_is_an_error() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/wgan-gp");
    let text = std::fs::read_to_string(case.join("config.yaml")).unwrap();
    let GeneratorConfig::WganGp(config) = serde_yaml::from_str(&text).unwrap() else { panic!("wgan-gp") };
    let x = load_state(&case.join("batch.safetensors")).unwrap();
    let draws = CriticDraws { latent: x["latent.critic"].shallow_clone(), mix: None };
    let error = config.source(SHAPE, Build::cpu(1)).unwrap().critic_loss(&x["real"], &draws).unwrap_err();
    assert_eq!(error.to_string(), "a gradient penalty needs numbers to mix rows by");
}
