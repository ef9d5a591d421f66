//! The crate from outside. One binary, so that libtorch is linked once.
mod common;
mod cvar;
mod dropoutnet;
#[path = "../../train/tests/generator_contract.rs"]
mod generator_contract;
mod meta_e;
mod mwuf;
mod velf;
