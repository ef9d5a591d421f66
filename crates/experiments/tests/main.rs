//! Tests of the whole: configuration, ids, killing and going on, the command line.
mod cli;
mod errors;
mod golden;
mod ids;
mod layering;
mod project;
mod registry;
mod resume;
mod warm;
