//! Executes what is missing of a plan, each job in a process of its own.
mod checkpoints;
mod display;
mod export;
mod interrupt;
mod messages;
mod pool;
mod worker;

pub(crate) use display::clock;
pub use export::Engine;
pub use interrupt::interrupted;
pub use pool::{Options, Outcome, execute};
pub(crate) use worker::peak_rss;
pub use worker::{Order, work};
