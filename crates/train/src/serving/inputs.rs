//! What a module for serving takes: plain tensors, made of a dataset's columns.
//!
//! Shapes: B rows, L ids or tokens (the longest list's of a batch; a sequence's is fixed), M ids of a token (the longest one's).
use crate::FeatureEmbedding;
use anyhow::{Result, ensure};
use scenarec_data::{Column, Dataset, Field, Kind, Pooling, Schema, Sequence};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, ops::Range};
use tch::Tensor;

/// The type of an input's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// i64.
    Int64,
    /// f32.
    Float32,
}

/// The size of a dimension of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Always this.
    Fixed(i64),
    /// What the caller likes, the same wherever the letter is `B`; at least 1.
    Any(char),
}

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// A row's id.
    Ids,
    /// A row's ids, of a list or of the tokens of a sequence, in order from the left; any id behind them.
    List,
    /// How many of a list's ids, or of a sequence's tokens, are there.
    Lengths,
    /// A factor for every id; 0 where a token has no id.
    Weights,
    /// A real number.
    Reals,
    /// The number of the row's scenario.
    Scenario,
}

/// A tensor that the module takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What the module calls it: its name with `_` for what is neither letter nor digit.
    pub argument: String,
    /// `ids.<field>`, `list.<field>`, `length.<field>`, `weight.<field>`, `real.<field>` or `scenario`.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<Size>,
    /// What it holds.
    pub holds: Holds,
    /// Its integers are below this; absent for lengths and real numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<usize>,
    /// What becomes of a list's vectors; absent for sequences, whose tokens stay apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
}

impl Input {
    fn new(holds: Holds, field: &str, dims: &[Size], below: Option<usize>, pooling: Option<Pooling>) -> Self {
        let name = match holds {
            Holds::Ids => format!("ids.{field}"),
            Holds::List => format!("list.{field}"),
            Holds::Lengths => format!("length.{field}"),
            Holds::Weights => format!("weight.{field}"),
            Holds::Reals => format!("real.{field}"),
            Holds::Scenario => field.to_string(),
        };
        Self {
            argument: name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect(),
            name,
            dtype: if matches!(holds, Holds::Weights | Holds::Reals) { Dtype::Float32 } else { Dtype::Int64 },
            shape: [Size::Any('B')].iter().chain(dims).cloned().collect(),
            holds,
            below: below.filter(|_| matches!(holds, Holds::Ids | Holds::List | Holds::Scenario)),
            pooling: pooling.filter(|_| holds == Holds::List),
        }
    }
}

/// All inputs of a net's module, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs(Vec<(Input, Option<usize>)>);

impl Inputs {
    /// Those of what `tables` looks up, of all real numbers, and the scenario. Whether ids have weights, and tokens several ids, is
    /// read off the columns.
    ///
    /// # Errors
    /// Where the columns cannot be read, and where two names are one for the module.
    pub fn new(data: &Dataset, tables: &FeatureEmbedding) -> Result<Self> {
        let columns = data.select(&[0])?;
        let mut all = Vec::new();
        for (at, (field, column)) in data.schema.fields.iter().zip(&columns).enumerate() {
            if field.kind == Kind::Real || tables.looks_up(&field.name) {
                all.extend(of_field(&data.schema, field, column).into_iter().map(|input| (input, Some(at))));
            }
        }
        let scenarios = Some(data.schema.scenarios.len());
        all.push((Input::new(Holds::Scenario, "scenario", &[], scenarios, None), None));
        let names: BTreeSet<&str> = all.iter().map(|(input, _)| &*input.argument).collect();
        ensure!(names.len() == all.len(), "fields of {} whose names differ in signs only", data.name);
        Ok(Self(all))
    }

    /// The inputs in order.
    pub fn iter(&self) -> impl Iterator<Item = &Input> {
        self.0.iter().map(|(input, _)| input)
    }

    /// The tensors of some rows, whose scenarios are `scenarios`.
    ///
    /// # Errors
    /// Where the columns cannot be read.
    pub fn tensors(&self, data: &Dataset, rows: &[u32], scenarios: &[i64]) -> Result<Vec<Tensor>> {
        let columns = data.select(rows)?;
        let tensor = |(input, at): &(Input, Option<usize>)| match at {
            Some(at) => of_column(input, &columns[*at], data.schema.fields[*at].kind),
            None => Tensor::from_slice(scenarios),
        };
        Ok(self.0.iter().map(tensor).collect())
    }
}

