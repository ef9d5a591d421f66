//! Ids to vectors. Embeddings live outside the models: a model sees an [`Embedded`], a plain struct of tensors in which
//! a field's vector can be replaced.
mod embedded;
mod groups;
mod lookup;
mod resident;
mod rows;
mod tensors;
mod training;

pub use embedded::{Embedded, EmbeddedSequence};
pub use groups::Groups;
pub(crate) use lookup::Lookup;

use crate::{batch::Batch, init::InitScheme, rng, table::EmbeddingTable};
use anyhow::{Context, Result, ensure};
use lookup::FieldSource;
use resident::Resident;
use scenarec_data::{Kind as FieldKind, Schema};
use std::{cell::Cell, rc::Rc};
use tch::{Device, Kind, Tensor};

/// How tables are kept and optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Plain memory; only the rows a batch reads are touched, exactly as if all were (DESIGN of this crate: `table`).
    Deferred,
    /// A tensor with a dense gradient and a fused dense optimiser: the way on a GPU.
    Dense,
}

impl Backend {
    /// Deferred on a CPU, dense elsewhere.
    pub fn for_device(device: Device) -> Self {
        if device == Device::Cpu { Self::Deferred } else { Self::Dense }
    }
}

enum Store {
    Deferred(Box<EmbeddingTable>),
    Dense(Tensor),
}

impl Store {
    fn new(name: &str, values: Vec<f32>, dim: usize, device: Device, backend: Backend) -> Self {
        match backend {
            Backend::Deferred => Self::Deferred(Box::new(EmbeddingTable::new(values, dim).named(name))),
            Backend::Dense => {
                let t = Tensor::from_slice(&values).reshape([-1, dim as i64]).to_device(device);
                Self::Dense(t.set_requires_grad(true))
            }
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Deferred(t) => t.rows(),
            Self::Dense(t) => t.size()[0] as usize,
        }
    }

    fn dim(&self) -> usize {
        match self {
            Self::Deferred(t) => t.dim(),
            Self::Dense(t) => t.size()[1] as usize,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deferred(t) => write!(f, "Deferred({} x {})", t.rows(), t.dim()),
            Self::Dense(t) => write!(f, "Dense({:?})", t.size()),
        }
    }
}

#[derive(Debug)]
struct NamedTable {
    name: String,
    store: Store,
    frozen: Rc<Cell<bool>>,
}

/// The tables of some fields of a schema, all of one width, and, where a net asks for them, a scalar weight per id beside
/// the vectors.
#[derive(Debug)]
pub struct FeatureEmbedding {
    fields: Rc<[FieldSource]>,
    /// Whence the scalar weights of the same fields come; empty for nets without.
    linear: Rc<[FieldSource]>,
    sequences: Vec<FieldSource>,
    tables: Vec<NamedTable>,
    dim: usize,
    scenarios: usize,
    device: Device,
    pending: Vec<Lookup>,
    /// For dense tables.
    resident: Resident,
}

impl FeatureEmbedding {
    /// Tables of width `dim` for the fields that `wanted` picks, named `<prefix><table>`. Initial values are N(0, 1), as
    /// `torch.nn.Embedding`'s, unless `scheme` says otherwise, from streams of `seed`.
    ///
    /// # Errors
    /// Fields that name tables the schema lacks; deferred tables on another device than a CPU.
    pub fn new(
        schema: &Schema,
        wanted: impl Fn(&str) -> bool,
        prefix: &str,
        dim: usize,
        scheme: InitScheme,
        seed: u64,
        device: Device,
        backend: Backend,
    ) -> Result<Self> {
        ensure!(
            backend == Backend::Dense || device == Device::Cpu,
            "deferred tables live in main memory; on {device:?} tables are dense"
        );
        let Sources { fields, sequences, tables } = Sources::of(schema, wanted, prefix)?;
        let mut all = Self {
            fields: fields.into(),
            linear: Rc::default(),
            sequences,
            tables: Vec::new(),
            dim,
            scenarios: schema.scenarios.len(),
            device,
            pending: Vec::new(),
            resident: Resident::default(),
        };
        all.add(tables, dim, scheme, seed, backend);
        Ok(all)
    }

