//! The crate from outside. One binary, so that libtorch is linked once.
mod adasparse;
mod aesm2;
mod configs;
mod m3oe;
mod maria;
mod pepnet;
mod scopes;
mod sfpnet;
