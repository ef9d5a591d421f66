//! The items: their names, frequencies and side information, and which of them are new.
use super::{columns::Columns, key::Key, tensors::Tensors};
use anyhow::{Context, Result, bail, ensure};
use scenarec_data::Column;
use std::{
    collections::HashMap,
    hash::Hash,
    path::{Path, PathBuf},
};

/// Items with their side information.
#[derive(Clone, Debug)]
pub struct Items {
    /// Where they come from, for messages.
    pub file: PathBuf,
    /// What names each item; no two are the same.
    pub keys: Vec<Key>,
    /// How often each item was seen.
    pub count: Vec<f64>,
    /// Items whose embeddings are wanted; the others' are trained.
    pub new: Vec<bool>,
    /// Side information by name. Values are numbered from 1 in order of first appearance, 0 is no value.
    pub side: Vec<(String, Column)>,
}

impl Items {
    /// Reads the items of a Parquet or safetensors file. Which are new is said by `new` in the file, or by `new_below`:
    /// items with smaller counts; exactly one of the two must be given.
    pub fn read(file: &Path, new_below: Option<f64>) -> Result<Self> {
        let (keys, count, new, side) = match super::Format::of(file)? {
            super::Format::Parquet => from_columns(Columns::read(file)?)?,
            super::Format::Safetensors => from_tensors(Tensors::read(file)?)?,
        };
        let place = file.display();
        let new = match (new, new_below) {
            (Some(new), None) => new,
            (None, Some(below)) => count.iter().map(|c| *c < below).collect(),
            (None, None) => bail!("{place}: nothing says which items are new: a column `new` or --new-below"),
            (Some(_), Some(_)) => bail!("{place} has `new`, so --new-below must not be given"),
        };
        let items = Self { file: file.into(), keys, count, new, side };
        items.check()?;
        Ok(items)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The items that are new, or those that are not.
    pub fn which(&self, new: bool) -> Vec<u32> {
        (0..self.len() as u32).filter(|i| self.new[*i as usize] == new).collect()
    }

    fn check(&self) -> Result<()> {
        let place = self.file.display();
        let mut seen = HashMap::new();
        for (row, key) in self.keys.iter().enumerate() {
            if let Some(first) = seen.insert(key, row) {
                bail!("{place}: item {key} stands in row {first} and in row {row}");
            }
        }
        if let Some(row) = self.count.iter().position(|c| *c < 0.0) {
            bail!("{place}: `count`, row {row}: {} is below 0", self.count[row]);
        }
        let lengths = self.side.iter().map(|(name, c)| (name.as_str(), c.rows()));
        for (name, rows) in [("count", self.count.len()), ("new", self.new.len())].into_iter().chain(lengths)
        {
            ensure!(rows == self.len(), "{place}: {name:?} has {rows} rows, there are {} items", self.len());
        }
        ensure!(!self.side.is_empty(), "{place}: there is no side information to make embeddings from");
        ensure!(self.new.iter().any(|n| *n), "{place}: no item is new");
        ensure!(!self.new.iter().all(|n| *n), "{place}: every item is new, there is none to learn from");
        Ok(())
    }
}

type Parts = (Vec<Key>, Vec<f64>, Option<Vec<bool>>, Vec<(String, Column)>);

fn from_columns(mut columns: Columns) -> Result<Parts> {
    let keys = columns.need("item")?.keys()?;
    let count = columns.need("count")?.numbers()?;
    let new = columns.take("new").map(|c| c.booleans()).transpose()?;
    let mut side = Vec::new();
    for name in columns.names() {
        let column = columns.need(&name)?;
        let column = if column.is_list() {
            let (offsets, values) = column.key_lists()?;
            Column::Ragged { offsets, values: number(values.into_iter().map(Some)), weights: None }
        } else if column.is_real() {
            Column::Real(column.numbers()?.into_iter().map(|v| v as f32).collect())
        } else {
            Column::Id(number(column.optional_keys()?.into_iter()))
        };
        side.push((name, column));
    }
    Ok((keys, count, new, side))
}

fn from_tensors(tensors: Tensors) -> Result<Parts> {
    let count = tensors.numbers("count")?;
    let keys = match tensors.has("item") {
        true => tensors.integers("item", 1)?.0.into_iter().map(Key::Number).collect(),
        false => (0..count.len() as i64).map(Key::Number).collect(),
    };
    let new = match tensors.has("new") {
        true => Some(tensors.numbers("new")?.into_iter().map(|v| v != 0.0).collect()),
        false => None,
    };
    let mut side = Vec::new();
    for name in tensors.names() {
        let column = match name.split_once('.') {
            Some(("ids", _)) => Column::Id(number(tensors.integers(&name, 1)?.0.into_iter().map(Some))),
            Some(("real", _)) => {
                Column::Real(tensors.numbers(&name)?.into_iter().map(|v| v as f32).collect())
            }
            Some(("seq", _)) => {
                let (ids, width) = tensors.integers(&name, 2)?;
                let rows: Vec<Vec<i64>> = match width {
                    0 => vec![Vec::new(); count.len()],
                    _ => {
                        ids.chunks(width).map(|r| r.iter().copied().filter(|id| *id != 0).collect()).collect()
                    }
                };
                let ends = rows.iter().scan(0, |end, r| {
                    *end += r.len() as u64;
                    Some(*end)
                });
                let offsets = std::iter::once(0).chain(ends).collect();
                Column::Ragged { offsets, values: number(rows.concat().into_iter().map(Some)), weights: None }
            }
            _ if ["count", "item", "new"].contains(&name.as_str()) => continue,
            _ => {
                let known = "count, item, new, ids.<field>, seq.<field> and real.<field> are";
                bail!("{}: {name:?} is not known: {known}", tensors.file().display())
            }
        };
        let (_, field) = name.split_once('.').context("the name was split before")?;
        side.push((field.to_string(), column));
    }
    Ok((keys, count, new, side))
}

/// Numbers from 1 in order of first appearance, 0 for none.
fn number<K: Eq + Hash>(values: impl Iterator<Item = Option<K>>) -> Vec<u32> {
    let mut known = HashMap::new();
    values
        .map(|value| {
            let next = known.len() as u32 + 1;
            value.map_or(0, |v| *known.entry(v).or_insert(next))
        })
        .collect()
}
