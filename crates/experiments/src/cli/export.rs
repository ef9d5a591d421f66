//! `export`.
use super::{print, select::TableArgs, session::Session};
use crate::{
    export::{RunCard, write_module},
    id,
    roots::Roots,
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;

/// File of a run's only net.
const NET: &str = "net.safetensors";

/// A table's settings, a net, and where the module goes.
#[derive(Clone, Debug, Args)]
pub(super) struct ExportArgs {
    /// Whose model and data are meant: one combination must be left, for example
    /// `sfpnet-table3 --only model=sfpnet --set run.keep_nets=true`.
    #[command(flatten)]
    pub table: TableArgs,
    /// The run's seed.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Another net than the run's own: safetensors with the model's names, as shared stages leave them in their folders.
    #[arg(long, value_name = "FILE")]
    pub net: Option<PathBuf>,
    /// Where the module goes (.pt); what it is (.json) and rows to compare with (.example.safetensors) go beside it.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// A net as a module in TorchScript.
pub(super) fn export(roots: &Roots, paper: Option<&str>, args: &ExportArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (job, notes) = session.only_job(roots, session.spec.recipe.name, args.seed)?;
    let (net, run) = match &args.net {
        Some(net) => (net.clone(), None),
        None => {
            let id = id::of(&job)?;
            let measures = session.store.measures(&id, false)?;
            let measures = measures.with_context(|| format!("the run {id} is not finished: `run` first"))?;
            let net = session.store.folder(&id, false).join(NET);
            ensure!(
                net.is_file(),
                "the run {id} has kept no net for all scenarios and tasks: the recipe fit keeps one with --set run.keep_nets=true; \
                 for others give --net"
            );
            let measures = measures.into_iter().filter(|m| m.stage == "evaluate").collect();
            (net, Some(RunCard { id, seed: args.seed, measures }))
        }
    };
    let difference = write_module(&job, &net, run.as_ref(), &roots.data, &args.out)?;
    print(&format!("{notes}{}: the net's logits within {difference:.1e}\n", args.out.display()))
}
