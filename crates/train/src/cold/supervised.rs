//! Training on the click loss, as the cold-item protocol does it before and between the methods' own steps.
use super::{ColdItems, generator::record};
use crate::{
    batch::Batch,
    checkpoint::Resumable,
    embedding::Embedded,
    feed::Feed,
    fit::{Epochs, fit},
    net::{Mode, Net, labels, loss},
    optim::{OptimSpec, Optimizer},
    rng,
};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// One supervised training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Passes over the rows.
    pub epochs: usize,
    /// Rows per batch.
    pub batch: usize,
    /// The optimiser; every training starts a fresh one.
    pub optim: OptimSpec,
}

/// Trains whatever of the net is not frozen on the click loss, the net in training mode.
///
/// # Errors
/// As [`fit`].
pub fn supervised(net: &mut Net, items: &mut ColdItems<'_>, stage: &str, rows: &Feed) -> Result<()> {
    supervised_with(net, items, stage, rows, &mut (), |net, (), batch| {
        Ok(net.weights.tables.embed_with(batch, true, None))
    })
}

/// [`supervised`] with a look-up of the caller's own, which may change `own`.
///
/// # Errors
/// As [`fit`]; errors of `embed`.
pub fn supervised_with<O: Resumable>(
    net: &mut Net,
    items: &mut ColdItems<'_>,
    stage: &str,
    rows: &Feed,
    own: &mut O,
    mut embed: impl FnMut(&mut Net, &mut O, &Batch) -> Result<Embedded>,
) -> Result<()> {
    let Training { epochs, batch, optim } = items.training;
    let optimizer = Optimizer::new(optim, &mut net.weights);
    let mut rng = rng::stream(items.seed, &format!("shuffle.{stage}"));
    let device = net.weights.params.device();
    let trained = fit(
        stage,
        &mut (net, own, optimizer),
        rows,
        Epochs { epochs, batch, iters: 1 },
        &mut rng,
        items.progress,
        |(net, own, optimizer), batch, _| {
            let x = embed(net, own, batch)?;
            let loss = loss(&net.forward(&x, true), &labels(batch, device));
            optimizer.step(&loss, &mut net.weights)?;
            Ok(loss)
        },
        None,
    )?;
    record(items, stage, &trained)
}

/// Only item ids learn; the rest stays, but in training mode, as in the released programs.
///
/// # Errors
/// Data without item ids, and as [`fit`].
pub fn fine_tune_items(net: &mut Net, items: &mut ColdItems<'_>, phase: &str, rows: &Feed) -> Result<()> {
    let table = super::generator::item_table(items.schema)?;
    let _frozen = net.weights.freeze_all_but(&[&table], Mode::Train)?;
    supervised(net, items, &format!("fine_tune.{phase}"), rows)
}
