//! How long-running code tells an observer how far it is.
use crate::checkpoint::Checkpoints;

/// Receives progress. Implementations must be cheap: `advance` is called at every training step.
pub trait Progress {
    /// A new piece of work of `total` steps begins.
    fn begin(&self, what: &str, total: u64);
    /// `steps` more steps are done.
    fn advance(&self, steps: u64);
    /// Where loops write down how far they are, so that another process can go on; nowhere unless it says so.
    fn checkpoints(&self) -> Option<&Checkpoints> {
        None
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
}
