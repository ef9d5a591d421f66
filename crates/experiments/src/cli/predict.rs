//! `predict`.
use super::{print, select::TableArgs, session::Session};
use crate::{atomic::AtomicFile, predict::write_predictions, roots::Roots};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// A table's settings, a net, the rows and where the result goes.
#[derive(Clone, Debug, Args)]
pub(super) struct PredictArgs {
    /// Whose model and data are meant: one combination must be left, for example
    /// `csdm-table1 --only dataset=movielens-1m-cold --only method=none`.
    #[command(flatten)]
    pub table: TableArgs,
    /// The net: safetensors with the model's names (docs/parity.md), as stages and `--set run.keep_nets=true` leave them in
    /// a run's folder.
    #[arg(long, value_name = "FILE")]
    pub net: PathBuf,
    /// The split's part, or `all`.
    #[arg(long, value_name = "NAME", default_value = "test")]
    pub part: String,
    /// Where the predictions go (.parquet).
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Labels, logits and probabilities of rows.
pub(super) fn predict(roots: &Roots, paper: Option<&str>, args: &PredictArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (job, notes) = session.only_job(roots, session.spec.recipe.name, 1)?;
    let out = AtomicFile::begin(&args.out)?;
    let rows = write_predictions(&job, &args.net, &args.part, &roots.data, out.temporary())?;
    out.finish()?;
    print(&format!("{notes}{}: {rows} rows of the part {}\n", args.out.display(), args.part))
}
