//! What a method that warms cold items does at each point of the cold-item protocol.
pub mod generator;
mod side;

pub use generator::{Generated, Generator, GeneratorBatch, Schedule};
pub use side::{Side, SideChoice};

use crate::{batch::Feed, net::Net, optim::OptimSpec, progress::Progress, recorder::Recorder};
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
    /// Rows per batch.
    pub batch: usize,
    /// The recipe's optimiser; a method starts a fresh one wherever the papers' programs do.
    pub optim: OptimSpec,
    /// Seed of the run.
    pub seed: u64,
    /// Takes the method's own numbers (time per stage, losses).
    pub recorder: &'a mut Recorder,
    /// Told how far the method is.
    pub progress: &'a dyn Progress,
}

/// A method for item cold start. The recipe pre-trains, calls [`after_pretrain`](Self::after_pretrain), evaluates the cold
/// phase, and then, for every warm phase, fine-tunes the item-id table on the phase's rows, calls
/// [`after_phase`](Self::after_phase) and evaluates.
pub trait ColdItemMethod {
    /// Between pre-training and the cold evaluation: typically trains a generator and overwrites new items' rows.
    fn after_pretrain(&mut self, net: &mut Net, items: &mut ColdItems<'_>) -> Result<()>;

    /// Between the fine-tune on a warm phase's rows and its evaluation. `phase` is `warm_a`, `warm_b` or `warm_c`.
    fn after_phase(
        &mut self,
        net: &mut Net,
        items: &mut ColdItems<'_>,
        phase: &str,
        rows: &Feed,
    ) -> Result<()>;
}

/// The backbone as it is: nothing happens between training and evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl ColdItemMethod for Plain {
    fn after_pretrain(&mut self, _: &mut Net, _: &mut ColdItems<'_>) -> Result<()> {
        Ok(())
    }

    fn after_phase(&mut self, _: &mut Net, _: &mut ColdItems<'_>, _: &str, _: &Feed) -> Result<()> {
        Ok(())
    }
}
