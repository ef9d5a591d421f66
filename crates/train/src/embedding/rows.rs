//! Reading and writing tables by name.
use super::{Backend, FeatureEmbedding, NamedTable, Store, lookup::ids_tensor};
use crate::{batch::Ids, memory, params::State};
use anyhow::{Context, Result, ensure};
use tch::{Device, Kind, Tensor};

impl FeatureEmbedding {
    /// Names of all tables, as parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|t| t.name.as_str())
    }

    fn table(&self, name: &str) -> Result<usize> {
        let known = || self.names().collect::<Vec<_>>().join(", ");
        self.tables
            .iter()
            .position(|t| t.name == name)
            .with_context(|| format!("no table {name:?} among {}", known()))
    }

    /// Number of rows of the table called `name`.
    ///
    /// # Errors
    /// Where no table has this name.
    pub fn rows(&self, name: &str) -> Result<usize> {
        Ok(self.tables[self.table(name)?].store.rows())
    }

    /// Overwrites rows of a table by `values` `[ids, d]`; the optimiser's state of these rows stays.
    ///
    /// # Errors
    /// Where no table has this name, or `values` have another shape.
    pub fn set_rows(&mut self, name: &str, ids: &[u32], values: &Tensor) -> Result<()> {
        let at = self.table(name)?;
        let store = &mut self.tables[at].store;
        let needed = [ids.len() as i64, store.dim() as i64];
        ensure!(values.size() == needed, "{} rows, values {:?}", ids.len(), values.size());
        match store {
            Store::Deferred(t) => t.set_rows(ids, &memory::to_vec(values)),
            Store::Dense(t) => {
                let _guard = tch::no_grad_guard();
                let index = ids_tensor(ids, self.device);
                let _ = t.index_copy_(0, &index, &values.to_device(self.device));
            }
        }
        Ok(())
    }

    /// The vectors of `ids` in the table called `name`, `[ids, d]`, without gradients.
    ///
    /// # Errors
    /// Where no table has this name.
    pub fn get_rows(&mut self, name: &str, ids: &[u32]) -> Result<Tensor> {
        let at = self.table(name)?;
        let store = &self.tables[at].store;
        if let Store::Dense(t) = store {
            return Ok(t.detach().index_select(0, &ids_tensor(ids, self.device)));
        }
        let dim = store.dim();
        let out = Tensor::empty([ids.len() as i64, dim as i64], (Kind::Float, Device::Cpu));
        let ids = Ids { ids: ids.to_vec(), ..Ids::default() };
        memory::with_slice_mut(&out, |values| self.read(at, &ids, values, dim));
        Ok(out)
    }

    /// The mean of all rows of the table called `name`, `[1, d]`, without gradients.
    ///
    /// # Errors
    /// Where no table has this name.
    pub fn mean(&mut self, name: &str) -> Result<Tensor> {
        let at = self.table(name)?;
        Ok(match &mut self.tables[at].store {
            Store::Deferred(t) => Tensor::from_slice(&t.mean()).unsqueeze(0),
            Store::Dense(t) => t.detach().mean_dim([0i64].as_slice(), true, Kind::Float),
        })
    }

    /// Copies of all tables, brought up to date.
    pub fn state(&mut self) -> State {
        let copy = |t: &mut NamedTable| match &mut t.store {
            Store::Deferred(table) => {
                let dim = table.dim() as i64;
                Tensor::from_slice(table.weights()).reshape([-1, dim])
            }
            Store::Dense(weight) => weight.detach().to_device(Device::Cpu).copy(),
        };
        self.tables.iter_mut().map(|t| (t.name.clone(), copy(t))).collect()
    }

    /// Takes over the values of `state` under `prefix`; an optimiser's state is dropped.
    ///
    /// # Errors
    /// A table that `state` lacks or has in another shape.
    pub fn load(&mut self, state: &State, prefix: &str) -> Result<()> {
        for NamedTable { name: own, store, .. } in &mut self.tables {
            let name = format!("{prefix}{own}");
            let value = state.get(&name).with_context(|| format!("no tensor is called {name:?}"))?;
            let dim = store.dim();
            let needed = [store.rows() as i64, dim as i64];
            ensure!(
                value.size() == needed,
                "{name:?} has shape {:?}, but {needed:?} is needed",
                value.size()
            );
            let backend = match store {
                Store::Deferred(_) => Backend::Deferred,
                Store::Dense(_) => Backend::Dense,
            };
            *store = Store::new(own, memory::to_vec(value), dim, self.device, backend);
        }
        Ok(())
    }
}
