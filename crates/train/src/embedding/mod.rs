//! Ids to vectors. Embeddings live outside the models: a model sees an [`Embedded`], a plain struct of tensors in which
//! a field's vector can be replaced.
mod embedded;
mod groups;
mod rows;
mod training;

pub use embedded::{Embedded, EmbeddedSequence};
pub use groups::Groups;

use crate::{
    batch::{Batch, Ids},
    init::InitScheme,
    memory, rng,
    table::{Bags, EmbeddingTable},
};
use anyhow::{Context, Result, ensure};
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

/// A tracked look-up that waits for its gradient.
#[derive(Debug)]
pub(crate) struct Lookup {
    table: usize,
    ids: Ids,
    /// `[B, 1, d]`.
    pub(crate) leaf: Tensor,
}

/// The tables of some fields of a schema, all of one width.
#[derive(Debug)]
pub struct FeatureEmbedding {
    fields: Vec<FieldSource>,
    sequences: Vec<FieldSource>,
    tables: Vec<NamedTable>,
    dim: usize,
    scenarios: usize,
    device: Device,
    pending: Vec<Lookup>,
}

#[derive(Debug)]
struct FieldSource {
    name: String,
    /// Place among the batch's entries of the same kind.
    entry: usize,
    table: usize,
}

impl FeatureEmbedding {
    /// Tables of width `dim` for the fields that `wanted` picks, named `<prefix><table>`. Initial values are N(0, 1), as
    /// `torch.nn.Embedding`'s, unless `scheme` says otherwise, from streams of `seed`.
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
        let mut all = Self {
            fields: Vec::new(),
            sequences: Vec::new(),
            tables: Vec::new(),
            dim,
            scenarios: schema.scenarios.len(),
            device,
            pending: Vec::new(),
        };
        let (mut field_entry, mut sequence_entry) = (0, 0);
        for field in &schema.fields {
            let entry = match field.kind {
                FieldKind::Real => continue,
                FieldKind::Sequence { .. } => &mut sequence_entry,
                FieldKind::Id | FieldKind::Bag(_) => &mut field_entry,
            };
            let at = *entry;
            *entry += 1;
            if !wanted(&field.name) {
                continue;
            }
            let table = field.table.as_deref().context("a field of ids names its table")?;
            let name = format!("{prefix}{table}");
            let table = match all.tables.iter().position(|t| t.name == name) {
                Some(known) => known,
                None => {
                    let rows = schema.table(table).with_context(|| format!("no table {table:?}"))?.1.rows;
                    let values = scheme.embeddings().draw(rows * dim, &mut rng::stream(seed, &name));
                    all.tables.push(NamedTable {
                        store: all.store(&name, values, backend),
                        name,
                        frozen: Rc::default(),
                    });
                    all.tables.len() - 1
                }
            };
            let source = FieldSource { name: field.name.clone(), entry: at, table };
            if matches!(field.kind, FieldKind::Sequence { .. }) {
                all.sequences.push(source);
            } else {
                all.fields.push(source);
            }
        }
        Ok(all)
    }

    fn store(&self, name: &str, values: Vec<f32>, backend: Backend) -> Store {
        match backend {
            Backend::Deferred => Store::Deferred(Box::new(EmbeddingTable::new(values, self.dim).named(name))),
            Backend::Dense => {
                let t = Tensor::from_slice(&values).reshape([-1, self.dim as i64]).to_device(self.device);
                Store::Dense(t.set_requires_grad(true))
            }
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
    /// `[B, d]` in the place of a field, whose table is then not part of the graph.
    pub fn embed_with(&mut self, batch: &Batch, track: bool, replace: Option<(usize, &Tensor)>) -> Embedded {
        let fields = self.field_vectors(batch, track, replace);
        let sequences = (0..self.sequences.len()).map(|s| self.sequence(batch, s, track)).collect();
        let b = batch.rows as i64;
        let reals =
            Tensor::from_slice(&batch.reals).reshape([b, (batch.reals.len() / batch.rows.max(1)) as i64]);
        Embedded {
            fields,
            sequences,
            reals: reals.to_device(self.device),
            scenario: Tensor::from_slice(&batch.scenario).to_device(self.device),
            groups: Rc::new(Groups::new(&batch.scenario, self.scenarios, self.device)),
        }
    }

    fn field_vectors(&mut self, batch: &Batch, track: bool, replace: Option<(usize, &Tensor)>) -> Tensor {
        let (b, d) = (batch.rows as i64, self.dim as i64);
        let mut parts: Vec<Tensor> = Vec::new();
        let mut at = 0;
        while at < self.fields.len() {
            if let Some((_, vector)) = replace.filter(|(slot, _)| *slot == at) {
                parts.push(vector.unsqueeze(1));
                at += 1;
                continue;
            }
            let plain = |at: usize, this: &Self| {
                let table = &this.tables[this.fields[at].table];
                let deferred = matches!(table.store, Store::Deferred(_));
                deferred && (!track || table.frozen.get()) && replace.is_none_or(|(slot, _)| slot != at)
            };
            // Neighbouring fields without gradients are gathered into one block.
            let end = (at..self.fields.len()).find(|i| !plain(*i, self)).unwrap_or(self.fields.len());
            if end > at {
                let block = Tensor::empty([b, (end - at) as i64, d], (Kind::Float, Device::Cpu));
                memory::with_slice_mut(&block, |out| {
                    let stride = (end - at) * self.dim;
                    for i in at..end {
                        let FieldSource { entry, table, .. } = self.fields[i];
                        self.read(table, &batch.ids[entry], &mut out[(i - at) * self.dim..], stride);
                    }
                });
                parts.push(block);
                at = end;
            } else {
                let FieldSource { entry, table, .. } = self.fields[at];
                parts.push(self.vector(table, &batch.ids[entry], b, track));
                at += 1;
            }
        }
        if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 1) }
    }

    /// `[B, 1, d]`, tracked where the table is not frozen.
    fn vector(&mut self, table: usize, ids: &Ids, b: i64, track: bool) -> Tensor {
        let track = track && !self.tables[table].frozen.get();
        let d = self.dim as i64;
        if let Store::Dense(weight) = &self.tables[table].store {
            return dense_lookup(weight, ids, track, self.device).reshape([b, 1, d]);
        }
        let leaf = Tensor::empty([b, 1, d], (Kind::Float, Device::Cpu));
        memory::with_slice_mut(&leaf, |out| self.read(table, ids, out, self.dim));
        if track {
            let leaf = leaf.set_requires_grad(true);
            self.pending.push(Lookup { table, ids: ids.clone(), leaf: leaf.shallow_clone() });
            return leaf;
        }
        leaf
    }

    fn sequence(&mut self, batch: &Batch, at: usize, track: bool) -> EmbeddedSequence {
        let FieldSource { entry, table, .. } = self.sequences[at];
        let source = &batch.sequences[entry];
        let (b, l, d) = (batch.rows as i64, source.len as i64, self.dim as i64);
        let ids = Ids { ids: source.ids.clone(), offsets: None, weights: None };
        let x = self.vector(table, &ids, b * l, track).reshape([b, l, d]);
        let mask: Vec<f32> = source.ids.iter().map(|id| f32::from(u8::from(*id != 0))).collect();
        EmbeddedSequence { x, mask: Tensor::from_slice(&mask).reshape([b, l]).to_device(self.device) }
    }

    fn read(&mut self, table: usize, ids: &Ids, out: &mut [f32], stride: usize) {
        match &mut self.tables[table].store {
            Store::Deferred(t) => t.gather(&bags(ids), out, stride),
            Store::Dense(_) => unreachable!("dense tables are read by autograd"),
        }
    }
}

fn bags(ids: &Ids) -> Bags<'_> {
    Bags { ids: &ids.ids, offsets: ids.offsets.as_deref(), weights: ids.weights.as_deref() }
}

fn ids_tensor(ids: &[u32], device: Device) -> Tensor {
    let ids: Vec<i64> = ids.iter().map(|i| i64::from(*i)).collect();
    Tensor::from_slice(&ids).to_device(device)
}

fn dense_lookup(weight: &Tensor, ids: &Ids, track: bool, device: Device) -> Tensor {
    let weight = if track { weight.shallow_clone() } else { weight.detach() };
    let index = ids_tensor(&ids.ids, device);
    match &ids.offsets {
        None => weight.index_select(0, &index),
        Some(offsets) => {
            let weights = ids.weights.as_ref().map(|w| Tensor::from_slice(w).to_device(device));
            let sum = 0;
            let offsets = ids_tensor(offsets, device);
            Tensor::embedding_bag_padding_idx(
                &weight, &index, &offsets, false, sum, false, weights, true, None,
            )
            .0
        }
    }
}
