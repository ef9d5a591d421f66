//! The crate from outside. One binary, so that libtorch is linked once.
mod classifiers;
mod csdm;
mod denoiser;
mod diffusions;
#[path = "../../train/tests/generator_contract.rs"]
mod generator_contract;
mod process;
mod unet;
mod unet_golden;
mod unet_literal;
mod windows;
mod world;
