//! CVAR keeps the contract of generators. Its numbers are checked against PyTorch in `golden/`.
use crate::generator_contract as contract;
use scenarec_baselines::{Cvar, CvarConfig};
use scenarec_data::Schema;
use scenarec_train::{Build, cold::SideChoice};

fn config() -> CvarConfig {
    CvarConfig {
        name: "cvar".into(),
        frequency: "count".into(),
        side: SideChoice::Listed,
        iters: 2,
        epochs: 1,
        warm_epochs: 2,
    }
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
    contract::the_loss_falls(&cvar, 0.9);
}

#[test]
fn generation_is_a_function_of_the_row_up_to_the_latent_spread() {
    // The latent is spread by 1e-4 times a standard deviation that these weights make some ten times larger than 1.
    contract::generation_is_a_function_of_the_row(&cvar, 8e-3);
}

#[test]
fn settings_that_train_nothing_are_refused() {
    let error = CvarConfig { iters: 0, ..config() }.check().unwrap_err().to_string();
    assert!(error.starts_with("iters: "), "{error}");
}

#[test]
fn a_frequency_must_be_a_real_field() {
    let schema = scenarec_train::testing::schema(1);
    let wrong = CvarConfig { frequency: "year".into(), ..config() };
    let error = Cvar::new(&wrong, &schema, 4, Build::cpu(1)).unwrap_err().to_string();
    assert!(error.contains("no real field is called \"year\""), "{error}");
}
