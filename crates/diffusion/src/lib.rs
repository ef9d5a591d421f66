//! Diffusion in embedding space: schedules, denoisers, samplers, and the methods made of them.
pub mod csdm;
pub mod diff_msr;

pub use csdm::{Csdm, CsdmConfig, CsdmDraws};
