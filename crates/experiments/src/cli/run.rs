//! `run`.
use super::{print_bytes, report::write_files, select::TableArgs, session::Session};
use crate::{
    engine::{self, Options},
    plan::Plan,
    report::{Format, Report},
    roots::Roots,
    store::Failure,
};
use anyhow::{Result, bail};
use clap::Args;
use std::{collections::BTreeMap, fs, process::ExitCode};

/// `run TABLE`
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// Runs at once; default: the number of cores, 1 on cuda.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// Executes what is missing, writes the report's files and prints it.
pub(super) fn run(roots: &Roots, paper: Option<&str>, args: &RunArgs) -> Result<ExitCode> {
    let session = Session::open(roots, paper, &args.table)?;
    let (mut plan, mut notes) = session.plan(roots)?;
    let jobs = match args.jobs {
        Some(jobs) if session.spec.recipe.alone && jobs > 1 => {
            bail!("--jobs {jobs}: {name} measures time, so its runs stand alone", name = session.spec.name)
        }
        Some(jobs) => usize::from(jobs),
        None => session.default_jobs(),
    };
    let execute =
        |plan: &Plan, failed| engine::execute(plan, &session.store, roots, &Options { jobs }, failed);
    let mut outcome = execute(&plan, BTreeMap::new())?;
    if plan.undecided() > 0 && !outcome.interrupted {
        // Now the trials tell what else there is to run.
        (plan, notes) = session.plan(roots)?;
        outcome = execute(&plan, outcome.failures)?;
    }
    if outcome.interrupted {
        eprintln!("stopped; the same command goes on where this one was");
        return Ok(ExitCode::from(130));
    }
    let report = Report::new(&session.spec, &session.selection, &plan, &session.store, notes, false)?;
    print_bytes(&report.render(Format::Text, None)?)?;
    let failed = outcome.failures.len();
    if failed > 0 {
        eprintln!("\n{failed} failed:");
    }
    for failure in outcome.failures.values() {
        eprint!("{}", explain(failure));
    }
    // Last: nothing that goes wrong here may hide what failed.
    write_files(&report, roots)?;
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The error, the log and its last lines.
fn explain(failure: &Failure) -> String {
    let mut text = format!("- {}: {}\n", failure.what, failure.message);
    if let Some(log) = &failure.log {
        text += &format!("  log: {}\n", log.display());
        let lines = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = lines.lines().collect();
        for line in &lines[lines.len().saturating_sub(5)..] {
            text += &format!("  | {line}\n");
        }
    }
    text
}
