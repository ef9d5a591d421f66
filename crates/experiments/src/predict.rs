//! What a trained net says of a dataset's rows, as a Parquet file.
use crate::job::Job;
use anyhow::{Context, Result};
use arrow::{
    array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt8Array, UInt32Array},
    datatypes::{DataType, Field, Schema},
};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use scenarec_data::{Dataset, Prepared};
use scenarec_train::{Backend, Build, Feed, open_device, predict};
use std::{fs::File, path::Path, sync::Arc};

/// Rows per batch; no result depends on it.
const BATCH: usize = 4096;

/// Writes labels, logits and probabilities of a split part's rows, all rows where `part` is `all`, and returns their number.
///
/// The net is one for all scenarios and tasks, in safetensors under the model's names. Columns: `row` (u32, the place in the
/// prepared data), `scenario` (text), and for every task `label.<task>` (u8), `logit.<task>` and `probability.<task>` (f32),
/// the logistic function of the logit.
///
/// # Errors
/// A net that is not of this model and data, named by the tensor that does not fit; a part that the split has not.
pub fn write_predictions(
    job: &Job,
    net: &Path,
    part: &str,
    roots: &scenarec_data::Roots,
    out: &Path,
) -> Result<usize> {
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let rows: Vec<u32> = match part {
        "all" => (0..data.rows() as u32).collect(),
        part => splits
            .get(part)
            .with_context(|| {
                let names: Vec<&str> = splits.parts.iter().map(|(name, _)| name.as_str()).collect();
                format!("{} has no split part {part:?} (there are: all, {})", data.name, names.join(", "))
            })?
            .to_vec(),
    };
    let build = Build { seed: job.seed, device, backend: Backend::for_device(device) };
    let mut model = crate::models::build(&data.schema, &job.model, build)?;
    model.load(net)?;
    let feed = Feed::new(data.clone(), rows);
    let logits = predict(&mut model, &feed, BATCH)?;
    let batch = columns(&data, feed.rows(), logits)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = File::create(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(&batch).with_context(|| format!("cannot write {}", out.display()))?;
    writer.close().with_context(|| format!("cannot write {}", out.display()))?;
    Ok(feed.rows().len())
}

fn columns(data: &Dataset, rows: &[u32], logits: Vec<Vec<f32>>) -> Result<RecordBatch> {
    let scenarios = rows.iter().map(|row| &data.schema.scenarios[usize::from(data.scenario[*row as usize])]);
    let mut all: Vec<(String, ArrayRef)> = vec![
        ("row".into(), Arc::new(UInt32Array::from(rows.to_vec()))),
        ("scenario".into(), Arc::new(StringArray::from_iter_values(scenarios))),
    ];
    for ((task, labels), logits) in data.schema.tasks.iter().zip(&data.labels).zip(logits) {
        let labels = rows.iter().map(|row| labels[*row as usize]);
        let probabilities = logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp()));
        all.push((format!("label.{task}"), Arc::new(UInt8Array::from_iter_values(labels))));
        all.push((format!("probability.{task}"), Arc::new(Float32Array::from_iter_values(probabilities))));
        all.push((format!("logit.{task}"), Arc::new(Float32Array::from(logits))));
    }
    let field = |(name, array): &(String, ArrayRef)| {
        let kind: DataType = array.data_type().clone();
        Field::new(name, kind, false)
    };
    let schema = Schema::new(all.iter().map(field).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), all.into_iter().map(|(_, array)| array).collect())?)
}
