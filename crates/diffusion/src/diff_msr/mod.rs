//! Diff-MSR (Wang et al., WSDM 2024): rows for a scenario that has few, by diffusion in embedding space.
//!
//! A diffusion model of the scenario's rows for each label ([`Diffusion`], section 3.3), a classifier that tells
//! its rows from those of rich scenarios ([`Classifier`], section 3.4), and the choice of rich rows that it takes
//! for the scenario's own once they are noised ([`Window`]): those are denoised by the model of their label. Steps
//! are counted from 0, as in the released program: index i is the paper's t = i + 1.
//!
//! Shapes: B or n rows, C generated fields (user and item), d width of their vectors, T diffusion steps.
mod classifier;
mod diffusion;
mod process;
mod sampler;
mod schedule;
mod select;
mod tables;
mod unet;

pub use classifier::{Classifier, ClassifierConfig, ClassifierRows};
pub use diffusion::{Diffusion, DiffusionConfig, DiffusionDraws};
pub use process::{Level, LossNorm, Objective, Process};
pub use sampler::{Denoiser, Noise, Sampler, SamplerConfig};
pub use schedule::{NoiseSchedule, Posterior, Schedule};
pub use select::{Selected, TransferStart, Window, WindowConfig};
pub use unet::{Inference, ReadyUnet, Unet, UnetConfig, UnetKind};
