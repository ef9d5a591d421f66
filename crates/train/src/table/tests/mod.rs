//! The table against literal dense optimisers.

mod interface;
mod reference;
mod trajectories;
