//! Generators of rows in embedding space: what augments a scenario with few rows (Diff-MSR's stages 2 and 4; its
//! generative baselines).
use crate::{
    batch::Batch,
    feed::Feed,
    fit::Trained,
    net::{Net, Weights},
    progress::Progress,
};
use anyhow::Result;
use tch::Tensor;

/// What a generator is fitted to: rows of one scenario and one label, seen through a net's tables, which stay as they are.
pub struct Fitting<'a> {
    /// Its tables embed the rows.
    pub net: &'a mut Net,
    /// Places in [`Embedded::fields`](crate::Embedded::fields) of the fields that are generated, ascending: C of them.
    pub slots: &'a [usize],
    /// The rows to learn from.
    pub train: &'a Feed,
    /// The rows by which training may be stopped.
    pub valid: &'a Feed,
    /// Seed of the generator's own streams.
    pub seed: u64,
    /// Told how far the generator is.
    pub progress: &'a dyn Progress,
}

impl Fitting<'_> {
    /// The generated fields' vectors of a batch, without gradients to the tables.
    ///
    /// # Shapes
    /// -> `[B, C, d]`
    pub fn vectors(&mut self, batch: &Batch) -> Tensor {
        vectors(self.net, self.slots, batch)
    }
}

/// The vectors of some fields of a batch, without gradients to the tables.
///
/// # Shapes
/// `slots` of length C -> `[B, C, d]`
pub fn vectors(net: &mut Net, slots: &[usize], batch: &Batch) -> Tensor {
    let fields = net.weights.tables.embed(batch).fields;
    let slots: Vec<i64> = slots.iter().map(|s| *s as i64).collect();
    fields.index_select(1, &Tensor::from_slice(&slots).to_device(fields.device()))
}

/// A generator of rows `[C, d]`: the embeddings of C fields.
pub trait RowSource {
    /// What is saved and loaded, with the stream that rows are drawn from.
    fn weights(&mut self) -> &mut Weights;

    /// Learns the rows' distribution.
    ///
    /// # Errors
    /// As [`fit`](crate::fit()).
    fn fit(&mut self, fitting: &mut Fitting<'_>) -> Result<Trained>;

    /// New rows, without gradients, drawn from the generator's own stream.
    ///
    /// # Shapes
    /// -> `[n, C, d]`
    ///
    /// # Errors
    /// What the generator cannot compute.
    fn draw(&mut self, n: usize) -> Result<Tensor>;
}
