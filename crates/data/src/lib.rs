//! Raw files -> columns -> splits. No tensor.
//!
//! [`DatasetConfig::from_file`] reads a dataset file, [`prepare`] gives its [`Dataset`] and its [`Splits`]: from the
//! Parquet cache where that is current, else from the raw files, else, where there is no raw folder, from the
//! [simulator](simulate). [`identify`] gives fingerprint and provenance without parsing.
//!
//! [`official`] knows where the raw files come from, and fetches those that need no account.
//!
//! A new loader is a module like [`movielens`] that turns [`RawFiles`] into columns and a [`Schema`], and a variant of
//! [`Loader`]; `docs/add-a-dataset.md` lists the steps.
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod ali_ccp;
pub mod amazon;
mod cache;
pub mod cikm_ecomm;
mod config;
mod dataset;
pub mod douban;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod ids;
pub mod industrial;
pub mod kuairand;
mod leaks;
mod loader;
mod memory;
pub mod movielens;
pub mod official;
mod prepare;
mod raw;
mod rows;
mod schema;
mod sequence;
pub mod simulate;
mod sort;
mod source;
mod split;
mod statistics;
pub mod taobao_ad;
#[cfg(test)]
mod testing;
mod text;
mod verify;
mod view;

pub(crate) use error::Checked;

pub use ali_ccp::{AliCcpBehaviours, Combinations};
pub use cache::Stored;
pub use config::{DatasetConfig, FittedOn, Memory};
pub use dataset::{Column, Columns, Dataset, Provenance, Streamed};
pub use error::{Error, Result};
pub use identity::{Identity, identify};
pub use loader::{CountRows, Loader};
pub use prepare::{Prepared, fill_cache, prepare};
pub use raw::{Checksum, KnownFile, LargeFile, RawFile, RawFiles};
pub use rows::{Rows, check as check_columns};
pub use schema::{Field, Kind, Pooling, Role, Schema, Table};
pub use sequence::{Sequence, Spans, Tokens};
pub use simulate::best_auc;
pub use sort::sort_by_key;
pub use source::{Override, Roots, Source};
pub use split::{Part, SplitPlan, Splits};
pub use statistics::{Statistics, split_statistics, statistics};
pub use verify::FileCheck;
