//! CSDM as a generator, in the paper's and the program's settings, and its equations written out.
use crate::{
    denoiser::literal,
    generator_contract::{self as contract, apply, only_new_items_changed, trained_net, with_batch},
};
use scenarec_data::{Dataset, Schema};
use scenarec_diffusion::{Csdm, CsdmConfig, CsdmDraws, csdm::Coefficient};
use scenarec_train::{
    Backend, Build, FeatureEmbedding, InitScheme, State, bce,
    cold::{Generator, GeneratorBatch, SideChoice},
    testing::{DIM, all, cold_split, dataset, distance, magnitude, scramble},
};
use tch::{Device, Kind, Tensor};

/// The method's section of configs/methods/csdm.yaml, with a profile's changes.
fn config(profile: &str) -> CsdmConfig {
    let text = include_str!("../../../configs/methods/csdm.yaml");
    let file: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let mut config = file["config"].clone();
    config["name"] = file["method"].clone();
    if profile != "paper" {
        for (key, value) in file["profiles"][profile].as_mapping().expect("the profile exists") {
            config[key] = value.clone();
        }
    }
    serde_yaml::from_value(config).unwrap()
}

fn paper(schema: &Schema, dim: usize, build: Build) -> Csdm {
    Csdm::new(&config("paper"), schema, dim, build).unwrap()
}

fn released(schema: &Schema, dim: usize, build: Build) -> Csdm {
    Csdm::new(&config("released"), schema, dim, build).unwrap()
}

#[test]
fn every_parameter_learns() {
    contract::every_parameter_learns(&paper, &[]);
}

#[test]
fn every_parameter_but_the_denoisers_learns_in_the_program() {
    contract::every_parameter_learns(&released, &["denoiser.*"]);
    let schema = dataset(1, 1).schema.clone();
    assert!(released(&schema, DIM, Build::cpu(1)).denoiser_is_frozen());
    assert!(!paper(&schema, DIM, Build::cpu(1)).denoiser_is_frozen());
}

#[test]
fn the_net_gets_new_rows_only() {
    contract::the_net_gets_new_rows_only(&paper);
    contract::the_net_gets_new_rows_only(&released);
}

#[test]
fn a_seed_decides_everything() {
    contract::a_seed_decides_everything(&paper);
    contract::a_seed_decides_everything(&released);
}

#[test]
fn the_loss_falls() {
    // The click loss: little weight on the diffusion loss, as on MovieLens-1M.
    for profile in ["paper", "released"] {
        let config = CsdmConfig { rho: 1e-3, ..config(profile) };
        let csdm = |schema: &Schema, dim, build| Csdm::new(&config, schema, dim, build).unwrap();
        contract::the_loss_falls(&csdm, 0.93);
    }
    // The diffusion loss: with the paper's beta at most 3 % of z_t is noise, of which little can be told; here most is.
    let config =
        CsdmConfig { rho: 100.0, beta: 0.1, denoiser_dropout: 0.0, side_dropout: 0.0, ..config("paper") };
    let csdm = |schema: &Schema, dim, build| Csdm::new(&config, schema, dim, build).unwrap();
    contract::the_loss_falls(&csdm, 0.5);
}

#[test]
fn generation_is_a_function_of_the_row() {
    contract::generation_is_a_function_of_the_row(&paper, 0.0);
    // The program's settings too, but for its dropout.
    let calm = |schema: &Schema, dim: usize, build: Build| {
        let config = CsdmConfig { dropout_at_generation: false, ..config("released") };
        Csdm::new(&config, schema, dim, build).unwrap()
    };
    contract::generation_is_a_function_of_the_row(&calm, 0.0);
}

#[test]
fn the_program_drops_out_while_it_generates() {
    let data = dataset(50, 1);
    let mut net = trained_net(&data);
    let mut csdm = released(&data.schema, DIM, Build::cpu(1));
    // At its start the generator's dropout is lost in rounding.
    scramble(csdm.weights(), 9);
    with_batch(&mut net, &all(&data), |_, batch| {
        let mut generate = || csdm.generate(batch.batch, batch.embedded).unwrap();
        assert!(distance(&generate(), &generate()) > 1e-4);
    });
}

