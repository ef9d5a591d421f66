//! What optimisers ask of the tables.
use super::{FeatureEmbedding, Lookup, NamedTable, Store, lookup::bags};
use crate::{
    checkpoint::{Carrier, Resumable},
    memory,
    params::State,
    table::Rule,
};
use anyhow::Result;
use std::{cell::Cell, rc::Rc};
use tch::Tensor;

impl FeatureEmbedding {
    pub(crate) fn frozen_flags(&self, names: &[&str]) -> Vec<Rc<Cell<bool>>> {
        let open = |t: &&NamedTable| names.contains(&t.name.as_str()) && !t.frozen.get();
        self.tables.iter().filter(open).map(|t| t.frozen.clone()).collect()
    }

    /// The dense tables that are not frozen, as parameters of a dense optimiser.
    pub(crate) fn dense_parameters(&self) -> Vec<(String, Tensor)> {
        let open = self.tables.iter().filter(|t| !t.frozen.get());
        let dense = |t: &NamedTable| match &t.store {
            Store::Dense(weight) => Some((t.name.clone(), weight.shallow_clone())),
            Store::Deferred(_) => None,
        };
        open.filter_map(dense).collect()
    }

    /// A fresh optimiser for every deferred table that is not frozen; the others lose theirs.
    pub(crate) fn attach(&mut self, rule: Rule) {
        self.pending.clear();
        for t in &mut self.tables {
            if let Store::Deferred(table) = &mut t.store {
                if t.frozen.get() { table.detach() } else { table.attach(rule) }
            }
        }
    }

    pub(crate) fn take_pending(&mut self) -> Vec<Lookup> {
        std::mem::take(&mut self.pending)
    }

    /// Adds the gradients of tracked look-ups to their tables; an undefined one means that the look-up was not part of
    /// the graph.
    pub(crate) fn accumulate(&mut self, lookups: &[Lookup], gradients: &[Tensor]) {
        for (lookup, gradient) in lookups.iter().zip(gradients).filter(|(_, g)| g.defined()) {
            if let Store::Deferred(table) = &mut self.tables[lookup.table].store {
                memory::with_rows(&gradient.select(1, 0), |g, stride| {
                    table.accumulate(&bags(&lookup.ids), g, stride)
                });
            }
        }
    }

    /// One step of every table that is part of the graph. A table that was frozen when the optimiser was made does not
    /// belong to it: its gradients are dropped.
    pub(crate) fn step(&mut self, lr: f64) {
        for t in &mut self.tables {
            if let Store::Deferred(table) = &mut t.store {
                if table.rule().is_none() {
                    table.discard_grad();
                } else if table.in_graph() {
                    table.step(lr);
                }
            }
        }
    }

    /// Takes the accumulated gradients as dense tensors by name; tables outside the graph are absent.
    pub(crate) fn dense_gradients(&mut self) -> State {
        let mut out = State::new();
        for t in &mut self.tables {
            if let Store::Deferred(table) = &mut t.store
                && table.in_graph()
            {
                let dim = table.dim();
                let mut dense = vec![0f32; table.rows() * dim];
                let (rows, values) = table.touched_grad();
                for (row, value) in rows.iter().zip(values.chunks(dim)) {
                    dense[*row as usize * dim..][..dim].copy_from_slice(value);
                }
                // What is left would be added to the next step's gradients.
                table.discard_grad();
                out.insert(t.name.clone(), Tensor::from_slice(&dense).reshape([-1, dim as i64]));
            }
        }
        out
    }
}

impl Resumable for FeatureEmbedding {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.pending.clear();
        for NamedTable { name, store, .. } in &mut self.tables {
            match store {
                Store::Deferred(table) => carrier.part(name, &mut **table)?,
                Store::Dense(weight) => carrier.tensor(name, weight)?,
            }
        }
        Ok(())
    }
}
