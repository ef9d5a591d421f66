//! The procedure CVAR and CSDM share: train a generator of item-id embeddings against the frozen net, overwrite the new
//! items' rows with what it generates, and again after every warm phase (CSDM sheet C.7, CVAR section 4).
use super::{ColdItemMethod, ColdItems};
use crate::{
    batch::Batch,
    checkpoint::{Carrier, Resumable},
    embedding::Embedded,
    feed::Feed,
    fit::{Epochs, Trained, fit},
    net::{Mode, Net, Weights, labels},
    optim::Optimizer,
    rng::{self, Rng},
};
use anyhow::{Context, Result};
use scenarec_data::Schema;
use tch::Tensor;

/// A batch as a generator's loss needs it. Nothing in it changes over the steps taken on the batch.
#[derive(Debug)]
pub struct GeneratorBatch<'a> {
    /// The rows.
    pub batch: &'a Batch,
    /// The net's embedding of the rows, without gradients.
    pub embedded: &'a Embedded,
    /// `[B, 1]`.
    pub labels: &'a Tensor,
    /// Place of the item id in [`Embedded::fields`].
    pub item: i64,
    /// Whether the frozen net runs in training mode.
    pub net_train: bool,
}

impl GeneratorBatch<'_> {
    /// The net's item-id embeddings, `[B, d]`.
    pub fn item_embedding(&self) -> Tensor {
        self.embedded.fields.select(1, self.item)
    }

    /// The net's logits `[B, 1]` with `vector` `[B, d]` in place of the item-id embedding.
    pub fn logits_with(&self, net: &Net, vector: &Tensor) -> Tensor {
        net.forward(&self.embedded.with_field(self.item, vector), self.net_train).logits
    }
}

/// Makes item-id embeddings from side information.
pub trait Generator {
    /// What is trained, with all the streams that losses draw from.
    fn weights(&mut self) -> &mut Weights;

    /// The training loss of a batch, a scalar.
    ///
    /// # Errors
    /// What the generator cannot compute; the training ends.
    fn loss(&mut self, net: &Net, batch: &GeneratorBatch<'_>) -> Result<Tensor>;

    /// An item-id embedding per row, `[B, d]`, for overwriting the net's.
    ///
    /// # Errors
    /// What the generator cannot compute; no row is overwritten by it.
    fn generate(&mut self, batch: &Batch, embedded: &Embedded) -> Result<Tensor>;
}

/// How a generator is trained.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Passes over the old items' rows.
    pub epochs: usize,
    /// Passes over a warm phase's rows.
    pub warm_epochs: usize,
    /// Optimiser steps per batch.
    pub iters: usize,
    /// Leaves the new items' rows as the warm fine-tune made them, instead of overwriting them again.
    pub keep_finetuned: bool,
}

/// A generator as a method for cold items.
#[derive(Debug)]
pub struct Generated<G> {
    generator: G,
    schedule: Schedule,
}

impl<G: Generator> Generated<G> {
    /// `generator`, trained by `schedule`.
    pub fn new(generator: G, schedule: Schedule) -> Self {
        Self { generator, schedule }
    }

    fn train(
        &mut self,
        net: &mut Net,
        items: &mut ColdItems<'_>,
        stage: &str,
        rows: &Feed,
        epochs: usize,
    ) -> Result<()> {
        let epochs = Epochs { epochs, batch: items.training.batch, iters: self.schedule.iters };
        let mut rng = rng::stream(items.seed, &format!("shuffle.{stage}"));
        let optimizer = Optimizer::new(items.training.optim, self.generator.weights());
        let mut learner = (self, optimizer);
        against_frozen(
            net,
            items,
            stage,
            rows,
            epochs,
            &mut rng,
            &mut learner,
            |net, (own, optimizer), batch| {
                let loss = own.generator.loss(net, batch)?;
                optimizer.step(&loss, own.generator.weights())?;
                Ok(loss)
            },
        )
    }

    fn overwrite(&mut self, net: &mut Net, items: &ColdItems<'_>) -> Result<()> {
        let generator = &mut self.generator;
        overwrite(net, items, items.new_items, items.new_ids, |batch, x| generator.generate(batch, x))
    }
}

impl<G: Generator> Resumable for Generated<G> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.generator.weights().carry(carrier)
    }
}

