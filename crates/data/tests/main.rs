//! The crate from outside: files in, columns and row lists out. One binary, so that it is linked once.
mod bad_input;
mod caching;
mod common;
mod fixtures;
mod real;
mod simulated;
