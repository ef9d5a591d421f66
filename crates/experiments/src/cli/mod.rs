//! The command line that `scenarec` and the papers' own binaries share.
mod augment;
mod bench;
mod data;
mod export;
mod extend;
mod gc;
mod ledger;
mod list;
mod new;
mod plan;
mod predict;
mod progress;
mod report;
mod run;
mod select;
mod session;
mod show;

use crate::{engine, parity, roots::Roots, warm};
use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};
use progress::ProgressBar;
use std::{io::Write, path::PathBuf, process::ExitCode};

/// Reproduces papers on cold-start and multi-scenario click-through-rate prediction, table by table.
#[derive(Debug, Parser)]
#[command(name = "scenarec", version, arg_required_else_help = true)]
struct Cli {
    /// The project's folder, with `configs/`; found from the current folder upwards where it is not given.
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// Folders that may lie elsewhere.
#[derive(Clone, Debug, Default, Args)]
struct Folders {
    /// Raw data; default: data/raw of the project.
    #[arg(long, value_name = "DIR")]
    raw: Option<PathBuf>,
    /// Finished runs; default: runs of the project.
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tables and figures, and how many of their runs exist.
    List(list::ListArgs),
    /// A table's runs with every setting resolved.
    Show(select::TableArgs),
    /// A table's runs and shared stages: which exist, and how long the rest takes.
    Plan(plan::PlanArgs),
    /// Run what is missing of a table, and show it.
    Run(run::RunArgs),
    /// Show a table from the runs that exist.
    Report(report::ReportArgs),
    /// Two finished runs side by side: settings that differ, and every number.
    Compare(ledger::CompareArgs),
    /// The best finished runs on a dataset, of all tables.
    Leaderboard(ledger::LeaderboardArgs),
    /// Datasets.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Files for something of your own.
    #[command(subcommand)]
    New(new::NewCommand),
    /// Logits, loss and gradients of a model for given weights and inputs.
    Parity(parity::ParityArgs),
    /// What a trained net says of a dataset's rows: labels, logits and probabilities as Parquet.
    Predict(predict::PredictArgs),
    /// A trained net for programs with libtorch or PyTorch: a module in TorchScript with the same logits.
    Export(export::ExportArgs),
    /// Embeddings for the new items of a net of your own, from the trained ones and side information.
    Warm(warm::WarmArgs),
    /// Rows for a scenario that has few: fine-tunes the scenario's own copy of a trained net on generated rows (Diff-MSR).
    Augment(augment::AugmentArgs),
    /// Teach a trained net a scenario that it does not know, and leave what it says of the others as it is.
    AddScenario(extend::ExtendArgs),
    /// Speed and memory, beside other programs that do the same.
    Bench(bench::BenchArgs),
    /// Check this machine and this checkout.
    Doctor {
        #[command(flatten)]
        folders: Folders,
    },
    /// Remove runs and stages of older code or data, and what killed processes left. Shows what it would do.
    Gc {
        /// Do it.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// A completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Execute one job of a plan; `run` starts these, and so can any other engine (see `plan --format`).
    #[command(hide = true)]
    Worker {
        /// The order, as JSON; - is the standard input.
        order: PathBuf,
        /// End when this process ends, which started this one.
        #[arg(long)]
        parent: Option<u32>,
        #[command(flatten)]
        folders: Folders,
    },
}

/// Runs the command line. `paper` restricts it to one paper's tables.
pub fn main(paper: Option<&str>) -> ExitCode {
    let cli = Cli::parse();
    match execute(cli, paper) {
        Ok(code) => code,
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// `list | head`: nobody reads on, which is no error.
fn is_broken_pipe(e: &anyhow::Error) -> bool {
    let io = e.chain().filter_map(|c| c.downcast_ref::<std::io::Error>());
    io.into_iter().any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

fn execute(cli: Cli, paper: Option<&str>) -> Result<ExitCode> {
    let root = cli.root.as_deref();
    let roots = |f: &Folders| Roots::find(root, f.raw.as_deref(), f.runs.as_deref());
    match cli.command {
        Command::List(args) => list::list(&roots(&args.folders)?, paper, &args)?,
        Command::Show(args) => show::show(&roots(&args.choice.folders)?, paper, &args)?,
        Command::Plan(args) => plan::plan(&roots(&args.table.choice.folders)?, paper, &args)?,
        Command::Run(args) => return run::run(&roots(&args.table.choice.folders)?, paper, &args),
        Command::Report(args) => report::report(&roots(&args.choice.folders)?, paper, &args)?,
        Command::Compare(args) => ledger::compare(&roots(&args.folders)?, &args)?,
        Command::Leaderboard(args) => ledger::leaderboard(&roots(&args.folders)?, &args)?,
        Command::Data(command) => return data::execute(root, &command),
        Command::New(command) => new::new(&roots(&Folders::default())?, &command)?,
        Command::Parity(args) => parity::run(&args)?,
        Command::Warm(args) => {
            // Sums depend on the number of threads, and a seed shall decide everything.
            scenarec_train::open_device("cpu", 1)?;
            print(&warm::run(&args, &ProgressBar::default())?)?;
        }
        Command::Predict(args) => predict::predict(&roots(&args.table.choice.folders)?, paper, &args)?,
        Command::Export(args) => export::export(&roots(&args.table.choice.folders)?, paper, &args)?,
        Command::Augment(args) => augment::augment(&roots(&args.table.choice.folders)?, paper, &args)?,
        Command::AddScenario(args) => {
            extend::add_scenario(&roots(&args.table.choice.folders)?, paper, &args)?
        }
        Command::Bench(args) => return bench::bench(&roots(&args.folders)?, &args),
        Command::Doctor { folders } => return crate::doctor::run(&roots(&folders)?),
        Command::Gc { yes, folders } => gc::run(&roots(&folders)?, yes)?,
        Command::Completions { shell } => {
            let name = paper.unwrap_or("scenarec");
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), name, &mut script);
            std::io::stdout().write_all(&script)?;
        }
        Command::Worker { order, parent, folders } => {
            // The parent shows the error, which the worker tells on its standard output.
            return Ok(match engine::work(&order, parent, &roots(&folders)?) {
                Ok(()) => ExitCode::SUCCESS,
                Err(e) => {
                    eprintln!("error: {e:#}");
                    ExitCode::FAILURE
                }
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints, and tells the caller where nobody reads on.
fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// Prints what need not be text.
fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
