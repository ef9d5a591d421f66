//! An id changes with everything that determines the result, and with nothing else.
use crate::{project::repository, registry::resolved};
use scenarec_data::FittedOn;
use scenarec_experiments::{
    id,
    job::Job,
    methods::METHODS,
    models::{self, models},
    spec::{Catalog, Changes, Selection, TableSpec},
};

fn job(selection: &Selection) -> Job {
    let catalog = Catalog::open(&repository().join("configs"));
    let spec = TableSpec::load(&catalog, "csdm-table1-100k").unwrap();
    resolved(&spec, selection).pop().unwrap().jobs.remove(0)
}

#[test]
fn every_cause_of_a_result_is_in_the_id() {
    let base = job(&Selection::default());
    let sources = id::sources(&base).unwrap();
    let first = id::of(&base).unwrap();
    assert_eq!(first.len(), id::DIGITS);
    assert_eq!(first, id::of(&job(&Selection::default())).unwrap());

    let mut others = vec![
        id::of(&Job { seed: 2, ..base.clone() }).unwrap(),
        id::of(&Job { threads: 2, ..base.clone() }).unwrap(),
        id::of(&Job { device: "cuda".into(), ..base.clone() }).unwrap(),
        id::of(&Job { stage: Some("pretrain".into()), ..base.clone() }).unwrap(),
        id::of(&job(&Selection { quick: true, ..Selection::default() })).unwrap(),
        id::of(&job(&Selection { profile: "released".into(), ..Selection::default() })).unwrap(),
    ];
    for flag in
        ["method.csdm.iters=3", "model.deepfm.dim=8", "run.pretrain.epochs=2", "run.warm.optim.lr=0.01"]
    {
        let set = Changes::from_flag(flag).unwrap();
        others.push(id::of(&job(&Selection { set, ..Selection::default() })).unwrap());
    }
    let mut data = base.clone();
    data.dataset.fingerprint = "other rows".into();
    others.push(id::of(&data).unwrap());
    for name in ["data", "train", "backbones/deepfm", "recipes", "dependencies", "diffusion/csdm"] {
        let mut mended = sources.clone();
        *mended.get_mut(name).unwrap_or_else(|| panic!("{name} is not among {sources:?}")) = "mended".into();
        others.push(id::with_sources(&base, &mended).unwrap());
    }
    others.push(first);
    let n = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), n, "two different jobs have one id");
}

#[test]
fn other_models_and_methods_do_not_matter() {
    let sources = id::sources(&job(&Selection::default())).unwrap();
    let names: Vec<&str> = sources.keys().map(String::as_str).collect();
    assert_eq!(names, ["backbones/deepfm", "data", "dependencies", "diffusion/csdm", "recipes", "train"]);
}

#[test]
fn every_model_and_method_has_sources() {
    for entry in models() {
        let name =
            models::source_of(&serde_yaml::from_str(&format!("name: {}", entry.name)).unwrap()).unwrap();
        assert_eq!(id::source_hash(&name).unwrap().len(), id::DIGITS, "{name}");
    }
    for name in METHODS.iter().flat_map(|method| method.sources) {
        assert_eq!(id::source_hash(name).unwrap().len(), id::DIGITS, "{name}");
    }
    let error = id::source_hash("backbones/deep_fm").unwrap_err().to_string();
    assert!(error.contains("no \"backbones/deep_fm\""), "{error}");
}

#[test]
fn the_question_leaves_out_data_and_code() {
    let base = job(&Selection::default());
    let mut data = base.clone();
    data.dataset.fingerprint = "other rows".into();
    data.dataset.config.known_files.pop().unwrap();
    data.dataset.config.fitted_on = FittedOn::Training;
    assert_ne!(base, data);
    assert_eq!(id::question(&base).unwrap(), id::question(&data).unwrap());
    let mut other = base.clone();
    other.dataset.config.simulate.seed += 1;
    for different in [other, Job { seed: 2, ..base.clone() }] {
        assert_ne!(id::question(&base).unwrap(), id::question(&different).unwrap());
    }
}
