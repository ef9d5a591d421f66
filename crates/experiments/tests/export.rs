//! Nets as modules in TorchScript: the same logits as the net's, and as PyTorch's.
use crate::{
    contract::{data, default_config},
    project::{Project, repository},
};
use scenarec_data::{Column, Columns, Dataset, Kind, Provenance, Schema, Sequence};
use scenarec_experiments::{
    job::Job,
    models::{build, model, models},
};
use scenarec_train::{
    Build, Feed, State,
    net::load_state,
    predict,
    serving::{Exported, Inputs, Size, TOLERANCE, export, largest_difference},
    testing::{ragged, scramble_evenly},
};
use serde_yaml::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tch::{CModule, Tensor};

/// Models whose modules would not give the net's logits.
const REFUSED: &[&str] = &[];

/// The module's logits of some rows.
fn logits(module: &CModule, inputs: &Inputs, data: &Dataset, rows: &[u32]) -> Tensor {
    let scenarios: Vec<i64> = rows.iter().map(|r| i64::from(data.scenario[*r as usize])).collect();
    module.forward_ts(&inputs.tensors(data, rows, &scenarios).unwrap()).unwrap()
}

#[test]
fn every_model_is_exported_or_known_to_be_refused() {
    let page = fs::read_to_string(repository().join("docs/serving.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for entry in models() {
        let (name, data, path) = (entry.name, data(entry.name), folder.path().join("net.pt"));
        let mut net = build(&data.schema, &default_config(entry), Build::cpu(1)).unwrap();
        scramble_evenly(&mut net.weights, 1);
        let exported = export(&mut net, &data, &path);
        assert_eq!(exported.is_err(), REFUSED.contains(&name), "{name}: {exported:?}");
        let said = if exported.is_ok() { "yes" } else { "no" };
        assert!(
            page.contains(&format!("\n| `{name}` | {said} |")),
            "docs/serving.md does not say of {name}: {said}"
        );
        let Ok(Exported { inputs, .. }) = exported else { continue };

        // Rows in batches of other sizes than the trace's, and of one scenario.
        let module = CModule::load(&path).unwrap();
        let home = (0..120).filter(|r| data.scenario[*r as usize] == 0).collect();
        for rows in [(0..120).collect(), vec![7], (3..100).rev().collect(), home] {
            let by_task = predict(&mut net, &Feed::new(data.clone(), rows.clone()), 50).unwrap();
            let wanted = Tensor::stack(&by_task.iter().map(|l| Tensor::from_slice(l)).collect::<Vec<_>>(), 1);
            let found = logits(&module, &inputs, &data, &rows);
            let far = largest_difference(&found, &wanted).unwrap();
            assert!(far <= TOLERANCE, "{name}: {} rows are {far:e} apart", rows.len());
            let spread = f64::try_from(wanted.max() - wanted.min()).unwrap();
            assert!(rows.len() == 1 || spread > 0.1, "{name}: nothing to compare");
        }
        // Its parameters have the net's names and values; buffers cannot be read from here.
        let state = net.weights.state();
        let parameters = module.named_parameters().unwrap();
        let names: BTreeSet<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, net.weights.names().into_iter().collect(), "{name}");
        assert!(parameters.iter().all(|(name, tensor)| state[name] == *tensor), "{name}");
    }
}

/// A golden case for a net alone.
struct Golden {
    folder: PathBuf,
    flags: String,
    schema: Schema,
    model: Value,
    weights: State,
}

impl Golden {
    fn all() -> Vec<Self> {
        let folders = fs::read_dir(repository().join("golden")).unwrap().map(|e| e.unwrap().path());
        let cases = folders.filter(|f| f.join("args").is_file()).filter_map(|folder| {
            let flags = fs::read_to_string(folder.join("args")).unwrap();
            let text = fs::read_to_string(folder.join("config.yaml")).unwrap();
            let config: Value = serde_yaml::from_str(&text).unwrap();
            let entry = model(config["model"]["name"].as_str().unwrap()).unwrap();
            let of_net = !flags.contains("--module");
            of_net.then(|| Self {
                flags,
                schema: serde_yaml::from_value(config["schema"].clone()).unwrap(),
                model: entry.resolve(config["model"].clone()).unwrap(),
                weights: load_state(&folder.join("weights.safetensors")).unwrap(),
                folder,
            })
        });
        cases.collect()
    }

