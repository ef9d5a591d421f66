//! Layers shared by the models, with PyTorch's initial values.
mod batch_norm;
mod dropout;
mod linear;
mod mlp;

pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use linear::Linear;
pub use mlp::{Mlp, MlpConfig, Norm};
