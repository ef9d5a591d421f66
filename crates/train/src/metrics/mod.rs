//! What is measured on predictions, and how measurements are compared.

mod auc;
mod errors;
mod logloss;
mod rank;
pub mod statistics;

pub use auc::{auc, expected_auc, rela_impr};
pub use errors::MetricError;
pub use logloss::logloss;
