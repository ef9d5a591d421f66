//! The contract of all generators of rows, and what sets each apart.
use crate::{cloud::Cloud, common::refused};
use scenarec_baselines::{
    GENERATORS, GeneratorConfig,
    generators::losses::{
        gradient_penalty, softmax_discriminator_loss, softmax_generator_loss, wasserstein_generator_loss,
    },
};
use scenarec_train::{
    Build, RowSource, Trained,
    rng::{normal, stream},
    testing::{changed, distance, magnitude},
    to_vec,
};
use serde_yaml::Value;
use tch::{Kind, Tensor};

/// Every generator with the settings that Diff-MSR's tables use.
const SETTINGS: &[&str] = &[
    "{name: vae, networks: {latent: 16, hidden: [64, 64]},
      training: {batch: 512, updates: 2000, optim: {name: adam, lr: 1.0e-3}}}",
    "{name: gan, networks: {latent: 16, hidden: [64, 64]}, critic: {slope: 0.2, steps: 1},
      training: {batch: 512, updates: 2000, optim: {name: adam, lr: 2.0e-4, beta1: 0.5}}}",
    "{name: softmax-gan, networks: {latent: 16, hidden: [64, 64]}, critic: {slope: 0.2, steps: 1},
      training: {batch: 512, updates: 2000, optim: {name: adam, lr: 2.0e-4, beta1: 0.5}}}",
    "{name: wgan, networks: {latent: 16, hidden: [64, 64]}, critic: {slope: 0.2, steps: 5}, clip: 0.01,
      training: {batch: 512, updates: 2000, optim: {name: rmsprop, lr: 5.0e-5}}}",
    "{name: wgan-gp, networks: {latent: 16, hidden: [64, 64]}, critic: {slope: 0.2, steps: 5}, penalty: 10.0,
      training: {batch: 512, updates: 2000, optim: {name: adam, lr: 1.0e-4, beta1: 0.0, beta2: 0.9}}}",
];

/// The settings of the generator called `name`.
pub fn settings(name: &str) -> Value {
    let all = SETTINGS.iter().map(|text| serde_yaml::from_str::<Value>(text).unwrap());
    all.into_iter().find(|value| value["name"] == name).unwrap_or_else(|| panic!("no settings of {name}"))
}

/// `settings` with one of them changed, `key` being dotted.
pub fn with(mut settings: Value, key: &str, value: impl Into<Value>) -> Value {
    let place = key.split('.').fold(&mut settings, |at, key| at.get_mut(key).expect(key));
    *place = value.into();
    settings
}

/// The configuration that settings describe.
pub fn read(settings: Value) -> GeneratorConfig {
    serde_yaml::from_value(settings).unwrap()
}

/// 100 rows around 0.3.
fn cloud() -> Cloud {
    Cloud::new(normal(&[100, 2, 4], &mut stream(1, "cloud")) * 0.05 + 0.3)
}

/// A short training at a high rate: small networks, 25 rows per batch.
fn short(name: &str, updates: u64) -> GeneratorConfig {
    let small = with(settings(name), "networks.hidden", vec![16, 16]);
    let batches = with(with(small, "training.batch", 25), "training.updates", updates);
    read(with(batches, "training.optim.lr", 2e-3))
}

fn trained(config: &GeneratorConfig, cloud: &mut Cloud, seed: u64) -> (Box<dyn RowSource>, Trained) {
    let mut source = config.build(cloud.shape(), Build::cpu(seed)).unwrap();
    let trained = cloud.fit(&mut *source, seed).unwrap();
    (source, trained)
}

#[test]
fn generators_are_found_by_name() {
    for name in GENERATORS {
        let value = settings(name);
        let config = read(value.clone());
        assert_eq!(config.name(), *name);
        config.check().unwrap();
        // What is written is complete, and is read again.
        let written = serde_yaml::to_value(&config).unwrap();
        assert_eq!(written["name"], *name);
        assert_eq!(written["training"]["optim"]["eps"], 1e-8);
        assert_eq!(read(written), config);
        let Value::Mapping(mut unknown) = value else { unreachable!("settings are a mapping") };
        unknown.insert("momentum".into(), 0.5.into());
        let error = serde_yaml::from_value::<GeneratorConfig>(unknown.into()).unwrap_err().to_string();
        assert!(error.contains("unknown field `momentum`"), "{error}");
    }
    let error = serde_yaml::from_str::<GeneratorConfig>("{name: gna}").unwrap_err().to_string();
    let known: Vec<String> = GENERATORS.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("unknown variant `gna`, expected one of {} ", known.join(", "));
    assert!(error.contains(&message), "{error}");
}

