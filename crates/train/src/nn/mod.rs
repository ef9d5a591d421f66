//! Layers shared by the models, with PyTorch's initial values.
mod attention;
mod batch_norm;
mod dropout;
mod layer_norm;
mod linear;
mod mlp;
mod pairs;
mod segments;
mod stacked;

pub use attention::attention;
pub use batch_norm::BatchNorm;
pub use dropout::Dropout;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use mlp::{Mlp, MlpConfig, Norm};
pub use pairs::pairs;
pub use segments::Segments;
pub use stacked::{StackedLinear, StackedMlp, mix};
