//! The crate from outside. One binary, so that libtorch is linked once.
mod contrast;
mod sacn;
