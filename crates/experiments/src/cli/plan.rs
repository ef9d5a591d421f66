//! `plan`.
use super::{print, select::TableArgs, session::Session};
use crate::{
    engine::{self, Engine},
    plan::{History, Node},
    roots::Roots,
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;

/// `plan TABLE`
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// Write what is to do for another engine, on one machine or on many (docs/other-machines.md).
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub format: Option<Engine>,
    /// A line of JSON for each run and stage.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// A run or stage.
#[derive(Serialize)]
struct Planned<'a> {
    id: &'a str,
    what: String,
    is_stage: bool,
    finished: bool,
    /// Whether it has to be done.
    missing: bool,
    inputs: &'a BTreeMap<String, String>,
    /// What runs like it took; none where there were none.
    expected_seconds: Option<f64>,
}

/// Runs and stages, which exist, and how long the rest takes.
pub(super) fn plan(roots: &Roots, paper: Option<&str>, args: &PlanArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (plan, _) = session.plan(roots)?;
    let history = History::read(&session.store)?;
    let missing = plan.missing();
    let undecided = plan.undecided();
    if let Some(engine) = args.format {
        let name = &session.spec.name;
        if undecided == 0 {
            return print(&engine.export(name, &plan, &missing, roots)?);
        }
        print(&engine.export(name, &plan, &plan.missing_trials(), roots)?)?;
        eprintln!(
            "these are the trials; call this again when they have ended: they decide about {undecided} runs"
        );
        return Ok(());
    }
    let is_missing = |node: &Node| missing.iter().any(|m| m.id == node.id);
    if args.json {
        return plan.nodes.values().try_for_each(|node| {
            let planned = Planned {
                id: &node.id,
                what: node.what(),
                is_stage: node.is_stage(),
                finished: node.finished,
                missing: is_missing(node),
                inputs: &node.inputs,
                expected_seconds: history.expected(&node.job),
            };
            print(&(serde_json::to_string(&planned)? + "\n"))
        });
    }
    let mut out = String::new();
    for node in plan.nodes.values() {
        let state = if node.finished {
            "exists".into()
        } else if !is_missing(node) {
            "not needed".into()
        } else {
            history.expected(&node.job).map_or_else(|| "time unknown".into(), |s| format!("{s:.0} s"))
        };
        out += &format!("{}  {:14} {}\n", node.id, state, node.what());
    }
    let (seconds, unknown) = history.total(&missing, session.default_jobs());
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
