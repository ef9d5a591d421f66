//! Rows as Arrow arrays and back.
//!
//! `field:<name>`, `weight:<name>`, `label:<task>`, `scenario`, `time`, `session`, `part`, `click_probability`; lists for ragged
//! columns. The tokens of a sequence are the list of row 0, beside the columns `start:<name>` and `end:<name>`, which are absent
//! where they equal the sequence's before.
use crate::{Column, Kind, Part, Rows, Schema, Sequence, Spans, Tokens};
use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Int64Array, LargeListArray, UInt8Array, UInt16Array, UInt32Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use std::ops::Range;
use std::sync::Arc;

/// Columns by name.
pub(super) type Named = Vec<(String, ArrayRef)>;

/// What a sequence's tokens are stored under; columns of one list each, that of row 0.
const TOKENS: [&str; 3] = ["field", "tokens", "weight"];

/// Some of the rows; `first` where row 0 of the dataset is among them, with which the tokens are stored.
pub(super) fn of_rows(schema: &Schema, rows: &Rows, range: Range<usize>, first: bool) -> Named {
    let mut out: Named = Vec::new();
    let mut spans: Option<&Spans> = None;
    for (field, column) in schema.fields.iter().zip(&rows.columns) {
        let name = format!("field:{}", field.name);
        match column {
            Column::Id(v) => out.push((name, Arc::new(UInt32Array::from(v[range.clone()].to_vec())))),
            Column::Real(v) => out.push((name, Arc::new(Float32Array::from(v[range.clone()].to_vec())))),
            Column::Ragged { offsets, values, weights } => {
                let offsets = &offsets[range.start..=range.end];
                let own = offsets[0] as usize..offsets[range.len()] as usize;
                let part = Arc::new(UInt32Array::from(values[own.clone()].to_vec()));
                out.push((name, list(offsets, part)));
                if let Some(w) = weights {
                    let name = format!("weight:{}", field.name);
                    out.push((name, list(offsets, Arc::new(Float32Array::from(w[own].to_vec())))));
                }
            }
            Column::Sequence(Sequence { spans: own, tokens }) => {
                let same = |before: &Spans| std::ptr::eq(before, &**own) || before == &**own;
                if !spans.replace(own).is_some_and(same) {
                    let column = |numbers: &[u32]| -> ArrayRef {
                        Arc::new(UInt32Array::from(numbers[range.clone()].to_vec()))
                    };
                    out.push((format!("start:{}", field.name), column(&own.start)));
                    out.push((format!("end:{}", field.name), column(&own.end)));
                }
                let in_row_0 = |array: ArrayRef| {
                    let array = if first { array } else { array.slice(0, 0) };
                    let offsets: Vec<u64> =
                        (0..=range.len()).map(|r| if r == 0 { 0 } else { array.len() as u64 }).collect();
                    list(&offsets, array)
                };
                let Tokens { offsets, values, weights } = &**tokens;
                let parts: [Option<ArrayRef>; 3] = [
                    Some(Arc::new(UInt32Array::from(if first { values.clone() } else { Vec::new() }))),
                    offsets.as_ref().map(|o| Arc::new(UInt32Array::from(o.clone())) as ArrayRef),
                    weights.as_ref().map(|w| Arc::new(Float32Array::from(w.clone())) as ArrayRef),
                ];
                for (kind, part) in TOKENS.iter().zip(parts) {
                    out.extend(part.map(|part| (format!("{kind}:{}", field.name), in_row_0(part))));
                }
            }
        }
    }
    for (task, label) in schema.tasks.iter().zip(&rows.labels) {
        out.push((format!("label:{task}"), Arc::new(UInt8Array::from(label[range.clone()].to_vec()))));
    }
    out.push(("scenario".into(), Arc::new(UInt16Array::from(rows.scenario[range.clone()].to_vec()))));
    if let Some(v) = &rows.time {
        out.push(("time".into(), Arc::new(Int64Array::from(v[range.clone()].to_vec()))));
    }
    if let Some(v) = &rows.session {
        out.push(("session".into(), Arc::new(UInt32Array::from(v[range.clone()].to_vec()))));
    }
    if let Some(v) = &rows.part {
        let numbers = v[range.clone()].iter().map(|part| *part as u8).collect::<Vec<u8>>();
        out.push(("part".into(), Arc::new(UInt8Array::from(numbers))));
    }
    if let Some(v) = &rows.click_probability {
        out.push(("click_probability".into(), Arc::new(Float32Array::from(v[range].to_vec()))));
    }
    out
}