#[test]
fn settings_without_a_training_are_refused() {
    let nothing = || Value::from(Vec::<i64>::from([16, 0]));
    for name in GENERATORS {
        let mut wrong: Vec<(&str, Value)> = vec![
            ("networks.latent", 0.into()),
            ("networks.hidden", nothing()),
            ("training.batch", 0.into()),
            ("training.updates", 0.into()),
            ("training.optim.lr", 0.0.into()),
        ];
        if *name != "vae" {
            wrong.extend([("critic.slope", 1.0.into()), ("critic.steps", 0.into())]);
        }
        match *name {
            "wgan" => wrong.push(("clip", 0.0.into())),
            "wgan-gp" => wrong.push(("penalty", f64::NAN.into())),
            _ => {}
        }
        for (key, value) in wrong {
            let config = read(with(settings(name), key, value));
            refused(config.check(), key);
            refused(config.build([2, 4], Build::cpu(1)).map(|_| ()), key);
        }
    }
}

#[test]
fn rows_are_drawn_and_the_nets_tables_stay() {
    for name in GENERATORS {
        let mut cloud = cloud();
        let before = cloud.net.weights.state();
        let config = short(name, 12);
        let start = config.build([2, 4], Build::cpu(7)).unwrap().weights().state();
        let (mut source, trained) = trained(&config, &mut cloud, 7);
        assert_eq!(changed(&before, &cloud.net.weights.state()), Vec::<String>::new(), "{name}");
        let mut moved = changed(&start, &source.weights().state());
        // A constant added to all scores changes GAN's losses only.
        moved.retain(|parameter| parameter != "critic.out.bias");
        let expected = start.keys().filter(|parameter| *parameter != "critic.out.bias");
        assert!(moved.iter().eq(expected), "{name}: only {moved:?} are trained");
        assert!(trained.losses.iter().all(|l| l.is_finite()));
        let rows = source.draw(60).unwrap();
        assert_eq!((rows.size(), rows.requires_grad()), (vec![60, 2, 4], false), "{name}");
        assert!(magnitude(&rows).is_finite());
        assert!(magnitude(&rows.std_dim([0i64].as_slice(), true, false)) > 1e-3, "{name}: rows differ");
        assert!(distance(&rows, &source.draw(60).unwrap()) > 1e-3, "{name}: draws differ");
        assert_eq!(source.draw(0).unwrap().size(), [0, 2, 4]);
    }
}

#[test]
fn a_seed_decides_everything() {
    for name in GENERATORS {
        let config = short(name, 8);
        let draw = |seed| trained(&config, &mut cloud(), seed).0.draw(20).unwrap();
        let rows = draw(7);
        assert_eq!(rows, draw(7), "{name}");
        assert_ne!(rows, draw(8), "{name}");
    }
}

#[test]
fn loaded_weights_draw_what_the_trained_ones_draw() {
    for name in GENERATORS {
        let config = short(name, 8);
        let (mut source, _) = trained(&config, &mut cloud(), 7);
        let mut loaded = config.build([2, 4], Build::cpu(7)).unwrap();
        loaded.weights().load(&source.weights().state(), "").unwrap();
        assert_eq!(loaded.draw(20).unwrap(), source.draw(20).unwrap(), "{name}");
    }
}

#[test]
fn the_mean_is_learned() {
    for name in GENERATORS {
        let mut cloud = cloud();
        let mean = |rows: &Tensor| rows.mean_dim([0i64].as_slice(), false, Kind::Float);
        let target = mean(&cloud.rows);
        // A WGAN-GP goes to and fro about the mean for some hundred updates.
        let config = short(name, 800);
        let off = |source: &mut dyn RowSource| {
            (mean(&source.draw(500).unwrap()) - &target).square().mean(Kind::Float).sqrt().double_value(&[])
        };
        let untrained = off(&mut *config.build([2, 4], Build::cpu(7)).unwrap());
        let (mut source, _) = trained(&config, &mut cloud, 7);
        let learned = off(&mut *source);
        assert!(learned < 0.4 * untrained, "{name}: {untrained} -> {learned}");
    }
}

