//! `add-scenario`.
use super::{print, progress::ProgressBar, select::TableArgs, session::Session};
use crate::{atomic::AtomicFile, recipes::extend, roots::Roots};
use anyhow::Result;
use clap::Args;
use scenarec_train::net::save_state;
use std::path::PathBuf;

/// A table's settings, a net, the scenario and where the result goes.
#[derive(Clone, Debug, Args)]
pub(super) struct ExtendArgs {
    /// Whose settings are meant: one dataset and model must be left, for example
    /// `sfpnet-table3 --only model=sfpnet`.
    #[command(flatten)]
    pub table: TableArgs,
    /// The scenario.
    #[arg(long, value_name = "NAME")]
    pub scenario: String,
    /// The net, trained without the scenario (`--set run.without=[NAME] --set run.keep_nets=true` writes one to the run's
    /// folder): safetensors with the model's names (see docs/parity.md).
    #[arg(long, value_name = "FILE")]
    pub net: PathBuf,
    /// Where the net goes that knows it (.safetensors).
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Decides the order of the rows.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Trains what is a new scenario's own in a net.
pub(super) fn add_scenario(roots: &Roots, paper: Option<&str>, args: &ExtendArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (job, notes) = session.only_job(roots, "fit", args.seed)?;
    let out = AtomicFile::begin(&args.out)?;
    let extended = extend(&job, &args.scenario, &args.net, &roots.data, &ProgressBar::default())?;
    save_state(&extended.state, out.temporary())?;
    out.finish()?;
    let [before, after] = extended.valid_auc;
    let mut text = notes;
    text += &format!(
        "{}: {} learned its part of {}; AUC on its validation rows {before:.4} before, {after:.4} after\n",
        args.out.display(),
        args.scenario,
        extended.learned.join(", "),
    );
    print(&text)
}