#[test]
fn the_configuration_sets_steps_and_passes() {
    let schema = dataset(1, 1).schema.clone();
    let base = cold_split(&dataset(200, 1)).0.batches(8);
    for keep_finetuned in [false, true] {
        let config = CsdmConfig { iters: 3, epochs: 2, warm_epochs: 4, keep_finetuned, ..config("paper") };
        let mut method = config.method(&schema, DIM, Build::cpu(1)).unwrap();
        assert_eq!(apply(&mut method, None).steps, base * 2 * 3);
        let warm = apply(&mut method, Some("warm_c"));
        assert_eq!(warm.steps, 5 * 4 * 3);
        only_new_items_changed(&warm, !keep_finetuned);
    }
}

/// Losses with the same draws differ exactly where a dropout is on; h's is in the diffusion loss only.
#[test]
fn each_dropout_is_on_in_training_and_off_in_evaluation() {
    let data = dataset(50, 1);
    let mut net = trained_net(&data);
    with_batch(&mut net, &all(&data), |net, batch| {
        let batch = GeneratorBatch { net_train: false, ..*batch };
        for (side_dropout, denoiser_dropout) in [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5)] {
            let config = CsdmConfig { side_dropout, denoiser_dropout, beta: 0.02, ..config("paper") };
            let mut csdm = Csdm::new(&config, &data.schema, DIM, Build::cpu(1)).unwrap();
            scramble(csdm.weights(), 9);
            let draws = csdm.draw(50);
            let (calm, _, calm_vectors) = csdm.loss_with(net, &batch, &draws, false).unwrap();
            let (loss, _, vectors) = csdm.loss_with(net, &batch, &draws, true).unwrap();
            let on = (distance(&loss, &calm) > 1e-4, distance(&vectors, &calm_vectors) > 1e-4);
            assert_eq!(on, (side_dropout + denoiser_dropout > 0.0, denoiser_dropout > 0.0), "{config:?}");
        }
    });
}

#[test]
fn settings_without_a_process_are_refused() {
    let paper = || config("paper");
    for (config, key) in [
        (CsdmConfig { stride: 101, ..paper() }, "stride"),
        (CsdmConfig { stride: 0, ..paper() }, "stride"),
        (CsdmConfig { beta: 0.0, ..paper() }, "beta"),
        (CsdmConfig { rho: f64::NAN, ..paper() }, "rho"),
        (CsdmConfig { side_dropout: 1.0, ..paper() }, "side_dropout"),
        (CsdmConfig { iters: 0, ..paper() }, "iters"),
    ] {
        for error in [
            config.check().unwrap_err(),
            Csdm::new(&config, &dataset(1, 1).schema, DIM, Build::cpu(1)).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with(&format!("{key}: ")), "{error}");
        }
    }
}

