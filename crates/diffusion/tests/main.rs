//! Diffusion methods from outside. One binary, so that libtorch is linked once.
mod csdm;
#[path = "../../train/tests/generator_contract.rs"]
mod generator_contract;
mod process;
