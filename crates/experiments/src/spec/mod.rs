//! YAML -> checked specs -> complete jobs. The format is described in `docs/config-format.md`.
mod catalog;
mod changes;
mod entry;
mod layered;
mod layout;
mod names;
mod plot;
mod reported;
mod resolve;
mod source;
mod table;

pub use catalog::{Catalog, ComponentFile};
pub use changes::{Change, Changes};
pub use entry::Entry;
pub use layered::Layered;
pub use layout::{Baseline, Layout, RECORDED};
pub use names::unknown_name;
pub use plot::{Plot, PlotKind, Scale, YFrom};
pub use reported::{Reported, ReportedRow};
pub use resolve::{Combination, Coordinates, ResolvedCell, Selection, resolve};
pub use source::{ConfigError, KeyPath, Place, Source};
pub use table::{Dimension, Quick, TableSpec};