    /// The case's batch as a dataset.
    fn data(&self) -> Dataset {
        let batch = load_state(&self.folder.join("batch.safetensors")).unwrap();
        let ids = |t: &Tensor| -> Vec<u32> {
            Vec::<i64>::try_from(t.flatten(0, -1)).unwrap().into_iter().map(|id| id as u32).collect()
        };
        // Lists are padded with 0 behind their ids.
        let lists = |t: &Tensor| -> Vec<Vec<u32>> {
            let rows = ids(t);
            let rows = rows.chunks(t.size()[1] as usize);
            rows.map(|row| row[..row.iter().rposition(|id| *id != 0).map_or(0, |last| last + 1)].to_vec())
                .collect()
        };
        let column = |name: &str, kind: Kind| match kind {
            Kind::Id => Column::Id(ids(&batch[&format!("ids.{name}")])),
            Kind::Bag(_) => ragged(&lists(&batch[&format!("seq.{name}")]), None),
            Kind::Sequence { .. } => {
                Column::Sequence(Sequence::of_lists(&lists(&batch[&format!("seq.{name}")])))
            }
            Kind::Real => Column::Real(Vec::try_from(&batch[&format!("real.{name}")]).unwrap()),
            Kind::Pooled => unreachable!("the schema of data"),
        };
        let scenario: Vec<u16> = ids(&batch["scenario"]).into_iter().map(|s| s as u16).collect();
        Dataset {
            name: "golden".into(),
            provenance: Provenance::Simulated,
            note: String::new(),
            columns: Columns::Resident(self.schema.fields.iter().map(|f| column(&f.name, f.kind)).collect()),
            labels: vec![vec![0; scenario.len()]; self.schema.tasks.len()],
            scenario,
            schema: self.schema.clone(),
            time: None,
            session: None,
            part: None,
            item_vocabulary: None,
            click_probability: None,
            fingerprint: String::new(),
        }
    }
}

/// In every form of every model that PyTorch has computed, in evaluation mode.
#[test]
fn modules_give_pytorchs_logits() {
    let (folder, mut compared) = (tempfile::tempdir().unwrap(), 0);
    for case in Golden::all() {
        let data = Arc::new(case.data());
        let mut net = build(&data.schema, &case.model, Build::cpu(1)).unwrap();
        net.weights.load(&case.weights, "").unwrap();
        let path = folder.path().join("net.pt");
        let exported = export(&mut net, &data, &path);
        let Exported { inputs, .. } = exported.unwrap_or_else(|e| panic!("{}: {e:#}", case.folder.display()));
        if ["--train", "--mean-item"].iter().any(|flag| case.flags.contains(flag)) {
            continue;
        }
        let rows: Vec<u32> = (0..data.rows() as u32).collect();
        let found = logits(&CModule::load(&path).unwrap(), &inputs, &data, &rows);
        let wanted = &load_state(&case.folder.join("expected.safetensors")).unwrap()["logits"];
        let far = largest_difference(&found, &wanted.view_as(&found)).unwrap();
        assert!(far <= TOLERANCE, "{}: {far}", case.folder.display());
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} cases were compared");
}

/// What a net saves is the state that a PyTorch module of the same names has: golden weights come back as they are.
#[test]
fn saved_nets_are_pytorchs_states() {
    let (file, mut compared) = (tempfile::NamedTempFile::new().unwrap(), 0);
    for case in Golden::all() {
        let mut net = build(&case.schema, &case.model, Build::cpu(1)).unwrap();
        net.weights.load(&case.weights, "").unwrap();
        net.save(file.path()).unwrap();
        let saved = load_state(file.path()).unwrap();
        assert!(saved.keys().eq(case.weights.keys()), "{}: other names", case.folder.display());
        for (name, tensor) in &saved {
            assert!(*tensor == case.weights[name] && tensor.size() == case.weights[name].size(), "{name}");
        }
        compared += 1;
    }
    assert!(compared >= 40, "only {compared} cases were compared");
}

