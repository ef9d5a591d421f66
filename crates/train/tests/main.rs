//! The crate from outside. One binary, so that libtorch is linked once.
mod attention;
mod backends;
mod batches;
mod device;
mod embedding;
mod files;
mod fitting;
mod freezing;
mod generator_contract;
mod generators;
mod items;
mod layers;
mod optimizer_golden;
mod optimizers;
mod recording;
mod resuming;
mod stacks;
