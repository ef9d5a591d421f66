//! `report`.
use super::{print_bytes, select::Choice, session::Session};
use crate::{
    atomic::AtomicFile,
    report::{Format, Listed, Report, index, write_tensorboard},
    roots::Roots,
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// `report TABLE`
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The table, as `list` shows it.
    #[arg(required_unless_present = "all")]
    pub table: Option<String>,
    /// A page for every table, and one over all of them.
    #[arg(long, conflicts_with_all = ["table", "format", "out", "publish", "tensorboard", "only"])]
    pub all: bool,
    /// Show this format; without it text is shown, and all others are written to runs/reports.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write to a file, in the format that its name ends in.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where a run is missing, show the number of older code or data, marked.
    #[arg(long)]
    pub stale: bool,
    /// Add the table's finished runs on data that is not simulated to docs/results, where they count as finished for
    /// everybody who has the repository.
    #[arg(long)]
    pub publish: bool,
    /// Write learning curves as event files for TensorBoard, a folder per run and stage.
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    #[command(flatten)]
    pub choice: Choice,
}

/// Shows a table from what exists.
pub(super) fn report(roots: &Roots, paper: Option<&str>, args: &ReportArgs) -> Result<()> {
    let Some(table) = &args.table else { return all(roots, paper, args) };
    let session = Session::of(roots, paper, table, args.choice.selection()?)?;
    let (plan, notes) = session.plan(roots)?;
    let report = Report::new(&session.spec, &session.selection, &plan, &session.store, notes, args.stale)?;
    if args.publish {
        let runs = plan.nodes.values().filter(|n| !n.is_stage()).map(|n| n.id.as_str());
        let stem = report.file_stem();
        let n = session.store.clone().publish(&stem, runs)?;
        eprintln!("{n} runs added to {}/{stem}.jsonl", roots.published().display());
    }
    if let Some(folder) = &args.tensorboard {
        let n = write_tensorboard(&report, folder)?;
        eprintln!("learning curves of {n} runs and stages: tensorboard --logdir {}", folder.display());
    }
    let format = match (args.format, &args.out) {
        (None, Some(file)) => Format::of_file(file)?,
        (format, _) => format.unwrap_or(Format::Text),
    };
    ensure!(format != Format::Png || args.out.is_some(), "--format png needs --out FILE");
    let bytes = report.render(format, args.out.as_deref())?;
    match &args.out {
        Some(file) => write(file, &bytes)?,
        None => print_bytes(&bytes)?,
    }
    if args.format.is_none() && args.out.is_none() {
        write_files(&report, roots)?;
    }
    Ok(())
}

/// A page for every table, and one over all of them.
fn all(roots: &Roots, paper: Option<&str>, args: &ReportArgs) -> Result<()> {
    let folder = folder(roots)?;
    let mut listed = Vec::new();
    for session in Session::all(roots, paper, &args.choice.selection()?)? {
        let spec = &session.spec;
        let (plan, notes) = match session.plan(roots) {
            Ok(planned) => planned,
            // A dataset that cannot be read is no reason not to show the other tables.
            Err(e) => {
                listed.push(Listed::without(&spec.paper, &spec.name, &spec.title, format!("{e:#}")));
                continue;
            }
        };
        let report = Report::new(spec, &session.selection, &plan, &session.store, notes, args.stale)?;
        let file = format!("{}.{}", report.file_stem(), Format::Html.extension());
        write(&folder.join(&file), &report.render(Format::Html, None)?)?;
        listed.push(Listed::new(&report, &file));
    }
    let file = folder.join("index.html");
    write(&file, index(&listed))?;
    eprintln!("{} tables: {}", listed.len(), file.display());
    Ok(())
}

/// Writes all formats of a report but text to `runs/reports`.
pub(super) fn write_files(report: &Report, roots: &Roots) -> Result<()> {
    let folder = folder(roots)?;
    // Pictures first: Markdown shows what lies beside it.
    let pictures: &[Format] =
        if report.spec.layout.plot.is_some() { &[Format::Svg, Format::Png] } else { &[] };
    for format in pictures.iter().chain(&[Format::Markdown, Format::Csv, Format::Latex, Format::Html]) {
        let file = folder.join(format!("{}.{}", report.file_stem(), format.extension()));
        write(&file, report.render(*format, Some(&file))?)?;
    }
    let page = folder.join(report.file_stem()).with_extension(Format::Html.extension());
    eprintln!("report: {} (and as .md, .csv, .tex beside it)", page.display());
    Ok(())
}

fn folder(roots: &Roots) -> Result<PathBuf> {
    let folder = roots.runs.join("reports");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Writes a file completely or not at all.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let file = AtomicFile::begin(path)?;
    fs::write(file.temporary(), content).with_context(|| format!("cannot write {}", path.display()))?;
    file.finish()
}