/// An adversarial generator has one update to so many batches, and a VAE one to each.
#[test]
fn updates_are_counted_by_the_generator() {
    for name in GENERATORS {
        let steps = settings(name).get("critic").map_or(1, |c| c["steps"].as_u64().unwrap());
        // All rows in one batch, so a pass is a batch.
        let one = with(with(settings(name), "training.updates", 1), "training.optim.lr", 1e-4);
        let config = read(one);
        let start = config.build([2, 4], Build::cpu(7)).unwrap().weights().state();
        let (mut source, trained) = trained(&config, &mut cloud(), 7);
        assert_eq!((trained.steps, trained.samples), (steps, 100 * steps), "{name}");
        let end = source.weights().state();
        // The first step of Adam is the rate, that of RMSprop the rate / √(1 − α), whatever the gradient.
        let first = if *name == "wgan" { 1e-3 } else { 1e-4 };
        let bias = format!("{}.out.bias", if *name == "vae" { "decoder" } else { "generator" });
        let moved = distance(&end[&bias], &start[&bias]);
        assert!((moved / first - 1.0).abs() < 1e-2, "{name}: the generator moved by {moved}");
    }
}

#[test]
fn a_generator_of_another_shape_is_refused() {
    for name in GENERATORS {
        let mut source = short(name, 8).build([2, 5], Build::cpu(7)).unwrap();
        let error = cloud().fit(&mut *source, 7).unwrap_err().to_string();
        assert_eq!(error, format!("{name}: the rows are [C, d] = [2, 4], but the generator's [2, 5]"));
    }
}

#[test]
fn wgan_keeps_its_critic_within_the_clip() {
    let config = with(settings("wgan"), "training.updates", 8);
    let clip = 0.01f32;
    let critic = |source: &mut dyn RowSource| -> Vec<f32> {
        let state = source.weights().state();
        state.iter().filter(|(n, _)| n.starts_with("critic.")).flat_map(|(_, t)| to_vec(t)).collect()
    };
    let beyond = |values: &[f32]| values.iter().filter(|v| v.abs() > clip).count();
    let config = read(config);
    let untrained = critic(&mut *config.build([2, 4], Build::cpu(7)).unwrap());
    assert!(beyond(&untrained) > untrained.len() / 2, "there is something to clip");
    let (mut source, _) = trained(&config, &mut cloud(), 7);
    let critic = critic(&mut *source);
    assert_eq!(beyond(&critic), 0);
    assert!(critic.iter().any(|v| v.abs() < 0.9 * clip), "not everything is at the edge");
    let state = source.weights().state();
    assert!(magnitude(&state["generator.out.weight"]) > f64::from(clip), "the generator is not clipped");
}

/// f(x) = w x has the gradient w everywhere: the penalty is (|w| - 1)², its derivative 2 (|w| - 1) w / |w|.
#[test]
fn the_penalty_of_a_linear_critic_is_its_closed_form() {
    let rows = normal(&[9, 5], &mut stream(1, "rows"));
    let direction = normal(&[5, 1], &mut stream(2, "w"));
    for norm in [0.2, 0.9, 3.0] {
        let w = (&direction / direction.norm() * norm).set_requires_grad(true);
        let penalty = gradient_penalty(|x| x.matmul(&w), &rows).unwrap();
        assert!((penalty.double_value(&[]) - (norm - 1.0).powi(2)).abs() < 1e-5);
        let gradient = Tensor::run_backward(&[penalty], &[&w], false, false).remove(0);
        assert!(distance(&gradient, &(&w * (2.0 * (norm - 1.0) / norm))) < 1e-5);
    }
}

/// Scores so far apart that their exponentials are not numbers.
#[test]
fn the_softmax_takes_any_scores() {
    let (real, generated) = (
        Tensor::from_slice(&[-900f32, -900.0]).unsqueeze(1),
        Tensor::from_slice(&[700f32, 800.0]).unsqueeze(1),
    );
    let ln2 = 2f64.ln();
    // Z is 2 e^900 to precision.
    let loss = softmax_discriminator_loss(&real, &generated).double_value(&[]);
    assert!((loss - ln2).abs() < 1e-3, "{loss}");
    let loss = softmax_generator_loss(&real, &generated).double_value(&[]);
    assert!((loss - (-75.0 + 900.0 + ln2)).abs() < 1e-3, "{loss}");
    assert_eq!(wasserstein_generator_loss(&generated).double_value(&[]), -750.0);
}
