//! A trained net as a file that programs with libtorch can serve, and a file that says what it is.
use crate::{atomic::AtomicFile, job::Job};
use anyhow::{Context, Result, ensure};
use scenarec_data::{Prepared, Provenance};
use scenarec_train::{
    Build, Measure,
    net::save_state,
    open_device,
    serving::{self, Input, Size},
};
use serde::Serialize;
use serde_yaml::Value;
use std::{fs, path::Path, sync::Arc};

/// What the JSON beside a module says.
#[derive(Debug, Serialize)]
struct Card<'a> {
    model: &'a Value,
    dataset: &'a str,
    provenance: Provenance,
    note: &'a str,
    scenarios: &'a [String],
    inputs: Vec<&'a Input>,
    outputs: [Logits<'a>; 1],
    /// Hash (BLAKE3) of the net's file.
    net: String,
    /// |module's - net's| / (1 + the largest |net's|) of the logits that were compared, at most.
    largest_difference: f64,
    run: Option<&'a RunCard>,
}

#[derive(Debug, Serialize)]
struct Logits<'a> {
    name: &'static str,
    dtype: serving::Dtype,
    shape: [Size; 2],
    /// What the columns are, in order.
    tasks: &'a [String],
}

/// The run that a net is of.
#[derive(Debug, Serialize)]
pub struct RunCard {
    /// Its id.
    pub id: String,
    /// Its seed.
    pub seed: u64,
    /// What it was evaluated to.
    pub measures: Vec<Measure>,
}

/// Writes the net, which is one for all scenarios and tasks, in safetensors under its model's names, as a module in TorchScript to
/// `out`. Beside it, with the ending `.json`, what it is, and with `.example.safetensors` inputs of some rows and the net's logits.
/// Returns the largest difference of logits that was found.
///
/// # Errors
/// A net that is not of this model and data, named by the tensor that does not fit; a model whose module gives other logits than
/// the net.
pub fn write_module(
    job: &Job,
    net: &Path,
    run: Option<&RunCard>,
    roots: &scenarec_data::Roots,
    out: &Path,
) -> Result<f64> {
    ensure!(out.extension().is_some_and(|e| e == "pt"), "{}: a module's name ends in .pt", out.display());
    open_device("cpu", job.threads)?;
    let Prepared { dataset, .. } = scenarec_data::prepare(&job.dataset.config, roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let mut model = crate::models::build(&data.schema, &job.model, Build::cpu(job.seed))?;
    model.load(net)?;
    let module = AtomicFile::begin(out)?;
    let name = scenarec_train::model::name_in(&job.model);
    let exported = serving::export(&mut model, &data, module.temporary())
        .with_context(|| format!("{name} cannot be exported"))?;
    let tasks = &data.schema.tasks;
    let shape = [Size::Any('B'), Size::Fixed(tasks.len() as i64)];
    let bytes = fs::read(net).with_context(|| format!("cannot read {}", net.display()))?;
    let card = Card {
        model: &job.model,
        dataset: &data.name,
        provenance: data.provenance,
        note: &data.note,
        scenarios: &data.schema.scenarios,
        inputs: exported.inputs.iter().collect(),
        outputs: [Logits { name: "logits", dtype: serving::Dtype::Float32, shape, tasks }],
        net: blake3::hash(&bytes).to_string(),
        largest_difference: exported.difference,
        run,
    };
    let beside = AtomicFile::begin(&out.with_extension("json"))?;
    let text = serde_json::to_string_pretty(&card)? + "\n";
    fs::write(beside.temporary(), text).with_context(|| format!("cannot write beside {}", out.display()))?;
    let example = AtomicFile::begin(&out.with_extension("example.safetensors"))?;
    save_state(&exported.example, example.temporary())?;
    beside.finish()?;
    example.finish()?;
    module.finish()?;
    Ok(exported.difference)
}