/// Trains `learner` against the frozen net: for every batch of `rows`, shuffled by `rng`, `step` takes one optimiser step
/// and returns its loss. The released programs freeze the net's weights but leave batch norm and dropout in training
/// mode.
///
/// # Errors
/// Data without item ids, and as [`fit`].
pub fn against_frozen<L: Resumable>(
    net: &mut Net,
    items: &mut ColdItems<'_>,
    stage: &str,
    rows: &Feed,
    epochs: Epochs,
    rng: &mut Rng,
    learner: &mut L,
    mut step: impl FnMut(&mut Net, &mut L, &GeneratorBatch<'_>) -> Result<Tensor>,
) -> Result<()> {
    let item = item_slot(net, items.schema)? as i64;
    let frozen = net.weights.freeze(&["*"], Mode::Train)?;
    let device = net.weights.params.device();
    let mut prepared: Option<(Embedded, Tensor)> = None;
    let trained = fit(
        stage,
        &mut (net, learner),
        rows,
        epochs,
        rng,
        items.progress,
        |(net, learner), batch, iteration| {
            if iteration == 0 {
                prepared = Some((net.weights.tables.embed(batch), labels(batch, device)));
            }
            let (embedded, labels) = prepared.as_ref().context("a batch begins with iteration 0")?;
            step(net, learner, &GeneratorBatch { batch, embedded, labels, item, net_train: frozen.train() })
        },
        None,
    )?;
    record(items, stage, &trained)
}

/// Overwrites the net's rows of `ids` by what `generate` makes of `rows`, a row of the data for each: `[B, d]` of a batch.
///
/// # Errors
/// Data without item ids, rows that cannot be read, errors of `generate`, and vectors of another number or width than rows.
pub fn overwrite(
    net: &mut Net,
    items: &ColdItems<'_>,
    rows: &Feed,
    ids: &[u32],
    mut generate: impl FnMut(&Batch, &Embedded) -> Result<Tensor>,
) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let name = item_table(items.schema)?;
    let mut done = 0;
    for batch in rows.in_order(items.training.batch) {
        let batch = batch?;
        let embedded = net.weights.tables.embed(&batch);
        let vectors = generate(&batch, &embedded)?;
        net.weights.tables.set_rows(&name, &ids[done..done + batch.rows], &vectors)?;
        done += batch.rows;
    }
    Ok(())
}

impl<G: Generator> ColdItemMethod for Generated<G> {
    fn after_pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        let base = items.base;
        self.train(net, items, "generator", base, self.schedule.epochs)?;
        self.overwrite(net, items)
    }

    fn after_phase(
        &mut self,
        net: &mut Net,
        items: &mut ColdItems<'_>,
        phase: &str,
        rows: &Feed,
    ) -> Result<()> {
        self.train(net, items, &format!("generator.{phase}"), rows, self.schedule.warm_epochs)?;
        if self.schedule.keep_finetuned { Ok(()) } else { self.overwrite(net, items) }
    }
}

/// Name of a net's table of item ids.
///
/// # Errors
/// Data without item ids.
pub fn item_table(schema: &Schema) -> Result<String> {
    let id = schema.item_id.as_deref().context("the data have no item id")?;
    let table = schema.field(id).and_then(|(_, f)| f.table.as_deref()).context("the item id has no table")?;
    Ok(format!("embedding.{table}"))
}

/// Place of the item id in a net's [`Embedded::fields`], and in [`Batch::ids`], since nets embed every field.
///
/// # Errors
/// Data without item ids, or a net that does not embed them.
pub fn item_slot(net: &Net, schema: &Schema) -> Result<usize> {
    let id = schema.item_id.as_deref().context("the data have no item id")?;
    net.weights.tables.slot(id).context("the net does not embed the item id")
}

/// Records what a loop cost, and its learning curve.
///
/// # Errors
/// As [`Recorder::record`](crate::Recorder::record).
pub fn record(items: &mut ColdItems<'_>, stage: &str, trained: &Trained) -> Result<()> {
    let rate = trained.samples as f64 / trained.seconds.max(1e-9);
    let loss = trained.losses.last().copied().unwrap_or_default();
    for (metric, value) in [("seconds", trained.seconds), ("samples_per_second", rate), ("train_loss", loss)]
    {
        items.recorder.record(metric, value, |m| {
            m.stage = stage.into();
            m.rows = trained.samples;
        })?;
    }
    items.recorder.curve(stage, "", trained)
}
