//! CSDM keeps the contract of generators, in both profiles. Its numbers are checked against PyTorch in `golden/`.
use crate::generator_contract as contract;
use scenarec_data::Schema;
use scenarec_diffusion::{Csdm, CsdmConfig, csdm::Coefficient};
use scenarec_train::{Build, cold::SideChoice};

pub fn paper() -> CsdmConfig {
    CsdmConfig {
        name: "csdm".into(),
        coefficient: Coefficient::SqrtC,
        timesteps: 100,
        beta: 1e-5,
        stride: 10,
        rho: 1.0,
        train_denoiser: true,
        denoiser_dropout: 0.5,
        side_dropout: 0.5,
        dropout_at_generation: false,
        side: SideChoice::Listed,
        frequency: "count".into(),
        iters: 2,
        epochs: 1,
        warm_epochs: 2,
        keep_finetuned: false,
    }
}

fn released() -> CsdmConfig {
    CsdmConfig { coefficient: Coefficient::C, train_denoiser: false, dropout_at_generation: true, ..paper() }
}

fn make(config: CsdmConfig) -> impl Fn(&Schema, usize, Build) -> Csdm {
    move |schema, dim, build| Csdm::new(&config, schema, dim, build).unwrap()
}

#[test]
fn every_parameter_learns() {
    contract::every_parameter_learns(&make(paper()), &[]);
}

#[test]
fn the_released_program_leaves_the_noise_predictor_alone() {
    contract::every_parameter_learns(&make(released()), &["denoiser.*"]);
    let csdm = make(released())(&scenarec_train::testing::schema(1), 4, Build::cpu(1));
    assert!(csdm.denoiser_is_frozen());
}

#[test]
fn the_net_gets_new_rows_only() {
    contract::the_net_gets_new_rows_only(&make(paper()));
    contract::the_net_gets_new_rows_only(&make(released()));
}

#[test]
fn a_seed_decides_everything() {
    contract::a_seed_decides_everything(&make(paper()));
    contract::a_seed_decides_everything(&make(released()));
}

#[test]
fn the_loss_falls() {
    contract::the_loss_falls(&make(CsdmConfig { rho: 0.01, ..paper() }), 0.95);
}

#[test]
fn generation_is_a_function_of_the_row_without_dropout() {
    contract::generation_is_a_function_of_the_row(&make(paper()), 0.0);
}

#[test]
#[should_panic(expected = "assertion failed")]
fn and_is_none_with_it() {
    contract::generation_is_a_function_of_the_row(&make(released()), 0.0);
}

#[test]
fn features_only_leaves_the_item_id_out() {
    let schema = scenarec_train::testing::schema(1);
    let mut csdm = make(CsdmConfig { side: SideChoice::FeaturesOnly, ..paper() })(&schema, 4, Build::cpu(1));
    let names: Vec<String> = scenarec_train::cold::Generator::weights(&mut csdm)
        .names()
        .into_iter()
        .filter(|n| n.starts_with("side."))
        .map(String::from)
        .collect();
    assert_eq!(names, ["side.year", "side.word", "side.genre"]);
}

#[test]
fn settings_without_a_process_are_refused() {
    for (config, key) in [
        (CsdmConfig { stride: 101, ..paper() }, "stride"),
        (CsdmConfig { stride: 0, ..paper() }, "stride"),
        (CsdmConfig { beta: 0.0, ..paper() }, "beta"),
        (CsdmConfig { rho: f64::NAN, ..paper() }, "rho"),
        (CsdmConfig { side_dropout: 1.0, ..paper() }, "side_dropout"),
        (CsdmConfig { iters: 0, ..paper() }, "iters"),
    ] {
        let error = config.check().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}: ")), "{error}");
    }
}