#[test]
fn features_only_leaves_the_item_id_out() {
    let tables = |side| {
        let config = CsdmConfig { side, ..config("paper") };
        let mut csdm = Csdm::new(&config, &dataset(1, 1).schema, DIM, Build::cpu(1)).unwrap();
        csdm.weights().tables.names().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(tables(SideChoice::Listed), ["side.item_id", "side.year", "side.word", "side.genre"]);
    assert_eq!(tables(SideChoice::FeaturesOnly), ["side.year", "side.word", "side.genre"]);
}

/// α_t of Eq. 11, and h's coefficient at t (Eq. 12).
fn constants(config: &CsdmConfig, t: usize) -> (f64, f64) {
    let alpha = |t: usize| (1.0 - config.beta).powf(t as f64);
    let sum = |t: usize| (1..=t).map(|k| (alpha(t) / alpha(k)).sqrt()).sum::<f64>();
    let c = sum(t) / sum(config.timesteps);
    (alpha(t), if config.coefficient == Coefficient::SqrtC { c.sqrt() } else { c })
}

fn linear(w: &State, x: &Tensor, name: &str) -> Tensor {
    x.matmul(&w[&format!("{name}.weight")].tr()) + &w[&format!("{name}.bias")]
}

/// h: the generator's own fields, then the item's count, through W_h.
fn hidden(w: &State, data: &Dataset, batch: &GeneratorBatch<'_>) -> Tensor {
    let side = |f: &str| ["item_id", "year", "title", "genres"].contains(&f);
    let (scheme, backend) = (InitScheme::Torch, Backend::Dense);
    let mut tables =
        FeatureEmbedding::new(&data.schema, side, "side.", DIM, scheme, 1, Device::Cpu, backend).unwrap();
    tables.load(w, "").unwrap();
    let count = batch.embedded.reals.narrow(1, 1, 1);
    linear(w, &Tensor::cat(&[&tables.embed(batch.batch).fields.flatten(1, 2), &count], 1), "encode_side")
}

/// From h down over every s-th index: ẑ_0 by Eq. 8, then Eq. 10 with σ = 0; the last step ends in t = 0.
fn reverse(config: &CsdmConfig, w: &State, h: &Tensor, count: &Tensor) -> Tensor {
    let mut z = h.shallow_clone();
    let mut index = (config.timesteps - 1) / config.stride * config.stride;
    loop {
        let (t, next) = (index + 1, if index == 0 { 0 } else { index - config.stride + 1 });
        let ((a, c), (a_next, c_next)) = (constants(config, t), constants(config, next));
        let noise = literal(w, "denoiser.", &z, &vec![index as i64; h.size()[0] as usize]);
        let z0 = (&z - h * c - noise * (1.0 - a).sqrt()) / a.sqrt();
        let kappa = ((1.0 - a_next) / (1.0 - a)).sqrt();
        z = &z * kappa + z0 * (a_next.sqrt() - a.sqrt() * kappa) + h * (c_next - c * kappa);
        if index == 0 {
            break;
        }
        index -= config.stride;
    }
    linear(w, &Tensor::cat(&[&z, count], 1), "decode")
}

/// Every setting that enters the equations; a larger β than the paper's makes each term visible.
fn settings() -> Vec<CsdmConfig> {
    let mut all = Vec::new();
    for (coefficient, stride, beta) in [
        (Coefficient::SqrtC, 10, 1e-5),
        (Coefficient::SqrtC, 7, 0.02),
        (Coefficient::C, 5, 0.02),
        (Coefficient::C, 100, 1e-5),
    ] {
        all.push(CsdmConfig { coefficient, stride, beta, ..config("paper") });
    }
    all
}

#[test]
fn generation_is_the_reverse_pass_of_the_paper() {
    let data = dataset(40, 1);
    let mut net = trained_net(&data);
    with_batch(&mut net, &all(&data), |_, batch| {
        let count = batch.embedded.reals.narrow(1, 1, 1);
        for config in settings() {
            let mut csdm = Csdm::new(&config, &data.schema, DIM, Build::cpu(1)).unwrap();
            scramble(csdm.weights(), 9);
            let w = csdm.weights().state();
            let expected = reverse(&config, &w, &hidden(&w, &data, batch), &count);
            let found = csdm.generate(batch.batch, batch.embedded).unwrap();
            assert!(magnitude(&expected) > 0.3);
            let error = distance(&found, &expected) / magnitude(&expected);
            assert!(error < 1e-4, "{config:?}: {error:e}");
        }
    });
}

#[test]
fn the_loss_is_its_formula() {
    let data = dataset(40, 1);
    let mut net = trained_net(&data);
    with_batch(&mut net, &all(&data), |net, batch| {
        let batch = GeneratorBatch { net_train: false, ..*batch };
        let count = batch.embedded.reals.narrow(1, 1, 1);
        for config in settings() {
            let config = CsdmConfig { rho: 0.3, ..config };
            let mut csdm = Csdm::new(&config, &data.schema, DIM, Build::cpu(1)).unwrap();
            scramble(csdm.weights(), 9);
            let w = csdm.weights().state();
            let draws = csdm.draw(40);
            let t = Vec::<i64>::try_from(&draws.t).unwrap();
            assert!(t.iter().all(|t| (0..100).contains(t)) && t.iter().any(|i| *i != t[0]));
            let h = hidden(&w, &data, &batch);
            // Eq. 7 at index t, which is step t + 1.
            let column = |f: &dyn Fn(f64, f64) -> f64| {
                let values = t.iter().map(|t| constants(&config, *t as usize + 1));
                Tensor::from_slice(&values.map(|(a, c)| f(a, c) as f32).collect::<Vec<_>>()).unsqueeze(1)
            };
            let z0 = linear(&w, &batch.item_embedding(), "encode_item");
            let zt = z0 * column(&|a, _| a.sqrt())
                + &h * column(&|_, c| c)
                + &draws.noise * column(&|a, _| (1.0 - a).sqrt());
            let predicted = literal(&w, "denoiser.", &zt, &t);
            let diffusion = (predicted - &draws.noise).square().mean(Kind::Float);
            let generated = reverse(&config, &w, &h, &count);
            let logits = batch.logits_with(net, &generated);
            let expected = bce(&logits, batch.labels) + &diffusion * 0.3;
            let (loss, _, own) = csdm.loss_with(net, &batch, &draws, false).unwrap();
            assert!(distance(&own, &generated) < 1e-4 * magnitude(&generated));
            let error = distance(&loss, &expected) / magnitude(&expected);
            assert!(error < 1e-5, "{config:?}: {error:e}");
            let e = batch.item_embedding();
            let expected = (&generated - &e).square().mean(Kind::Float) + diffusion * 0.3;
            let loss = csdm.regression_loss(batch.batch, batch.embedded, &e, &draws, false).unwrap();
            assert!(distance(&loss, &expected) < 1e-5 * magnitude(&expected), "{config:?}");
            let short = CsdmDraws { t: draws.t.narrow(0, 0, 1), noise: draws.noise };
            let error = csdm.loss_with(net, &batch, &short, false).unwrap_err().to_string();
            assert_eq!(error, "one draw per row is needed");
        }
    });
}

#[test]
fn without_diffusion_h_goes_to_the_decoder() {
    let config = CsdmConfig { diffusion: false, ..config("paper") };
    let make = |schema: &Schema, dim, build| Csdm::new(&config, schema, dim, build).unwrap();
    contract::the_loss_falls(&make, 0.93);
    let data = dataset(40, 1);
    let mut net = trained_net(&data);
    with_batch(&mut net, &all(&data), |net, batch| {
        let batch = GeneratorBatch { net_train: false, ..*batch };
        let mut csdm = make(&data.schema, DIM, Build::cpu(1));
        scramble(csdm.weights(), 9);
        let w = csdm.weights().state();
        let h = hidden(&w, &data, &batch);
        let expected = linear(&w, &Tensor::cat(&[&h, &batch.embedded.reals.narrow(1, 1, 1)], 1), "decode");
        let draws = csdm.draw(40);
        let (loss, logits, generated) = csdm.loss_with(net, &batch, &draws, true).unwrap();
        assert!(distance(&generated, &expected) < 1e-5 * magnitude(&expected));
        assert_eq!(loss, bce(&logits, batch.labels), "the click loss alone");
        let gradients = csdm.weights().gradients(&loss).unwrap();
        assert!(gradients.keys().all(|n| !n.starts_with("denoiser.") && !n.starts_with("encode_item.")));
        assert!(gradients.contains_key("encode_side.weight"));
    });
}

#[test]
fn draws_are_uniform_steps_and_standard_normal_noise() {
    let mut csdm = paper(&dataset(1, 1).schema, DIM, Build::cpu(1));
    let draws = csdm.draw(50_000);
    let mut counts = [0; 100];
    Vec::<i64>::try_from(&draws.t).unwrap().iter().for_each(|t| counts[*t as usize] += 1);
    assert!(counts.iter().all(|n| (370..630).contains(n)), "500 of each: {counts:?}");
    let (mean, std) =
        (draws.noise.mean(Kind::Float).double_value(&[]), draws.noise.std(true).double_value(&[]));
    assert!(mean.abs() < 0.01 && (std - 1.0).abs() < 0.01, "{mean}, {std}");
    assert_ne!(csdm.draw(50_000).noise, draws.noise);
}