    /// The same with a scalar weight per id of every field, as the first-order terms of factorisation machines have: tables
    /// of width 1, named `<prefix><table>`, which begin, learn, freeze and are saved as the others do.
    ///
    /// # Errors
    /// Fields that name tables the schema lacks.
    pub fn with_linear(
        mut self,
        schema: &Schema,
        prefix: &str,
        scheme: InitScheme,
        seed: u64,
        backend: Backend,
    ) -> Result<Self> {
        let Sources { mut fields, tables, .. } =
            Sources::of(schema, |name| self.slot(name).is_some(), prefix)?;
        fields.iter_mut().for_each(|f| f.table += self.tables.len());
        self.linear = fields.into();
        self.add(tables, 1, scheme, seed, backend);
        Ok(self)
    }

    /// Tables of width `dim` by name and number of rows, with their initial values.
    fn add(
        &mut self,
        tables: Vec<(String, usize)>,
        dim: usize,
        scheme: InitScheme,
        seed: u64,
        backend: Backend,
    ) {
        let all = tables.iter().map(|(_, rows)| rows).sum();
        for (name, rows) in tables {
            let init = scheme.embeddings(rows, all, dim);
            let values = init.draw(rows * dim, &mut rng::stream(seed, &name));
            let store = Store::new(&name, values, dim, self.device, backend);
            self.tables.push(NamedTable { name, store, frozen: Rc::default() });
        }
    }

    /// Width of the vectors.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Place of the field called `name` in [`Embedded::fields`].
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// Number of fields F.
    pub fn fields(&self) -> usize {
        self.fields.len()
    }

    /// The batch without gradients to the tables.
    pub fn embed(&mut self, batch: &Batch) -> Embedded {
        self.embed_with(batch, false, None)
    }

    /// The batch; with `track`, the next optimiser step reaches the tables that are not frozen. `replace` puts a vector
    /// `[B, d]` in the place of a field, whose table of vectors is then not part of the graph.
    pub fn embed_with(&mut self, batch: &Batch, track: bool, replace: Option<(usize, &Tensor)>) -> Embedded {
        let (fields, linear) = (self.fields.clone(), self.linear.clone());
        let fields = self.vectors(&fields, self.dim, batch, track, replace);
        let linear = match &linear[..] {
            [] => Tensor::empty([batch.rows as i64, 0], (Kind::Float, self.device)),
            // A replaced vector is still that id's, with its weight.
            linear => self.vectors(linear, 1, batch, track, None).squeeze_dim(2),
        };
        let sequences = self.sequences(batch, track);
        let b = batch.rows as i64;
        let reals =
            Tensor::from_slice(&batch.reals).reshape([b, (batch.reals.len() / batch.rows.max(1)) as i64]);
        Embedded {
            fields,
            linear,
            sequences,
            reals: reals.to_device(self.device),
            scenario: Tensor::from_slice(&batch.scenario).to_device(self.device),
            groups: Rc::new(Groups::new(&batch.scenario, self.scenarios, self.device)),
        }
    }
}

/// Where the vectors of some fields come from.
struct Sources {
    fields: Vec<FieldSource>,
    sequences: Vec<FieldSource>,
    /// Names and numbers of rows, each table once.
    tables: Vec<(String, usize)>,
}

impl Sources {
    fn of(schema: &Schema, wanted: impl Fn(&str) -> bool, prefix: &str) -> Result<Self> {
        let mut all = Self { fields: Vec::new(), sequences: Vec::new(), tables: Vec::new() };
        let (mut field_entry, mut sequence_entry) = (0, 0);
        for field in &schema.fields {
            let (entry, sources) = match field.kind {
                FieldKind::Real | FieldKind::Pooled => continue,
                FieldKind::Sequence { .. } => (&mut sequence_entry, &mut all.sequences),
                FieldKind::Id | FieldKind::Bag(_) => (&mut field_entry, &mut all.fields),
            };
            let at = *entry;
            *entry += 1;
            if !wanted(&field.name) {
                continue;
            }
            let table = field.table.as_deref().context("a field of ids names its table")?;
            let rows = schema.table(table).with_context(|| format!("no table {table:?}"))?.1.rows;
            let named = (format!("{prefix}{table}"), rows);
            let known = all.tables.iter().position(|t| *t == named);
            let table = known.unwrap_or_else(|| {
                all.tables.push(named);
                all.tables.len() - 1
            });
            sources.push(FieldSource { name: field.name.clone(), entry: at, table });
        }
        Ok(all)
    }
}
