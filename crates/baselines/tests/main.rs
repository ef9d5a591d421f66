//! The crate from outside. One binary, so that libtorch is linked once.
mod cloud;
mod common;
mod cvar;
mod dropoutnet;
#[path = "../../train/tests/generator_contract.rs"]
mod generator_contract;
mod generators;
mod generators_golden;
mod meta_e;
mod mwuf;
mod two_clusters;
mod velf;
