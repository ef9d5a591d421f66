//! `list`, `run` and `report`.
use super::{print, print_bytes, select::TableArgs};
use crate::{
    atomic::AtomicFile,
    engine::{self, Options},
    job::Job,
    plan::{Node, Plan},
    report::{Format, Report},
    roots::Roots,
    spec::{Catalog, Selection, TableSpec, resolve},
    store::{Failure, Store},
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

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
    /// Add the table's finished runs on data that is not simulated to docs/results, where they count as finished for
    /// everybody who has the repository.
    #[arg(long)]
    pub publish: bool,
}

/// A table with what is selected of it, its plan and its store.
pub(super) struct Session {
    catalog: Catalog,
    pub spec: TableSpec,
    selection: Selection,
    pub store: Store,
}

impl Session {
    pub fn open(roots: &Roots, paper: Option<&str>, args: &TableArgs) -> Result<Self> {
        let catalog = Catalog::open(&roots.configs());
        let name = full_name(&catalog, paper, &args.table);
        let spec = TableSpec::load(&catalog, &name)?;
        let store = Store::open(&roots.runs, &roots.published())?;
        Ok(Self { spec, selection: args.selection()?, store, catalog })
    }

    /// The plan, and what a reader must know about every dataset.
    pub fn plan(&self, roots: &Roots) -> Result<(Plan, BTreeMap<String, String>)> {
        let notes = std::cell::RefCell::new(BTreeMap::new());
        let fingerprint = |config: &scenarec_data::DatasetConfig, quick: &_| {
            let data = scenarec_data::identify(config, &roots.data, quick)?;
            let provenance = format!("{:?}", data.provenance).to_lowercase();
            let note = if data.note.is_empty() || data.note.starts_with(&provenance) {
                format!("{provenance} data{}", data.note.strip_prefix(&provenance).unwrap_or_default())
            } else {
                format!("{provenance} data: {}", data.note)
            };
            let names = self.spec.datasets_of(&config.dataset).map(|name| (name.to_string(), note.clone()));
            notes.borrow_mut().extend(names);
            Ok(data.fingerprint)
        };
        let score = |best: &_, jobs: &[_]| self.store.score(best, jobs);
        let cells = resolve(&self.spec, &self.catalog, &self.selection, &fingerprint, &score)?;
        Ok((Plan::new(cells, &self.store)?, notes.into_inner()))
    }

    /// The only combination's run with a seed, and what a reader must know about its data, a line per dataset. An error where
    /// the table is not one of `recipe`, or several combinations are left.
    pub fn only_job(&self, roots: &Roots, recipe: &str, seed: u64) -> Result<(Job, String)> {
        let of = self.spec.recipe.name;
        ensure!(of == recipe, "{} is a table of the recipe {of}, not of {recipe}", self.spec.name);
        let (plan, notes) = self.plan(roots)?;
        ensure!(
            plan.cells.len() == 1,
            "{} combinations of {} are left: every dimension needs an --only with one entry",
            plan.cells.len(),
            self.spec.name
        );
        let [(_, id), ..] = &plan.cells[0].runs[..] else { bail!("this combination cannot be computed") };
        let job = Job { seed, ..plan.nodes[id].job.clone() };
        Ok((job, notes.into_iter().map(|(dataset, note)| format!("{dataset}: {note}\n")).collect()))
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
    let store = Store::open(&roots.runs, &roots.published())?;
    let mut lines = Vec::new();
    for name in catalog.names("table") {
        let spec = TableSpec::load(&catalog, &name)?;
        if paper.is_some_and(|p| p != spec.paper) {
            continue;
        }
        let title = spec.title.clone();
        let catalog = Catalog::open(&roots.configs());
        let session = Session { catalog, spec, selection: Selection::default(), store: store.clone() };
        // A dataset that cannot be read is no reason not to list the table.
        let runs = match session.plan(roots) {
            Ok((plan, _)) => coverage(&plan),
            Err(_) => "cannot be planned: see `plan`".into(),
        };
        lines.push((name, title, runs));
    }
    let width = lines.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        lines.into_iter().map(|(name, title, runs)| format!("{name:width$}  {title} ({runs})\n")).collect();
    print(&lines.concat())
}

/// "3 of 30 runs, 8 of 8 trials"
fn coverage(plan: &Plan) -> String {
    let runs = plan.nodes.values().filter(|n| !n.is_stage());
    let (trials, runs): (Vec<&Node>, Vec<&Node>) = runs.partition(|n| n.trial.is_some());
    let finished = |of: &[&Node]| of.iter().filter(|n| n.finished).count();
    let mut text = format!("{} of {} runs", finished(&runs), runs.len() + plan.undecided());
    if !trials.is_empty() {
        text += &format!(", {} of {} trials", finished(&trials), trials.len());
    }
    text
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
        None => default_jobs(&session),
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
    let folder = roots.runs.join("reports");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Pictures first: Markdown shows what lies beside it.
    let pictures: &[Format] =
        if session.spec.layout.plot.is_some() { &[Format::Svg, Format::Png] } else { &[] };
    for format in pictures.iter().chain(&[Format::Markdown, Format::Csv]) {
        let file = folder.join(format!("{}.{}", report.file_stem(), format.extension()));
        write(&file, &report.render(*format, Some(&file))?)?;
    }
    print_bytes(&report.render(Format::Text, None)?)?;
    if outcome.failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("\n{} failed:", outcome.failures.len());
    for failure in outcome.failures.values() {
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
    anyhow::ensure!(args.format != Format::Png || args.out.is_some(), "--format png needs --out FILE");
    let session = Session::open(roots, paper, &args.table)?;
    let (plan, notes) = session.plan(roots)?;
    let report = Report::new(&session.spec, &session.selection, &plan, &session.store, notes, args.stale)?;
    if args.publish {
        let runs = plan.nodes.values().filter(|n| !n.is_stage()).map(|n| n.id.as_str());
        let stem = report.file_stem();
        let n = session.store.clone().publish(&stem, runs)?;
        eprintln!("{n} runs added to {}/{stem}.jsonl", roots.published().display());
    }
    let bytes = report.render(args.format, args.out.as_deref())?;
    match &args.out {
        Some(path) => write(path, &bytes),
        None => print_bytes(&bytes),
    }
}

/// Writes a file completely or not at all.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let file = AtomicFile::begin(path)?;
    fs::write(file.temporary(), content).with_context(|| format!("cannot write {}", path.display()))?;
    file.finish()
}

/// As many runs at once as there are cores for their threads; one on a GPU, and where time is what they measure.
pub(super) fn default_jobs(session: &Session) -> usize {
    if session.selection.device == "cuda" || session.spec.recipe.alone {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |n| n.get() / session.selection.threads).max(1)
}
