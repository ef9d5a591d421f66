//! `plan`.
use super::{
    print,
    select::TableArgs,
    tables::{Session, default_jobs, write},
};
use crate::{
    engine,
    plan::{History, Node},
    roots::Roots,
};
use anyhow::{Context, Result};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// `plan TABLE`
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// Write what is to do as files into this folder and print the commands that do it, for another scheduler; those
    /// of stages come first and must have ended before the others start.
    #[arg(long, value_name = "DIR")]
    pub orders: Option<PathBuf>,
}

/// Runs and stages, which exist, and how long the rest takes.
pub(super) fn plan(roots: &Roots, paper: Option<&str>, args: &PlanArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (plan, _) = session.plan(roots)?;
    let history = History::read(&session.store)?;
    let missing = plan.missing();
    let undecided = plan.undecided();
    if let Some(folder) = &args.orders {
        if undecided == 0 {
            return orders(roots, &missing, folder);
        }
        orders(roots, &plan.missing_trials(), folder)?;
        eprintln!(
            "these are the trials; call this again when they have ended: they decide about {undecided} runs"
        );
        return Ok(());
    }
    let mut out = String::new();
    for node in plan.nodes.values() {
        let state = if node.finished {
            "exists".into()
        } else if !missing.iter().any(|m| m.id == node.id) {
            "not needed".into()
        } else {
            history.expected(&node.job).map_or_else(|| "time unknown".into(), |s| format!("{s:.0} s"))
        };
        out += &format!("{}  {:14} {}\n", node.id, state, node.what());
    }
    let (seconds, unknown) = history.total(&missing, default_jobs(&session));
    out += &format!(
        "{} of {} exist; {} to do, about {}{}\n",
        plan.nodes.values().filter(|n| n.finished).count(),
        plan.nodes.len(),
        missing.len(),
        engine::clock(seconds),
        if unknown > 0 { format!(" and {unknown} of unknown time") } else { String::new() }
    );
    if undecided > 0 {
        let trials = plan.missing_trials().iter().filter(|n| !n.is_stage()).count();
        out += &format!("{trials} trials, then {undecided} runs whose settings they decide\n");
    }
    print(&out)
}

/// Writes an order per missing job and prints the commands, stages first.
fn orders(roots: &Roots, missing: &[&Node], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut out = String::new();
    let (stages, runs): (Vec<&Node>, Vec<&Node>) = missing.iter().partition(|n| n.is_stage());
    for node in stages.into_iter().chain(runs) {
        let file = folder.join(format!("{}.json", node.id));
        write(&file, &serde_json::to_string_pretty(&engine::Order::of(node))?)?;
        let threads = node.job.threads;
        out += &format!(
            "OMP_NUM_THREADS={threads} scenarec --root {} worker {} --raw {} --runs {}\n",
            roots.project.display(),
            file.display(),
            roots.data.raw.display(),
            roots.runs.display()
        );
    }
    print(&out)
}
