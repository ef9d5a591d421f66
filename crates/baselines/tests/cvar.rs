//! CVAR as a generator, and its loss written out.
use crate::{
    common,
    generator_contract::{self as contract, apply, only_new_items_changed, trained_net, with_batch},
};
use scenarec_baselines::{Cvar, CvarConfig, CvarDraws};
use scenarec_data::Schema;
use scenarec_train::{
    Build, bce,
    cold::{Generator, SideChoice},
    testing::{DIM, all, dataset, distance, magnitude, scramble},
};
use tch::{Kind, Tensor};

fn config() -> CvarConfig {
    common::config(include_str!("../../../configs/methods/cvar.yaml"))
}

fn cvar(schema: &Schema, dim: usize, build: Build) -> Cvar {
    Cvar::new(&config(), schema, dim, build).unwrap()
}

#[test]
fn every_parameter_learns() {
    contract::every_parameter_learns(&cvar, &[]);
}

#[test]
fn the_net_gets_new_rows_only() {
    contract::the_net_gets_new_rows_only(&cvar);
}

#[test]
fn a_seed_decides_everything() {
    contract::a_seed_decides_everything(&cvar);
}

#[test]
fn the_loss_falls() {
    contract::the_loss_falls(&cvar, 0.3);
}

/// The latent is drawn, with a spread of 1e-4 of its deviation.
#[test]
fn generation_is_a_function_of_the_row_and_a_little_noise() {
    contract::generation_is_a_function_of_the_row(&cvar, 1e-2);
}

#[test]
fn the_configuration_sets_steps_and_passes() {
    let schema = dataset(1, 1).schema.clone();
    let base = scenarec_train::testing::cold_split(&dataset(200, 1)).0.batches(8);
    let config = CvarConfig { iters: 3, epochs: 2, warm_epochs: 4, ..config() };
    let mut method = config.method(&schema, DIM, Build::cpu(1)).unwrap();
    assert_eq!(apply(&mut method, None).steps, base * 2 * 3);
    let warm = apply(&mut method, Some("warm_c"));
    assert_eq!(warm.steps, 5 * 4 * 3);
    only_new_items_changed(&warm, true);
}

#[test]
fn the_choice_of_side_information_is_heeded() {
    let schema = dataset(1, 1).schema.clone();
    let tables = |side| {
        let mut cvar = Cvar::new(&CvarConfig { side, ..config() }, &schema, DIM, Build::cpu(1)).unwrap();
        cvar.weights().tables.names().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(tables(SideChoice::Listed), ["side.item_id", "side.year", "side.word", "side.genre"]);
    assert_eq!(tables(SideChoice::FeaturesOnly), ["side.year", "side.word", "side.genre"]);
}

/// BCE + mean over rows of |r - e|² + 1e-4 times the sum over rows of |μ - μ_p|² + |σ - σ_p|².
#[test]
fn the_loss_is_its_formula() {
    let data = dataset(50, 1);
    let mut net = trained_net(&data);
    let mut cvar = cvar(&data.schema, DIM, Build::cpu(2));
    scramble(cvar.weights(), 3);
    let w = cvar.weights().state();
    let linear =
        |x: &Tensor, name: &str| x.matmul(&w[&format!("{name}.weight")].tr()) + &w[&format!("{name}.bias")];
    with_batch(&mut net, &all(&data), |net, batch| {
        let draws = cvar.draw(50);
        assert!(distance(&draws.posterior, &draws.prior) > 1.0, "two draws");
        // The generator's own fields: all but the user's and the tags, then the item's count.
        let side = scenarec_train::FeatureEmbedding::new(
            &data.schema,
            |f| ["item_id", "year", "title", "genres"].contains(&f),
            "side.",
            DIM,
            scenarec_train::InitScheme::Torch,
            1,
            tch::Device::Cpu,
            scenarec_train::Backend::Dense,
        );
        let mut side = side.unwrap();
        side.load(&w, "").unwrap();
        let count = batch.embedded.reals.narrow(1, 1, 1);
        let s = Tensor::cat(&[&side.embed(batch.batch).fields.flatten(1, 2), &count], 1);
        let e = batch.item_embedding();
        let gaussian = |x: &Tensor, name: &str| {
            let log_var = linear(x, &format!("{name}.log_var"));
            (linear(x, &format!("{name}.mean")), (log_var * 0.5).exp())
        };
        let ((mean, std), (prior_mean, prior_std)) = (gaussian(&e, "posterior"), gaussian(&s, "prior"));
        let decode = |z: Tensor| linear(&Tensor::cat(&[&z, &count], 1), "decode");
        let reconstructed = decode(&mean + &std * &draws.posterior * 1e-4);
        let generated = decode(&prior_mean + &prior_std * &draws.prior * 1e-4);
        // A net in evaluation mode, so that two passes agree.
        let eval = scenarec_train::cold::GeneratorBatch { net_train: false, ..*batch };
        let logits = eval.logits_with(net, &generated);
        let per_row = (reconstructed - &e).square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        let distance_term = ((mean - prior_mean).square() + (std - prior_std).square()).sum(Kind::Float);
        let parts = [bce(&logits, batch.labels), per_row.mean(Kind::Float), distance_term * 1e-4];
        assert!(parts.iter().all(|p| magnitude(p) > 1e-3), "every part counts: {parts:?}");
        let expected: Tensor = parts.iter().sum();
        let (loss, own_logits, own_generated) = cvar.loss_with(net, &eval, &draws).unwrap();
        assert!(distance(&own_generated, &generated) < 1e-5);
        assert!(distance(&own_logits, &logits) < 1e-4);
        assert!(distance(&loss, &expected) < 1e-5 * magnitude(&expected), "{loss:?}, not {expected:?}");
        let short =
            CvarDraws { posterior: draws.posterior.narrow(0, 0, 1), prior: draws.prior.narrow(0, 0, 1) };
        let error = cvar.loss_with(net, &eval, &short).unwrap_err().to_string();
        assert_eq!(error, "one draw per row is needed");
    });
}

#[test]
fn settings_that_train_nothing_are_refused() {
    let error = CvarConfig { iters: 0, ..config() }.check().unwrap_err().to_string();
    assert!(error.starts_with("iters: "), "{error}");
}

#[test]
fn a_frequency_must_be_a_real_field() {
    let wrong = CvarConfig { frequency: "year".into(), ..config() };
    let error = Cvar::new(&wrong, &dataset(1, 1).schema, DIM, Build::cpu(1)).unwrap_err().to_string();
    assert!(error.contains("no real field is called \"year\""), "{error}");
}