fn only_run(project: &Project) -> PathBuf {
    let runs = fs::read_dir(project.path("runs")).unwrap().map(|e| e.unwrap().path());
    runs.into_iter().find(|r| r.join("net.safetensors").is_file()).unwrap()
}

fn read_json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_is_exported_with_what_must_be_known_of_it() {
    let project = Project::new();
    let table = ["sfpnet-table3", "--quick", "--only", "model=sfpnet"];
    let keep = ["--set", "run.keep_nets=true"];
    fn words<'a>(command: &'a str, table: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [&[command], table, &["--out", "net.pt"], more].concat()
    }
    let error = project.error(&words("export", &table, &keep));
    assert!(error.contains("is not finished"), "{error}");
    project.ok(&[&["run"], &table[..]].concat());
    let error = project.error(&words("export", &table, &[]));
    assert!(error.contains("has kept no net") && error.contains("run.keep_nets=true"), "{error}");
    project.ok(&[&["run"], &table[..], &keep].concat());
    let said = project.ok(&words("export", &table, &keep));
    assert!(said.contains("simulated data") && said.contains("net.pt: the net's logits within"), "{said}");

    let (run, card) = (only_run(&project), read_json(&project.path("net.json")));
    assert_eq!(card["run"]["id"], run.file_name().unwrap().to_str().unwrap());
    assert!(card["run"]["measures"].as_array().unwrap().iter().any(|m| m["metric"] == "auc"));
    assert_eq!((&card["model"]["name"], &card["provenance"]), (&"sfpnet".into(), &"simulated".into()));
    assert!(card["largest_difference"].as_f64().unwrap() <= TOLERANCE);

    // The logits of the program's own `predict`, on the same rows.
    let job: Job = serde_json::from_slice(&fs::read(run.join("job.json")).unwrap()).unwrap();
    let roots = scenarec_data::Roots { raw: project.path("data/raw"), cache: project.path("data/cache") };
    let prepared = scenarec_data::prepare(&job.dataset.config, &roots, &job.dataset.quick).unwrap();
    let data = Arc::new(prepared.dataset);
    let mut net = build(&data.schema, &job.model, Build::cpu(9)).unwrap();
    net.load(&run.join("net.safetensors")).unwrap();
    let inputs = Inputs::new(&data, &net.weights.tables).unwrap();
    let rows: Vec<u32> = prepared.splits.get("test").unwrap()[..500].to_vec();
    let wanted = predict(&mut net, &Feed::new(data.clone(), rows.clone()), 100).unwrap();
    let module = CModule::load(project.path("net.pt")).unwrap();
    let found = logits(&module, &inputs, &data, &rows);
    assert!(largest_difference(&found.select(1, 0), &Tensor::from_slice(&wanted[0])).unwrap() <= TOLERANCE);

    // Rows that any program can compare with.
    let example = load_state(&project.path("net.example.safetensors")).unwrap();
    let given: Vec<&Tensor> = inputs.iter().map(|input| &example[&input.name]).collect();
    let found = module.forward_ts(&given).unwrap();
    assert!(largest_difference(&found, &example["logits"]).unwrap() <= TOLERANCE);

    // Inputs made of nothing but what the card says.
    let described: Vec<scenarec_train::serving::Input> =
        serde_json::from_value(card["inputs"].clone()).unwrap();
    assert!(described.iter().eq(inputs.iter()));
    let zeros = described.iter().map(|input| {
        let size = |size: &Size| if let Size::Fixed(n) = size { *n } else { 3 };
        let shape: Vec<i64> = input.shape.iter().map(size).collect();
        let kind = if input.dtype == scenarec_train::serving::Dtype::Int64 {
            tch::Kind::Int64
        } else {
            tch::Kind::Float
        };
        Tensor::zeros(shape, (kind, tch::Device::Cpu))
    });
    let logits = module.forward_ts(&zeros.collect::<Vec<_>>()).unwrap();
    assert!(logits.size() == [3, 1] && f64::try_from(logits.abs().max()).unwrap().is_finite());
}
