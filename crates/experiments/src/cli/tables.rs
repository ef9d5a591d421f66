//! `list`, `show`, `plan`, `run` and `report`.
use super::{print, select::TableArgs};
use crate::{
    atomic::AtomicFile,
    engine::{self, Options},
    id,
    plan::{History, Node, Plan},
    report::{Format, Report},
    roots::Roots,
    spec::{Catalog, Selection, TableSpec, resolve},
    store::{Failure, Store},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
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

/// `run TABLE`
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// Runs at once; default: the number of cores, 1 on cuda.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// `report TABLE`
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write to a file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where a run is missing, show the number of older code or data, marked.
    #[arg(long)]
    pub stale: bool,
    /// Copy the measures of the table's finished runs on data that is not simulated to docs/results, where they count
    /// as finished for everybody who has the repository.
    #[arg(long)]
    pub publish: bool,
}

/// A table with what is selected of it, its plan and its store.
struct Session {
    catalog: Catalog,
    spec: TableSpec,
    selection: Selection,
    store: Store,
}

impl Session {
    fn open(roots: &Roots, paper: Option<&str>, args: &TableArgs) -> Result<Self> {
        let catalog = Catalog::open(&roots.configs());
        let name = full_name(&catalog, paper, &args.table);
        let spec = TableSpec::load(&catalog, &name)?;
        let store = Store::open(&roots.runs, &roots.committed())?;
        Ok(Self { spec, selection: args.selection()?, store, catalog })
    }

    /// The plan, and what a reader must know about every dataset.
    fn plan(&self, roots: &Roots) -> Result<(Plan, BTreeMap<String, String>)> {
        let notes = std::cell::RefCell::new(BTreeMap::new());
        let cells = resolve(&self.spec, &self.catalog, &self.selection, &|config, quick| {
            let data = scenarec_data::identify(config, &roots.data, quick)?;
            let provenance = format!("{:?}", data.provenance).to_lowercase();
            let note = if data.note.is_empty() || data.note.starts_with(&provenance) {
                format!("{provenance} data{}", data.note.strip_prefix(&provenance).unwrap_or_default())
            } else {
                format!("{provenance} data: {}", data.note)
            };
            notes.borrow_mut().insert(config.dataset.clone(), note);
            Ok(data.fingerprint)
        })?;
        Ok((Plan::new(cells, &self.store)?, notes.into_inner()))
    }
}

/// `table1` is `csdm-table1` in the binary `csdm`.
fn full_name(catalog: &Catalog, paper: Option<&str>, name: &str) -> String {
    match paper {
        Some(paper) if !catalog.has("table", name) => format!("{paper}-{name}"),
        _ => name.to_string(),
    }
}

/// One line per table.
pub(super) fn list(roots: &Roots, paper: Option<&str>) -> Result<()> {
    let catalog = Catalog::open(&roots.configs());
    let mut lines = Vec::new();
    for name in catalog.names("table") {
        let spec = TableSpec::load(&catalog, &name)?;
        if paper.is_some_and(|p| p != spec.paper) {
            continue;
        }
        let title = spec.title.clone();
        let store = Store::open(&roots.runs, &roots.committed())?;
        let catalog = Catalog::open(&roots.configs());
        let session = Session { catalog, spec, selection: Selection::default(), store };
        // A dataset that cannot be read is no reason not to list the table.
        let runs = match session.plan(roots) {
            Ok((plan, _)) => {
                let runs: Vec<_> = plan.nodes.values().filter(|n| !n.is_stage()).collect();
                format!("{} of {} runs", runs.iter().filter(|r| r.finished).count(), runs.len())
            }
            Err(_) => "cannot be planned: see `plan`".into(),
        };
        lines.push((name, title, runs));
    }
    let width = lines.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        lines.into_iter().map(|(name, title, runs)| format!("{name:width$}  {title} ({runs})\n")).collect();
    print(&lines.concat())
}

