//! Tensors: embedding tables, batches, optimisers, shared layers, the loop, metrics, records. Knows no model.
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod batch;
pub mod checkpoint;
pub mod cold;
pub mod config;
pub mod device;
pub mod embedding;
pub mod feed;
pub mod fit;
pub mod init;
pub mod kernel;
mod memory;
pub mod metrics;
pub mod model;
pub mod net;
pub mod nn;
pub mod optim;
pub mod params;
pub mod progress;
pub mod recorder;
pub mod rng;
pub mod rows;
mod scope;
pub mod serving;
mod shim;
pub mod table;
pub mod testing;

pub use batch::Batch;
pub use checkpoint::{Carrier, Checkpoints, Resumable};
pub use cold::{ColdItemMethod, ColdItems};
pub use device::open as open_device;
pub use embedding::{Backend, Embedded, EmbeddedSequence, FeatureEmbedding};
pub use feed::Feed;
pub use fit::{Epochs, Stopping, Trained, fit};
pub use init::{Init, InitScheme};
pub use kernel::{Isa, isa, limit_isa};
pub use memory::to_vec;
pub use model::ModelEntry;
pub use net::{
    Build, CtrModel, Mode, Net, Output, Weights, bce, labels, loss, predict, scenario_weights, weighted_bce,
};
pub use optim::{OptimSpec, Optimizer};
pub use params::{ParamSet, Params, State};
pub use progress::{Progress, Silent};
pub use recorder::{CURVES, Epoch, Measure, Recorder};
pub use rows::{Fitting, RowSource};
pub use scope::{Scope, Scoping};
