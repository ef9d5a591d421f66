//! Embeddings for new items of a net that is not ours, by CSDM: from the trained embeddings of old items, frequencies
//! and side information. `docs/warm.md` describes the files.
mod columns;
mod embeddings;
mod features;
mod generate;
mod items;
mod key;
mod options;
mod output;
mod report;
mod tensors;

pub use embeddings::Embeddings;
pub use generate::{Warmed, warm};
pub use items::Items;
pub use key::Key;
pub use options::WarmOptions;
pub use report::{Choice, Fit, HeldOut, Report};

use crate::atomic::AtomicFile;
use anyhow::{Result, bail};
use clap::Args;
use scenarec_train::Progress;
use std::path::{Path, PathBuf};

/// `scenarec warm`.
#[derive(Args, Clone, Debug)]
pub struct WarmArgs {
    /// Items: `item`, `count`, side information, and, without --new-below, `new` (Parquet or safetensors).
    #[arg(long, value_name = "FILE")]
    pub items: PathBuf,
    /// Embeddings: Parquet with `item` and `embedding`, or safetensors with a matrix whose row i is item i.
    #[arg(long, value_name = "FILE[:TENSOR]")]
    pub embeddings: String,
    /// Where the embeddings of the new items go (.parquet or .safetensors).
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Items with smaller counts are new.
    #[arg(long, value_name = "N")]
    pub new_below: Option<f64>,
    /// Write all embeddings, the new items' replaced.
    #[arg(long)]
    pub whole: bool,
    /// How the generator is trained.
    #[command(flatten)]
    pub options: WarmOptions,
}

/// How a file holds columns or tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns.
    Parquet,
    /// Tensors.
    Safetensors,
}

impl Format {
    /// By the name's ending.
    pub fn of(file: &Path) -> Result<Self> {
        match file.extension().and_then(|e| e.to_str()) {
            Some("parquet") => Ok(Self::Parquet),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => bail!("{}: a file's name must end in .parquet or .safetensors", file.display()),
        }
    }
}

/// Reads the files, trains, writes `--out`; what is to be told.
pub fn run(args: &WarmArgs, progress: &dyn Progress) -> Result<String> {
    let format = Format::of(&args.out)?;
    let items = Items::read(&args.items, args.new_below)?;
    let embeddings = Embeddings::read(&args.embeddings)?;
    let mut table = embeddings.for_new(&items, args.whole)?;
    table.check_format(format)?;
    let out = AtomicFile::begin(&args.out)?;
    let warmed = warm(&items, &embeddings, &args.options, progress)?;
    table.set_new(&items, &warmed.vectors)?;
    table.write(out.temporary(), format)?;
    out.finish()?;
    Ok(warmed.report.to_string())
}
