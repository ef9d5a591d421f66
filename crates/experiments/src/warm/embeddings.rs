//! A table of item embeddings: read, looked up by item, changed.
use super::{Format, columns::Columns, items::Items, key::Key, tensors::Tensors};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Vectors by item.
#[derive(Clone, Debug)]
pub struct Embeddings {
    /// Where they come from, for messages.
    pub file: PathBuf,
    /// Width d.
    pub dim: usize,
    /// `[rows, d]`, row-major.
    pub values: Vec<f32>,
    pub(super) names: Names,
}

/// What a row belongs to.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// Row i is item i; the tensor's name.
    Rows(String),
    /// What names each row, and the row of each name.
    Keys(Vec<Key>, HashMap<Key, usize>),
}

impl Embeddings {
    /// Reads `file.parquet` (columns `item` and `embedding`), or `file.safetensors` or `file.safetensors:tensor`, a
    /// matrix whose row i is item i.
    pub fn read(source: &str) -> Result<Self> {
        let (file, tensor) = match source.rsplit_once(':') {
            Some((file, tensor)) if !Path::new(source).exists() => (PathBuf::from(file), Some(tensor)),
            _ => (PathBuf::from(source), None),
        };
        match (Format::of(&file)?, tensor) {
            (Format::Parquet, None) => {
                let mut columns = Columns::read(&file)?;
                let keys = columns.need("item")?.keys()?;
                let (values, dim) = columns.need("embedding")?.vectors()?;
                Self::of_keys(file, keys, values, dim)
            }
            (Format::Safetensors, tensor) => {
                let tensors = Tensors::read(&file)?;
                let tensor = tensor.map_or_else(|| tensors.only_matrix(), |t| Ok(t.into()))?;
                let (values, dim) = tensors.matrix(&tensor)?;
                Ok(Self { file, dim, values, names: Names::Rows(tensor) })
            }
            (Format::Parquet, Some(tensor)) => bail!("{source}: a Parquet file has no tensor {tensor:?}"),
        }
    }

    /// Vectors `[keys, d]`, row-major, of the items called `keys`.
    pub fn of_keys(file: PathBuf, keys: Vec<Key>, values: Vec<f32>, dim: usize) -> Result<Self> {
        let mut rows = HashMap::new();
        for (row, key) in keys.iter().enumerate() {
            if let Some(first) = rows.insert(key.clone(), row) {
                bail!("{}: item {key} stands in row {first} and in row {row}", file.display());
            }
        }
        Ok(Self { file, dim, values, names: Names::Keys(keys, rows) })
    }

    /// Number of vectors.
    pub fn rows(&self) -> usize {
        self.values.len() / self.dim
    }

    /// The vector in a row.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.values[row * self.dim..(row + 1) * self.dim]
    }

    /// The row of an item, none where it has none.
    pub fn row(&self, item: &Key) -> Option<usize> {
        match (&self.names, item) {
            (Names::Keys(_, rows), _) => rows.get(item).copied(),
            (Names::Rows(_), Key::Number(n)) => usize::try_from(*n).ok().filter(|n| *n < self.rows()),
            (Names::Rows(_), Key::Text(_)) => None,
        }
    }

    /// The trained vectors of `items`' old ones `[old, d]`, in their order.
    pub fn trained(&self, items: &Items) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        for i in items.which(false) {
            let key = &items.keys[i as usize];
            let row = self.row(key).with_context(|| self.lacks(items, key))?;
            let vector = self.vector(row);
            let finite = vector.iter().all(|v| v.is_finite());
            ensure!(finite, "{}: the embedding of item {key} holds NaN or infinity", self.file.display());
            out.extend_from_slice(vector);
        }
        Ok(out)
    }

    fn lacks(&self, items: &Items, key: &Key) -> String {
        let (file, place) = (self.file.display(), items.file.display());
        match (&self.names, key) {
            (Names::Rows(_), Key::Number(_)) => {
                format!(
                    "{place}: item {key} has no embedding: {file} has rows 0 to {}",
                    self.rows().max(1) - 1
                )
            }
            (Names::Rows(_), Key::Text(_)) => {
                format!(
                    "{place}: item {key} is no row number of {file}; texts need embeddings in a Parquet file"
                )
            }
            (Names::Keys(..), _) => format!("{place}: item {key} has no embedding in {file}"),
        }
    }

    /// A table for `items`' new vectors, 0 so far: of the new items alone, or, `whole`, of all rows, the others' as they
    /// are. New items without a row get one, which a matrix whose rows are numbers cannot give.
    pub fn for_new(&self, items: &Items, whole: bool) -> Result<Self> {
        let new: Vec<&Key> = items.which(true).into_iter().map(|i| &items.keys[i as usize]).collect();
        if !whole {
            let keys = new.into_iter().cloned().collect::<Vec<_>>();
            let values = vec![0.0; keys.len() * self.dim];
            return Self::of_keys(self.file.clone(), keys, values, self.dim);
        }
        let mut out = self.clone();
        for key in new {
            match (self.row(key), &mut out.names) {
                (Some(_), _) => {}
                (None, Names::Keys(keys, rows)) => {
                    rows.insert(key.clone(), keys.len());
                    keys.push(key.clone());
                    out.values.resize(keys.len() * self.dim, 0.0);
                }
                (None, Names::Rows(_)) => bail!("{}", self.lacks(items, key)),
            }
        }
        Ok(out)
    }

    /// Puts the vectors of `items`' new ones, `[new, d]` in their order, into their rows, which must exist.
    pub fn set_new(&mut self, items: &Items, vectors: &[f32]) -> Result<()> {
        for (i, vector) in items.which(true).into_iter().zip(vectors.chunks(self.dim)) {
            let key = &items.keys[i as usize];
            let row = self.row(key).with_context(|| self.lacks(items, key))?;
            self.values[row * self.dim..(row + 1) * self.dim].copy_from_slice(vector);
        }
        Ok(())
    }
}
