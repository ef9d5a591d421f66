//! Table specs -> runs -> results -> reports.
//!
//! A table's YAML ([`spec`]) resolves to complete jobs ([`job`]), each with an id that stands for everything its result
//! depends on ([`id`]); the planner ([`plan`]) finds which of them exist in the [`store`]; the [`engine`] executes the
//! rest as processes of their own; and the [`report`] turns their measures into tables.
pub mod atomic;
pub mod bench;
pub mod cli;
pub mod doctor;
pub mod engine;
pub mod environment;
pub mod export;
pub mod id;
pub mod job;
pub mod ledger;
pub mod methods;
pub mod metric;
pub mod models;
pub mod parity;
pub mod plan;
pub mod predict;
pub mod recipes;
pub mod report;
pub mod roots;
pub mod scaffold;
pub mod spec;
pub mod store;
pub mod warm;
