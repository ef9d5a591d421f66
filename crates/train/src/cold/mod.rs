//! What a method that warms cold items does at each point of the cold-item protocol.
pub mod generator;
mod items;
mod side;
mod supervised;

pub use generator::{
    Generated, Generator, GeneratorBatch, Schedule, against_frozen, item_slot, item_table, overwrite, record,
};
pub use items::{one_row_per_item, rows_by_item};
pub use side::{Side, SideChoice, SideFields};
pub use supervised::{Training, fine_tune_items, supervised, supervised_with};

use crate::{
    feed::Feed,
    net::{Net, Weights},
    progress::Progress,
    recorder::Recorder,
};
use anyhow::Result;
use scenarec_data::Schema;

/// What a method is given to work with, besides the net.
pub struct ColdItems<'a> {
    /// What the columns mean.
    pub schema: &'a Schema,
    /// The rows of old items, `train_base`.
    pub base: &'a Feed,
    /// One row per new item, by which the item's side information is read.
    pub new_items: &'a Feed,
    /// Ids of the new items, in `new_items`'s order.
    pub new_ids: &'a [u32],
    /// The recipe's training: that of pre-training while the net is pre-trained, that of the warm phases after it.
    /// Methods train with its batch size and optimiser, and start a fresh one wherever the papers' programs do.
    pub training: Training,
    /// Seed of the run.
    pub seed: u64,
    /// Takes the method's own numbers (time per stage, losses).
    pub recorder: &'a mut Recorder,
    /// Told how far the method is.
    pub progress: &'a dyn Progress,
}

/// A method for item cold start. The recipe lets it [`pretrain`](Self::pretrain) the net and act
/// [`after_pretrain`](Self::after_pretrain), evaluates the cold phase, and then, for every warm phase, lets it
/// [`fine_tune`](Self::fine_tune) on the phase's rows and act [`after_phase`](Self::after_phase), and evaluates.
/// `phase` is `warm_a`, `warm_b` or `warm_c`. What a method leaves alone is what the plain backbone does.
pub trait ColdItemMethod {
    /// Trains the net on the old items' rows. A method that does this in a way of its own says so in its registry entry;
    /// the others share one pre-trained net.
    ///
    /// # Errors
    /// What a training ends with; the run ends too.
    fn pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()> {
        supervised(net, items, "pretrain", items.base)
    }

    /// What pre-training left in the method itself; it is saved and loaded together with the net.
    fn pretrained(&mut self) -> Option<&mut Weights> {
        None
    }

    /// Between pre-training and the cold evaluation: typically trains a generator and overwrites new items' rows.
    ///
    /// # Errors
    /// As [`pretrain`](Self::pretrain).
    fn after_pretrain(&mut self, _: &mut Net, _: &mut ColdItems<'_>) -> Result<()> {
        Ok(())
    }

    /// Learns from a warm phase's rows: the item-id table alone.
    ///
    /// # Errors
    /// As [`pretrain`](Self::pretrain).
    fn fine_tune(
        &mut self,
        net: &mut Net,
        items: &mut ColdItems<'_>,
        phase: &str,
        rows: &Feed,
    ) -> Result<()> {
        fine_tune_items(net, items, phase, rows)
    }

    /// Between the fine-tune on a warm phase's rows and its evaluation.
    ///
    /// # Errors
    /// As [`pretrain`](Self::pretrain).
    fn after_phase(&mut self, _: &mut Net, _: &mut ColdItems<'_>, _: &str, _: &Feed) -> Result<()> {
        Ok(())
    }
}

/// The backbone as it is: nothing happens between training and evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl ColdItemMethod for Plain {}
