//! `data verify`: raw files beside the official ones, and their statistics beside the papers'.
use super::{DataArgs, choose, print};
use crate::cli::{
    run::{RunArgs, run},
    select::{Choice, TableArgs},
};
use crate::{
    roots::Roots,
    spec::{Catalog, TableSpec},
};
use anyhow::{Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use scenarec_data::{DatasetConfig, FileCheck, Source, official::Entry};
use std::path::Path;
use std::process::ExitCode;

/// Fails where a file is not the official one.
pub(super) fn verify(roots: &Roots, args: &DataArgs) -> Result<ExitCode> {
    let (config, quick) = choose(roots, args, false)?;
    let folder = match config.source(&roots.data, &quick)? {
        Source::Raw(folder) => folder,
        Source::Simulated(_) | Source::Completed { .. } => bail!(
            "{} does not hold the raw files of {name}, whose rows would be simulated; `scenarec data fetch {name}` gets them or tells where they are",
            roots.data.raw.join(&config.raw).display(),
            name = config.dataset
        ),
    };
    let files = config.check_files(&folder)?;
    print(&table_of(&config, &folder, &files))?;
    let names = statistics_tables(roots, &config)?;
    for name in &names {
        print("\n")?;
        let choice = Choice::of(&[format!("dataset={}", config.dataset)], &args.folders);
        let table = TableArgs { table: name.clone(), choice };
        let code = run(roots, None, &RunArgs { table, jobs: None })?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    if names.is_empty() {
        print("\nNo paper prints statistics of this dataset; these are ours:\n\n")?;
        super::stats(roots, args, false)?;
    }
    let all = files.iter().all(|file| file.recognised);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tables of the papers' statistics that this dataset is in.
fn statistics_tables(roots: &Roots, config: &DatasetConfig) -> Result<Vec<String>> {
    let catalog = Catalog::open(&roots.configs());
    let mut found = Vec::new();
    for name in catalog.names("table") {
        let spec = TableSpec::load(&catalog, &name)?;
        if spec.recipe.name == "statistics" && spec.datasets_of(&config.dataset).next().is_some() {
            found.push(name);
        }
    }
    Ok(found)
}

fn table_of(config: &DatasetConfig, folder: &Path, files: &[FileCheck]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "file",
        "bytes",
        "official (some rounded)",
        "lines",
        "official",
        "is",
    ]);
    for file in files {
        let known = |n: Option<u64>| n.map_or("not known".into(), |n| n.to_string());
        let entry = Entry::of(&config.raw).and_then(|e| e.files.iter().find(|f| f.name == file.name));
        let (bytes, lines) =
            (entry.and_then(|official| official.bytes), file.official_lines.map(|n| n as u64));
        let is = match &file.verdict {
            Some((provenance, note)) if note.is_empty() => provenance.to_string(),
            Some((provenance, note)) => format!("{provenance}: {note}"),
            None => "no checksum is known".into(),
        };
        table.add_row([
            file.name.clone(),
            file.bytes.to_string(),
            known(bytes),
            file.lines.to_string(),
            known(lines),
            is,
        ]);
    }
    for column in 1..5 {
        table.column_mut(column).expect("six columns").set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n\n{}\n", folder.display(), table.trim_fmt())
}
