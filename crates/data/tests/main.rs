//! The crate from outside: files in, columns and row lists out. One binary, so that it is linked once.
mod age;
mod amazon;
mod bad_input;
mod bad_shops;
mod caching;
mod common;
mod douban;
mod fixtures;
mod kuairand;
mod real;
mod real_domains;
mod shops;
mod simulated;
mod simulated_domains;
mod simulated_kuairand;
mod simulated_shops;
