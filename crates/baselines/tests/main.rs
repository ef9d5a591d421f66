//! The crate from outside. One binary, so that libtorch is linked once.
mod cvar;
#[path = "../../train/tests/generator_contract.rs"]
mod generator_contract;
