//! The batch file as a batch.
use anyhow::{Context, Result, bail, ensure};
use scenarec_data::{Kind, Pooling, Schema};
use scenarec_train::{
    Batch, State,
    batch::{Ids, SequenceIds},
    to_vec,
};
use tch::Tensor;

/// A tensor of the batch file.
pub(super) fn named<'a>(inputs: &'a State, name: &str) -> Result<&'a Tensor> {
    inputs.get(name).with_context(|| format!("the batch has no tensor {name:?}"))
}

fn integers(t: &Tensor, name: &str, columns: Option<usize>) -> Result<(Vec<i64>, usize)> {
    ensure!(t.kind() == tch::Kind::Int64, "{name} is {:?}, not i64", t.kind());
    let size = t.size();
    ensure!(size.len() == 1 + usize::from(columns.is_some()), "{name} has shape {size:?}");
    let width = size.get(1).copied().unwrap_or(1) as usize;
    ensure!(
        columns.is_none_or(|c| c == width || c == 0),
        "{name} has {width} columns, the schema says {columns:?}"
    );
    Ok((Vec::<i64>::try_from(t.flatten(0, -1))?, width))
}

/// The rows whose tensors are called `<prefix>ids.<field>` and so on.
pub(super) fn read_batch(schema: &Schema, inputs: &State, prefix: &str) -> Result<Batch> {
    let scenario = format!("{prefix}scenario");
    let rows = named(inputs, &scenario)?.size()[0] as usize;
    let (scenarios, known) =
        (integers(named(inputs, &scenario)?, &scenario, None)?.0, schema.scenarios.len());
    if let Some(bad) = scenarios.iter().find(|s| !(0..known as i64).contains(s)) {
        bail!("{scenario} has {bad}, but the schema has {known} scenarios");
    }
    let mut batch = Batch { rows, scenario: scenarios, ..Batch::default() };
    let mut reals: Vec<Vec<f32>> = Vec::new();
    for field in &schema.fields {
        let table = field.table.as_deref().and_then(|t| schema.table(t)).map_or(0, |(_, t)| t.rows);
        let ids = |name: String, columns: Option<usize>| -> Result<(Vec<u32>, usize)> {
            let (ids, width) = integers(named(inputs, &name)?, &name, columns)?;
            ensure!(ids.len() == rows * width, "{name} has {} rows of {rows}", ids.len() / width.max(1));
            if let Some(bad) = ids.iter().find(|id| !(0..table as i64).contains(id)) {
                bail!("{name} has id {bad}, but its table has {table} rows");
            }
            Ok((ids.into_iter().map(|id| id as u32).collect(), width))
        };
        match field.kind {
            Kind::Id => {
                let (ids, _) = ids(format!("{prefix}ids.{}", field.name), None)?;
                batch.ids.push(Ids { ids, ..Ids::default() });
            }
            Kind::Bag(pooling) => {
                let len = if let Pooling::SumPadded { len } = pooling { len as usize } else { 0 };
                let (ids, width) = ids(format!("{prefix}seq.{}", field.name), Some(len))?;
                batch.ids.push(bag(&ids, width, pooling));
            }
            Kind::Sequence { max_len } => {
                let (ids, len) = ids(format!("{prefix}seq.{}", field.name), Some(max_len as usize))?;
                batch.sequences.push(sequence(&ids, len));
            }
            Kind::Pooled => unreachable!("the schema was validated"),
            Kind::Real => {
                let name = format!("{prefix}real.{}", field.name);
                let values = to_vec(named(inputs, &name)?);
                ensure!(values.len() == rows, "{name} has {} rows of {rows}", values.len());
                reals.push(values);
            }
        }
    }
    let tasks: Vec<Vec<f32>> = schema
        .tasks
        .iter()
        .map(|t| Ok(to_vec(named(inputs, &format!("{prefix}label.{t}"))?)))
        .collect::<Result<_>>()?;
    batch.reals = (0..rows).flat_map(|r| reals.iter().map(move |c| c[r])).collect();
    batch.labels = (0..rows).flat_map(|r| tasks.iter().map(move |t| t[r])).collect();
    Ok(batch)
}

/// Sequences of one id per token, padded with 0 behind the last one.
fn sequence(ids: &[u32], len: usize) -> SequenceIds {
    let rows: Vec<&[u32]> = ids
        .chunks(len)
        .map(|row| &row[..row.iter().rposition(|id| *id != 0).map_or(0, |last| last + 1)])
        .collect();
    SequenceIds {
        ids: Ids { ids: rows.concat(), ..Ids::default() },
        lens: rows.iter().map(|row| row.len() as u32).collect(),
    }
}

/// Rows padded with 0 to one width; only padded pooling sums the padding.
fn bag(ids: &[u32], width: usize, pooling: Pooling) -> Ids {
    let mut out = Ids { offsets: Some(vec![0]), ..Ids::default() };
    let mut weights = Vec::new();
    for row in ids.chunks(width.max(1)) {
        let kept: Vec<u32> = match pooling {
            Pooling::SumPadded { .. } => row.to_vec(),
            Pooling::Sum | Pooling::Mean => row.iter().copied().filter(|id| *id != 0).collect(),
        };
        let weight = if matches!(pooling, Pooling::Mean) { 1.0 / kept.len().max(1) as f32 } else { 1.0 };
        weights.extend(std::iter::repeat_n(weight, kept.len()));
        out.ids.extend(kept);
        out.offsets.as_mut().expect("just set").push(out.ids.len() as u32);
    }
    out.weights = Some(weights);
    out
}
