//! What the papers compare with that is not a model.
mod cvar;

pub use cvar::{Cvar, CvarConfig, CvarDraws};