/// Lists whose values are those from the first offset on.
fn list(offsets: &[u64], values: ArrayRef) -> ArrayRef {
    let offsets: ScalarBuffer<i64> = offsets.iter().map(|o| (o - offsets[0]) as i64).collect();
    let item = Arc::new(Field::new("item", values.data_type().clone(), false));
    Arc::new(LargeListArray::new(item, OffsetBuffer::new(offsets), values, None))
}

/// Every column's arrays, one for each row group that was read.
pub(super) type Columns = Vec<(String, Vec<ArrayRef>)>;

type Result<T> = std::result::Result<T, String>;

/// What columns are taken from.
struct Found(Columns);

impl Found {
    fn take(&mut self, name: &str) -> Option<Vec<ArrayRef>> {
        let at = self.0.iter().position(|c| c.0 == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn needed(&mut self, name: &str) -> Result<Vec<ArrayRef>> {
        self.take(name).ok_or_else(|| format!("it lacks the column {name}"))
    }
}

/// Names of columns that the tokens of the sequences are in.
pub(super) fn token_columns(schema: &Schema) -> Vec<String> {
    schema.sequences().flat_map(|(_, f)| TOKENS.map(|kind| format!("{kind}:{}", f.name))).collect()
}

/// The tokens of every sequence field, in order.
pub(super) fn tokens(schema: &Schema, columns: Columns) -> Result<Vec<Arc<Tokens>>> {
    let mut found = Found(columns);
    let one = |(_, field): (usize, &crate::Field)| {
        let [values, offsets, weights] =
            TOKENS.map(|kind| (kind != TOKENS[0], found.take(&format!("{kind}:{}", field.name))));
        let values = values.1.ok_or_else(|| format!("it lacks the column field:{}", field.name))?;
        Ok(Arc::new(Tokens {
            offsets: offsets.1.map(|o| lists::<UInt32Type>(&o)).transpose()?.map(|o| o.1),
            values: lists::<UInt32Type>(&values)?.1,
            weights: weights.1.map(|w| lists::<Float32Type>(&w)).transpose()?.map(|w| w.1),
        }))
    };
    schema.sequences().map(one).collect()
}

/// The fields' columns, of the same rows all of them.
pub(super) fn fields(
    schema: &Schema,
    rows: usize,
    columns: Columns,
    tokens: &[Arc<Tokens>],
) -> Result<Vec<Column>> {
    let mut found = Found(columns);
    let mut tokens = tokens.iter();
    let mut spans: Option<Arc<Spans>> = None;
    let mut out = Vec::new();
    for field in &schema.fields {
        let name = format!("field:{}", field.name);
        let column = match field.kind {
            Kind::Id => Column::Id(numbers::<UInt32Type>(&found.needed(&name)?)?),
            Kind::Real => Column::Real(numbers::<Float32Type>(&found.needed(&name)?)?),
            Kind::Bag(_) => {
                let (offsets, values) = lists::<UInt32Type>(&found.needed(&name)?)?;
                let weights = found.take(&format!("weight:{}", field.name)).map(|a| lists::<Float32Type>(&a));
                Column::Ragged { offsets, values, weights: weights.transpose()?.map(|w| w.1) }
            }
            Kind::Pooled => return Err(format!("field {} is none of a dataset's", field.name)),
            Kind::Sequence { .. } => {
                if let Some(start) = found.take(&format!("start:{}", field.name)) {
                    let end = found.needed(&format!("end:{}", field.name))?;
                    let (start, end) = (numbers::<UInt32Type>(&start)?, numbers::<UInt32Type>(&end)?);
                    spans = Some(Arc::new(Spans { start, end }));
                }
                let spans =
                    spans.clone().ok_or_else(|| format!("it lacks the column start:{}", field.name))?;
                let tokens = tokens.next().expect("tokens of every sequence").clone();
                Column::Sequence(Sequence { spans, tokens })
            }
        };
        if column.rows() != rows {
            return Err(format!("field {} has {} rows, not {rows}", field.name, column.rows()));
        }
        out.push(column);
    }
    Ok(out)
}

/// The ids in the column called `name`.
pub(super) fn ids(columns: Columns, name: &str) -> Result<Vec<u32>> {
    numbers::<UInt32Type>(&Found(columns).needed(name)?)
}

/// Whether a column is none of the fields': a label, a scenario, a time and the like.
pub(super) fn is_about_rows(name: &str) -> bool {
    !["field:", "weight:", "tokens:", "start:", "end:"].iter().any(|prefix| name.starts_with(prefix))
}

/// Rows without the fields' columns.
pub(super) fn about_rows(schema: &Schema, columns: Columns) -> Result<Rows> {
    let mut found = Found(columns);
    let labels = (schema.tasks.iter())
        .map(|t| numbers::<UInt8Type>(&found.needed(&format!("label:{t}"))?))
        .collect::<Result<_>>()?;
    Ok(Rows {
        columns: Vec::new(),
        labels,
        scenario: numbers::<UInt16Type>(&found.needed("scenario")?)?,
        time: found.take("time").map(|a| numbers::<Int64Type>(&a)).transpose()?,
        session: found.take("session").map(|a| numbers::<UInt32Type>(&a)).transpose()?,
        part: found.take("part").map(|a| parts(&numbers::<UInt8Type>(&a)?)).transpose()?,
        click_probability: found.take("click_probability").map(|a| numbers::<Float32Type>(&a)).transpose()?,
    })
}

fn parts(numbers: &[u8]) -> Result<Vec<Part>> {
    let part = |n: &u8| Part::ALL.get(usize::from(*n)).copied();
    numbers.iter().map(|n| part(n).ok_or_else(|| format!("a row is in part {n}"))).collect()
}

fn numbers<T: ArrowPrimitiveType>(arrays: &[ArrayRef]) -> Result<Vec<T::Native>> {
    let mut out = Vec::with_capacity(arrays.iter().map(|a| a.len()).sum());
    for array in arrays {
        let array = array.as_primitive_opt::<T>().ok_or_else(|| wrong_type::<T>(array.data_type()))?;
        out.extend_from_slice(array.values());
    }
    Ok(out)
}

fn lists<T: ArrowPrimitiveType>(arrays: &[ArrayRef]) -> Result<(Vec<u64>, Vec<T::Native>)> {
    let mut offsets = vec![0u64];
    let mut values = Vec::new();
    for array in arrays {
        let array = array.as_list_opt::<i64>().ok_or_else(|| wrong_type::<T>(array.data_type()))?;
        let inner =
            array.values().as_primitive_opt::<T>().ok_or_else(|| wrong_type::<T>(array.data_type()))?;
        let own = array.value_offsets();
        let (from, to) = (own[0], own[own.len() - 1]);
        let base = values.len() as u64;
        values.extend_from_slice(&inner.values()[from as usize..to as usize]);
        offsets.extend(own[1..].iter().map(|o| base + (o - from) as u64));
    }
    Ok((offsets, values))
}

fn wrong_type<T: ArrowPrimitiveType>(found: &DataType) -> String {
    format!("a column holds {found:?}, not {:?}", T::DATA_TYPE)
}
