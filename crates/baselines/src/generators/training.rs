//! How a generator sees its rows: whole passes in random order, until it has had its updates.
use super::networks::width;
use anyhow::{Result, ensure};
use scenarec_train::{
    Epochs, Fitting, OptimSpec, Resumable, Trained, config::check, fit, rng::stream, rows::vectors,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How a generator is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Rows per batch; all rows where there are fewer.
    pub batch: usize,
    /// Updates of the generator, rounded down to whole passes over the rows.
    pub updates: usize,
    /// The optimiser of each network.
    pub optim: OptimSpec,
}

impl TrainingConfig {
    pub(super) fn check(&self) -> Result<()> {
        let &Self { batch, updates, optim: OptimSpec { lr, .. } } = self;
        check(batch > 0, "training.batch", || "a batch needs a row".into())?;
        check(updates > 0, "training.updates", || "0: the generator would never be trained".into())?;
        check(lr > 0.0 && lr.is_finite(), "training.optim.lr", || format!("{lr} is not above 0"))
    }

    /// The passes over `rows` rows in which a generator has its updates, `batches` batches to each.
    fn epochs(&self, rows: usize, batches: usize) -> Result<Epochs> {
        ensure!(rows > 0, "there are no rows to train on");
        let batch = self.batch.min(rows);
        let pass = rows.div_ceil(batch);
        let epochs = self.updates * batches / pass;
        let updates = self.updates;
        ensure!(epochs > 0, "{updates} updates end within a pass over {rows} rows: raise training.updates");
        Ok(Epochs { epochs, batch, iters: 1 })
    }

    /// Trains `subject`, a generator of rows of `shape` [C, d], with `batches` batches of rows to each of its updates.
    /// `step` is given real rows, [B, N].
    pub(super) fn run<S: Resumable>(
        &self,
        what: &str,
        subject: &mut S,
        fitting: &mut Fitting<'_>,
        shape: [i64; 2],
        batches: usize,
        mut step: impl FnMut(&mut S, &Tensor) -> Result<Tensor>,
    ) -> Result<Trained> {
        let Fitting { net, slots, train, seed, progress, .. } = fitting;
        let found = [slots.len() as i64, net.weights.tables.dim() as i64];
        ensure!(found == shape, "{what}: the rows are [C, d] = {found:?}, but the generator's {shape:?}");
        let epochs = self.epochs(train.rows().len(), batches)?;
        let mut order = stream(*seed, &format!("{what}.shuffle"));
        let n = width(shape);
        fit(
            what,
            subject,
            train,
            epochs,
            &mut order,
            *progress,
            |subject, batch, _| step(subject, &vectors(net, slots, batch).reshape([-1, n])),
            None,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_whole_and_make_no_more_updates_than_asked_for() {
        let training = TrainingConfig { batch: 512, updates: 2000, optim: OptimSpec::adam(1e-3, 0.0) };
        let of = |rows, batches| training.epochs(rows, batches).unwrap();
        // 555 rows are two batches; 1943 are four; 100 are one of 100 rows.
        assert_eq!((of(555, 1).epochs, of(555, 1).batch), (1000, 512));
        assert_eq!((of(1943, 1).epochs, of(1943, 5).epochs), (500, 2500));
        assert_eq!((of(100, 1).epochs, of(100, 1).batch), (2000, 100));
        // Three batches: 666 passes are 1998 updates.
        assert_eq!(of(1200, 1).epochs, 666);
        let few = TrainingConfig { updates: 2, ..training };
        let error = few.epochs(1200, 1).unwrap_err().to_string();
        assert_eq!(error, "2 updates end within a pass over 1200 rows: raise training.updates");
        assert_eq!(few.epochs(0, 1).unwrap_err().to_string(), "there are no rows to train on");
    }
}
