//! Contrastive methods: SACN, its attribute encoders, and a loss that keeps a user's preferences in different scenarios apart,
//! for any model that has a vector for each.
mod contrast;
mod sacn;

use scenarec_train::ModelEntry;

pub use contrast::{Denominator, ScenarioContrast};
pub use sacn::{AlignmentConfig, Attributes, ContrastConfig, Modulation, Sacn, SacnConfig};

/// All models.
pub const MODELS: &[ModelEntry] = &[sacn::ENTRY];
