//! Named tensors of a user's safetensors file, with errors that name file, tensor and row.
use anyhow::{Context, Result, bail, ensure};
use scenarec_train::{State, net::load_state};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// All tensors of a file.
#[derive(Debug)]
pub(super) struct Tensors {
    file: PathBuf,
    tensors: State,
}

impl Tensors {
    pub fn read(file: &Path) -> Result<Self> {
        Ok(Self { file: file.into(), tensors: load_state(file)? })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Names in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    /// Integers of a tensor with `dimensions` dimensions, row-major, and the size of its last one.
    pub fn integers(&self, name: &str, dimensions: usize) -> Result<(Vec<i64>, usize)> {
        let (t, kind) = self.get(name, dimensions)?;
        let integer = matches!(kind, Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64);
        ensure!(integer, "{} holds {kind:?}, not integers", self.place(name));
        let last = t.size().last().copied().unwrap_or(0) as usize;
        Ok((Vec::try_from(t.to_kind(Kind::Int64).flatten(0, -1))?, last))
    }

    /// Finite numbers of a tensor with one dimension.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let (t, _) = self.get(name, 1)?;
        let values = Vec::<f64>::try_from(t.to_kind(Kind::Double))?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(row) => bail!("{}, row {row}: {} is no number to learn from", self.place(name), values[row]),
            None => Ok(values),
        }
    }

    /// A matrix of real numbers, row-major, with its width.
    pub fn matrix(&self, name: &str) -> Result<(Vec<f32>, usize)> {
        let (t, kind) = self.get(name, 2)?;
        let real = matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double);
        ensure!(real, "{} holds {kind:?}, not real numbers", self.place(name));
        let dim = t.size()[1] as usize;
        ensure!(dim > 0, "{}: the vectors are empty", self.place(name));
        Ok((scenarec_train::to_vec(t), dim))
    }

    /// The name of the one tensor that can be an embedding table.
    pub fn only_matrix(&self) -> Result<String> {
        let names: Vec<&str> =
            self.tensors.iter().filter(|(_, t)| t.dim() == 2).map(|(n, _)| n.as_str()).collect();
        match names[..] {
            [name] => Ok(name.into()),
            _ => bail!(
                "{}: which tensor? Give {0}:NAME; those with two dimensions are [{}]",
                self.file.display(),
                names.join(", ")
            ),
        }
    }

    fn get(&self, name: &str, dimensions: usize) -> Result<(&Tensor, Kind)> {
        let known = || self.names().join(", ");
        let t = self.tensors.get(name).with_context(|| {
            format!("{}: there is no tensor {name:?}; there are {}", self.file.display(), known())
        })?;
        let size = t.size();
        ensure!(
            size.len() == dimensions,
            "{} has shape {size:?}, not {dimensions} dimensions",
            self.place(name)
        );
        Ok((t, t.kind()))
    }

    fn place(&self, name: &str) -> String {
        format!("{}: tensor {name:?}", self.file.display())
    }
}
