//! Embedding tables whose optimisers touch only the rows that a batch reads, and are exact all the same.
//!
//! PyTorch's dense optimisers move every row in every step: Adam's first moment keeps pushing a row for a while after
//! its last gradient, and weight decay pushes it for ever. [`EmbeddingTable`] does not skip these moves, it delays
//! them: each row remembers the step it was last brought up to date in, and the missed steps are made up for when the
//! row is next needed. The result equals the dense optimiser's to float precision (see the tests).
//!
//! | file | what it holds |
//! |---|---|
//! | `embedding` | the table: gather, accumulate, step |
//! | `rule` | the optimisers' settings |
//! | `bags` | which rows a batch reads |
//! | `gradients` | deduplicated sums of a step's gradients |
//! | `optimiser` | what the table asks of an optimiser |
//! | `adam`, `series` | Adam; its missed steps without decay in constant time |
//! | `adagrad`, `sgd` | the other two |
//! | `replay` | missed steps one by one, many rows side by side: with decay |
//! | `state` | save and restore |
//! | `pages`, `lanes`, `denormals` | memory; vector registers |
//!
//! All kernels are elementwise IEEE arithmetic without fused multiply-add, so a trajectory has the same bits on every
//! instruction set.

mod adagrad;
mod adam;
mod bags;
mod denormals;
mod embedding;
mod gradients;
mod lanes;
mod optimiser;
mod pages;
mod replay;
mod rule;
mod series;
mod sgd;
mod state;
#[cfg(test)]
mod tests;

pub use bags::Bags;
pub use embedding::EmbeddingTable;
pub use rule::Rule;
pub use state::{OptimiserState, TableState};
