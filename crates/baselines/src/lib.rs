//! What the papers compare with that is not a model.
mod cvar;
mod dropoutnet;
pub mod generators;
mod meta_e;
mod mwuf;
mod two_layers;
mod velf;

pub use cvar::{Cvar, CvarConfig, CvarDraws};
pub use dropoutnet::{ColdRows, DropoutNet, DropoutNetConfig, embed_with_mean_item};
pub use generators::{GENERATORS, GeneratorConfig};
pub use meta_e::{MetaE, MetaEConfig, quarters};
pub use mwuf::{MeanUsers, Mwuf, MwufConfig, NoUsers};
pub use velf::{Gaussian, Latent, NewItems, Velf, VelfConfig};
