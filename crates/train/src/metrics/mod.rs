//! What is measured on predictions, and how measurements are compared.

mod auc;
mod bootstrap;
mod errors;
mod gauc;
mod logloss;
pub mod statistics;

pub use auc::{auc, expected_auc, rela_impr};
pub use bootstrap::auc_interval;
pub use errors::MetricError;
pub use gauc::{Gauc, gauc};
pub use logloss::logloss;
