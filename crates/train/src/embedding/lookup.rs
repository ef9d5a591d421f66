//! Ids of a batch to vectors.
use super::{EmbeddedSequence, FeatureEmbedding, NamedTable, Store};
use crate::{
    batch::{Batch, Ids, SequenceIds},
    memory,
    nn::Segments,
    table::Bags,
};
use std::rc::Rc;
use tch::{Device, Kind, Tensor};

/// A field's ids and the table they index.
#[derive(Debug)]
pub(super) struct FieldSource {
    pub(super) name: String,
    /// Place among the batch's entries of the same kind.
    pub(super) entry: usize,
    pub(super) table: usize,
}

/// A tracked look-up that waits for its gradient.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(super) table: usize,
    pub(super) ids: Ids,
    /// `[B, 1, d]`.
    pub(crate) leaf: Tensor,
}

impl FeatureEmbedding {
    /// One vector per row for each of `sources`, whose tables are all `dim` wide; `replace` puts a vector `[B, dim]` in the
    /// place of one of them.
    ///
    /// # Shapes
    /// -> `[B, sources, dim]`
    pub(super) fn vectors(
        &mut self,
        sources: &[FieldSource],
        dim: usize,
        batch: &Batch,
        track: bool,
        replace: Option<(usize, &Tensor)>,
    ) -> Tensor {
        let (b, d) = (batch.rows as i64, dim as i64);
        let mut parts: Vec<Tensor> = Vec::new();
        let mut at = 0;
        while at < sources.len() {
            if let Some((_, vector)) = replace.filter(|(slot, _)| *slot == at) {
                parts.push(vector.unsqueeze(1));
                at += 1;
                continue;
            }
            let plain = |at: usize, this: &Self| {
                let table = &this.tables[sources[at].table];
                let deferred = matches!(table.store, Store::Deferred(_));
                deferred && (!track || table.frozen.get()) && replace.is_none_or(|(slot, _)| slot != at)
            };
            // Neighbouring fields without gradients are gathered into one block.
            let end = (at..sources.len()).find(|i| !plain(*i, self)).unwrap_or(sources.len());
            if end > at {
                let block = Tensor::empty([b, (end - at) as i64, d], (Kind::Float, Device::Cpu));
                memory::with_slice_mut(&block, |out| {
                    let stride = (end - at) * dim;
                    for i in at..end {
                        let FieldSource { entry, table, .. } = sources[i];
                        self.read(table, &batch.ids[entry], &mut out[(i - at) * dim..], stride);
                    }
                });
                parts.push(block);
                at = end;
            } else {
                let FieldSource { entry, table, .. } = sources[at];
                parts.push(self.vector(table, &batch.ids[entry], b, track));
                at += 1;
            }
        }
        if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 1) }
    }

    /// `[B, 1, d]`, tracked where the table is not frozen.
    fn vector(&mut self, table: usize, ids: &Ids, b: i64, track: bool) -> Tensor {
        let NamedTable { store, frozen, .. } = &self.tables[table];
        let (track, dim) = (track && !frozen.get(), store.dim());
        let d = dim as i64;
        if let Store::Dense(weight) = store {
            let index = self.resident.ids(ids, self.device);
            return dense_lookup(weight, &index, ids, track).reshape([b, 1, d]);
        }
        let leaf = Tensor::empty([b, 1, d], (Kind::Float, Device::Cpu));
        memory::with_slice_mut(&leaf, |out| self.read(table, ids, out, dim));
        if track {
            let leaf = leaf.set_requires_grad(true);
            self.pending.push(Lookup { table, ids: ids.clone(), leaf: leaf.shallow_clone() });
            return leaf;
        }
        leaf
    }

    pub(super) fn sequences(&mut self, batch: &Batch, track: bool) -> Vec<EmbeddedSequence> {
        let mut known: Option<(&[u32], Rc<Segments>)> = None;
        let mut all = Vec::new();
        for at in 0..self.sequences.len() {
            let FieldSource { entry, table, .. } = self.sequences[at];
            let SequenceIds { ids, lens } = &batch.sequences[entry];
            // Items, their brands and so on are as many.
            let rows = match &known {
                Some((of, rows)) if of == lens => rows.clone(),
                _ => Rc::new(Segments::new(lens, self.device)),
            };
            let tokens = lens.iter().map(|n| i64::from(*n)).sum();
            let x = self.vector(table, ids, tokens, track).squeeze_dim(1);
            all.push(EmbeddedSequence { x, rows: rows.clone() });
            known = Some((lens, rows));
        }
        all
    }

    pub(super) fn read(&mut self, table: usize, ids: &Ids, out: &mut [f32], stride: usize) {
        match &mut self.tables[table].store {
            Store::Deferred(t) => t.gather(&bags(ids), out, stride),
            Store::Dense(_) => unreachable!("dense tables are read by autograd"),
        }
    }
}

pub(super) fn bags(ids: &Ids) -> Bags<'_> {
    Bags { ids: &ids.ids, offsets: ids.offsets.as_deref(), weights: ids.weights.as_deref() }
}

pub(super) fn ids_tensor(ids: &[u32], device: Device) -> Tensor {
    let ids: Vec<i64> = ids.iter().map(|i| i64::from(*i)).collect();
    Tensor::from_slice(&ids).to_device(device)
}

fn dense_lookup(weight: &Tensor, index: &Tensor, ids: &Ids, track: bool) -> Tensor {
    let (weight, device) = (if track { weight.shallow_clone() } else { weight.detach() }, weight.device());
    match &ids.offsets {
        None => weight.index_select(0, index),
        Some(offsets) => {
            let weights = ids.weights.as_ref().map(|w| Tensor::from_slice(w).to_device(device));
            let sum = 0;
            let offsets = ids_tensor(offsets, device);
            Tensor::embedding_bag_padding_idx(
                &weight, index, &offsets, false, sum, false, weights, true, None,
            )
            .0
        }
    }
}
