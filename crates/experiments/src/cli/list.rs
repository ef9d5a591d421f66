//! `list`.
use super::{Folders, print, session::Session};
use crate::{
    plan::{Node, Plan},
    roots::Roots,
    spec::Selection,
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// `list`
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// A line of JSON for each table.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub folders: Folders,
}

/// A table, and what of it exists.
#[derive(Serialize)]
struct Listed {
    table: String,
    paper: String,
    title: String,
    #[serde(flatten)]
    coverage: Option<Coverage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Coverage {
    finished_runs: usize,
    runs: usize,
    finished_trials: usize,
    trials: usize,
}

/// One line per table.
pub(super) fn list(roots: &Roots, paper: Option<&str>, args: &ListArgs) -> Result<()> {
    let mut all = Vec::new();
    for session in Session::all(roots, paper, &Selection::default())? {
        // A dataset that cannot be read is no reason not to list the table.
        let (coverage, error) = match session.plan(roots) {
            Ok((plan, _)) => (Some(Coverage::of(&plan)), None),
            Err(e) => (None, Some(format!("{e:#}"))),
        };
        let spec = session.spec;
        all.push(Listed { table: spec.name, paper: spec.paper, title: spec.title, coverage, error });
    }
    if args.json {
        return all.iter().try_for_each(|table| print(&(serde_json::to_string(table)? + "\n")));
    }
    let width = all.iter().map(|t| t.table.len()).max().unwrap_or(0);
    let line = |t: &Listed| {
        let runs = t.coverage.as_ref().map_or_else(|| "cannot be planned: see `plan`".into(), Coverage::text);
        format!("{:width$}  {} ({runs})\n", t.table, t.title)
    };
    print(&all.iter().map(line).collect::<String>())
}

impl Coverage {
    fn of(plan: &Plan) -> Self {
        let runs = plan.nodes.values().filter(|n| !n.is_stage());
        let (trials, runs): (Vec<&Node>, Vec<&Node>) = runs.partition(|n| n.trial.is_some());
        let finished = |of: &[&Node]| of.iter().filter(|n| n.finished).count();
        Self {
            finished_runs: finished(&runs),
            runs: runs.len() + plan.undecided(),
            finished_trials: finished(&trials),
            trials: trials.len(),
        }
    }

    /// "3 of 30 runs, 8 of 8 trials"
    fn text(&self) -> String {
        let trials = match self.trials {
            0 => String::new(),
            n => format!(", {} of {n} trials", self.finished_trials),
        };
        format!("{} of {} runs{trials}", self.finished_runs, self.runs)
    }
}
