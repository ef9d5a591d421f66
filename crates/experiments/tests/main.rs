//! Tests of the whole: configuration, ids, killing and going on, the command line.
mod augment;
mod cli;
mod errors;
mod extend;
mod golden;
mod ids;
mod layering;
mod plot;
mod project;
mod registry;
mod reported;
mod resume;
mod scatter;
mod search;
mod smoke;
mod warm;