fn of_field(schema: &Schema, field: &Field, column: &Column) -> Vec<Input> {
    let below = field.table.as_deref().and_then(|t| schema.table(t)).map(|(_, t)| t.rows);
    let pooling = if let Kind::Bag(pooling) = field.kind { Some(pooling) } else { None };
    let input = |holds, dims: &[Size]| Input::new(holds, &field.name, dims, below, pooling);
    let list = |dims: &[Size], weights: bool| {
        let mut all = vec![input(Holds::List, dims), input(Holds::Lengths, &[])];
        all.extend(weights.then(|| input(Holds::Weights, dims)));
        all
    };
    match (field.kind, column) {
        (Kind::Id, _) => vec![input(Holds::Ids, &[])],
        (Kind::Real, _) => vec![input(Holds::Reals, &[])],
        (Kind::Bag(_), Column::Ragged { weights, .. }) => list(&[Size::Any('L')], weights.is_some()),
        (Kind::Sequence { max_len }, Column::Sequence(Sequence { tokens, .. })) => {
            let len = Size::Fixed(max_len.into());
            match tokens.offsets {
                None => list(&[len], tokens.weights.is_some()),
                Some(_) => list(&[len, Size::Any('M')], true),
            }
        }
        (kind, _) => panic!("field {:?} is {kind:?}, but its column is of another kind", field.name),
    }
}

/// Ids that stand side by side in one tensor's last dimension, with their weights, where they have some.
type Run<'a> = (&'a [u32], Option<&'a [f32]>);

/// The runs of all rows, and every row's length. Of a sequence's tokens the `max_len` most recent ones are taken.
fn runs<'a>(column: &'a Column, max_len: u32) -> (Vec<Run<'a>>, Vec<i64>) {
    fn part<'a>(ids: &'a [u32], weights: Option<&'a [f32]>, range: Range<usize>) -> Run<'a> {
        (&ids[range.clone()], weights.map(|w| &w[range]))
    }
    match column {
        Column::Ragged { offsets, values, weights } => {
            let ranges = offsets.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
            let runs: Vec<Run> = ranges.map(|range| part(values, weights.as_deref(), range)).collect();
            let lengths = runs.iter().map(|run| run.0.len() as i64).collect();
            (runs, lengths)
        }
        Column::Sequence(Sequence { spans, tokens }) => {
            let weights = tokens.weights.as_deref();
            let (mut runs, mut lengths) = (Vec::new(), Vec::new());
            for (start, end) in spans.start.iter().zip(&spans.end) {
                let recent = *start.max(&end.saturating_sub(max_len)) as usize..*end as usize;
                lengths.push(recent.len() as i64);
                if tokens.offsets.is_none() {
                    runs.push(part(&tokens.values, weights, recent));
                    continue;
                }
                let padding = max_len as usize - recent.len();
                runs.extend(recent.map(|token| part(&tokens.values, weights, tokens.range(token))));
                runs.extend(std::iter::repeat_n((&[][..], weights.map(|_| &[][..])), padding));
            }
            (runs, lengths)
        }
        _ => panic!("a column without lists"),
    }
}

/// What an input holds of a column's rows.
fn of_column(input: &Input, column: &Column, kind: Kind) -> Tensor {
    let max_len = if let Kind::Sequence { max_len } = kind { max_len } else { 0 };
    match (input.holds, column) {
        (Holds::Ids, Column::Id(ids)) => {
            Tensor::from_slice(&ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>())
        }
        (Holds::Reals, Column::Real(values)) => Tensor::from_slice(values),
        (Holds::Lengths, _) => Tensor::from_slice(&runs(column, max_len).1),
        (Holds::List, _) => {
            let ids = |run: &Run<'_>| run.0.iter().map(|id| i64::from(*id)).collect();
            padded(input, runs(column, max_len).0, ids, 0)
        }
        (Holds::Weights, _) => {
            let weights = |run: &Run<'_>| run.1.map_or_else(|| vec![1.0; run.0.len()], <[f32]>::to_vec);
            padded(input, runs(column, max_len).0, weights, 0.0)
        }
        (holds, _) => panic!("{} holds {holds:?}, but its column is of another kind", input.name),
    }
}

/// Runs one below the other, padded behind their numbers, in the input's shape.
fn padded<T: tch::kind::Element + Copy>(
    input: &Input,
    runs: Vec<Run<'_>>,
    numbers: impl Fn(&Run<'_>) -> Vec<T>,
    padding: T,
) -> Tensor {
    let longest = runs.iter().map(|run| run.0.len()).max().unwrap_or(0).max(1);
    let shape: Vec<i64> = input
        .shape
        .iter()
        .map(|size| match size {
            Size::Fixed(n) => *n,
            Size::Any('B') => -1,
            Size::Any(_) => longest as i64,
        })
        .collect();
    let width = shape[shape.len() - 1] as usize;
    let row = |run: &Run<'_>| {
        let mut row = numbers(run);
        row.resize(width, padding);
        row
    };
    Tensor::from_slice(&runs.iter().flat_map(row).collect::<Vec<T>>()).reshape(shape)
}