/// Every combination's settings, resolved.
pub(super) fn show(roots: &Roots, paper: Option<&str>, args: &TableArgs) -> Result<()> {
    let session = Session::open(roots, paper, args)?;
    let (plan, notes) = session.plan(roots)?;
    let mut out = format!("# {}: {}\n", session.spec.name, session.spec.title);
    for (dataset, note) in notes {
        out += &format!("# {dataset}: {note}\n");
    }
    for cell in &plan.cells {
        out += "---\n";
        let coordinates: Vec<_> =
            cell.combination.coordinates.iter().map(|(d, v)| format!("{d} {v}")).collect();
        out += &format!("# {}\n", coordinates.join(", "));
        if let Some(reason) = &cell.combination.not_yet {
            out += &format!("not_yet: {reason:?}\n");
            continue;
        }
        let Some((_, first)) = cell.runs.first() else { continue };
        let node = &plan.nodes[first];
        let mut shown = serde_yaml::Mapping::new();
        let runs: BTreeMap<u64, &String> = cell.runs.iter().map(|(seed, id)| (*seed, id)).collect();
        shown.insert("runs".into(), serde_yaml::to_value(runs)?);
        shown.insert("needs".into(), serde_yaml::to_value(&node.inputs)?);
        shown.insert("job".into(), serde_yaml::to_value(id::job_json(&node.job)?)?);
        out += &serde_yaml::to_string(&shown)?;
    }
    print(&out)
}

/// Runs and stages, which exist, and how long the rest takes.
pub(super) fn plan(roots: &Roots, paper: Option<&str>, args: &PlanArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (plan, _) = session.plan(roots)?;
    let history = History::read(&session.store)?;
    let missing = plan.missing();
    if let Some(folder) = &args.orders {
        return orders(roots, &missing, folder);
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

/// Executes what is missing, writes the report's files and prints it.
pub(super) fn run(roots: &Roots, paper: Option<&str>, args: &RunArgs) -> Result<ExitCode> {
    let session = Session::open(roots, paper, &args.table)?;
    let (plan, notes) = session.plan(roots)?;
    let jobs = match args.jobs {
        Some(jobs) if session.spec.recipe.alone && jobs > 1 => {
            bail!("--jobs {jobs}: {name} measures time, so its runs stand alone", name = session.spec.name)
        }
        Some(jobs) => usize::from(jobs),
        None => default_jobs(&session),
    };
    let outcome = engine::execute(&plan, &session.store, roots, &Options { jobs })?;
    if outcome.interrupted {
        eprintln!("stopped; the same command goes on where this one was");
        return Ok(ExitCode::from(130));
    }
    let report = Report::new(&session.spec, &session.selection, &plan, &session.store, notes, false)?;
    let folder = roots.runs.join("reports");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (format, extension) in [(Format::Markdown, "md"), (Format::Csv, "csv")] {
        write(&folder.join(format!("{}.{extension}", report.file_stem())), &report.render(format)?)?;
    }
    print(&report.render(Format::Text)?)?;
    if outcome.failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("\n{} failed:", outcome.failures.len());
    for failure in &outcome.failures {
        eprint!("{}", explain(failure));
    }
    Ok(ExitCode::FAILURE)
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

/// Shows a table from what exists.
pub(super) fn report(roots: &Roots, paper: Option<&str>, args: &ReportArgs) -> Result<()> {
    let session = Session::open(roots, paper, &args.table)?;
    let (plan, notes) = session.plan(roots)?;
    let report = Report::new(&session.spec, &session.selection, &plan, &session.store, notes, args.stale)?;
    if args.publish {
        let n =
            session.store.publish(plan.nodes.values().filter(|n| !n.is_stage()).map(|n| n.id.as_str()))?;
        eprintln!("{n} runs copied to {}", roots.committed().display());
    }
    let text = report.render(args.format)?;
    match &args.out {
        Some(path) => write(path, &text),
        None => print(&text),
    }
}

/// Writes a file completely or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let file = AtomicFile::begin(path)?;
    fs::write(file.temporary(), text).with_context(|| format!("cannot write {}", path.display()))?;
    file.finish()
}

/// As many runs at once as there are cores for their threads; one on a GPU, and where time is what they measure.
fn default_jobs(session: &Session) -> usize {
    if session.selection.device == "cuda" || session.spec.recipe.alone {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |n| n.get() / session.selection.threads).max(1)
}
