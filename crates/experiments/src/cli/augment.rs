//! `augment`.
use super::{print, progress::ProgressBar, select::TableArgs, session::Session};
use crate::{atomic::AtomicFile, recipes::enhance, roots::Roots};
use anyhow::Result;
use clap::Args;
use scenarec_train::net::save_state;
use std::path::PathBuf;

/// A table's settings, a net and where the result goes.
#[derive(Clone, Debug, Args)]
pub(super) struct AugmentArgs {
    /// Whose settings are meant: one dataset, model and method must be left, for example
    /// `diff-msr-table1 --only model=fnn --only method=diff-msr`; another scenario is `--set run.cold=NAME`.
    #[command(flatten)]
    pub table: TableArgs,
    /// The trained net: safetensors with the model's names (see docs/parity.md).
    #[arg(long, value_name = "FILE")]
    pub net: PathBuf,
    /// Where the enhanced net goes (.safetensors).
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Decides everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Fits generators to a net's embeddings and fine-tunes a scenario's own copy of its parameters.
pub(super) fn augment(roots: &Roots, paper: Option<&str>, args: &AugmentArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (job, notes) = session.only_job(roots, "augment", args.seed)?;
    let out = AtomicFile::begin(&args.out)?;
    let enhanced = enhance(&job, &args.net, &roots.data, &ProgressBar::default())?;
    save_state(&enhanced.state, out.temporary())?;
    out.finish()?;
    let [before, after] = enhanced.valid_auc;
    let mut text = notes;
    text += &format!(
        "{}: {} tensors, {} of them the scenario's own; AUC on its validation rows {before:.4} before, {after:.4} after\n",
        args.out.display(),
        enhanced.state.len(),
        enhanced.own,
    );
    print(&text)
}
