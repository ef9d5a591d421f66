//! `data`: datasets.
mod fetch;
mod head;
mod verify;

use super::{Folders, print};
use crate::{
    roots::Roots,
    spec::{Catalog, Changes},
};
use anyhow::Result;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use scenarec_data::{DatasetConfig, Override, Prepared, Statistics};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Datasets, and whether their raw data is there.
    List {
        /// A line of JSON for each dataset.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Parse a dataset's raw files into the cache.
    Prepare(DataArgs),
    /// Rows, users, items and rates of positive rows of a dataset, its split and its scenarios.
    Stats(DataArgs),
    /// The first rows of a dataset, field by field.
    Head(head::HeadArgs),
    /// Download a dataset's official raw files, or tell how they are had.
    Fetch(DataArgs),
    /// Compare raw files with the official ones, and their numbers of rows, users and items with the papers'.
    Verify(DataArgs),
    /// Prepare simulated data in place of the raw files, and tell its statistics.
    Simulate(DataArgs),
}

#[derive(Debug, Args)]
pub(super) struct DataArgs {
    /// The dataset, as `data list` shows it.
    dataset: String,
    /// Rows of simulated data.
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    #[command(flatten)]
    folders: Folders,
}

pub(super) fn execute(root: Option<&Path>, command: &DataCommand) -> Result<ExitCode> {
    let roots = |f: &Folders| Roots::find(root, f.raw.as_deref(), f.runs.as_deref());
    match command {
        DataCommand::List { json, folders } => list(&roots(folders)?, *json)?,
        DataCommand::Prepare(a) => prepare(&roots(&a.folders)?, a, false)?,
        DataCommand::Stats(a) => stats(&roots(&a.folders)?, a, false)?,
        DataCommand::Head(a) => head::head(&roots(&a.data.folders)?, a)?,
        DataCommand::Fetch(a) => fetch::fetch(&roots(&a.folders)?, a)?,
        DataCommand::Verify(a) => return verify::verify(&roots(&a.folders)?, a),
        DataCommand::Simulate(a) => stats(&roots(&a.folders)?, a, true)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The dataset and how its rows are to be made.
fn choose(roots: &Roots, args: &DataArgs, simulate: bool) -> Result<(DatasetConfig, Override)> {
    let config = Catalog::open(&roots.configs()).dataset(&args.dataset, &Changes::default())?;
    Ok((config, Override { rows: args.rows, force_simulated: simulate, ..Override::default() }))
}

/// A dataset, and what its data would be.
#[derive(Serialize)]
struct Listed {
    dataset: String,
    reported_as: Option<String>,
    provenance: String,
    note: String,
}

fn list(roots: &Roots, json: bool) -> Result<()> {
    let catalog = Catalog::open(&roots.configs());
    let mut all = Vec::new();
    for dataset in catalog.names("dataset") {
        let config = catalog.dataset(&dataset, &Changes::default())?;
        let (provenance, note) = match scenarec_data::identify(&config, &roots.data, &Override::default()) {
            Ok(data) => (format!("{:?}", data.provenance).to_lowercase(), data.note),
            Err(e) => ("broken".into(), format!("{:#}", anyhow::Error::from(e))),
        };
        all.push(Listed { dataset, reported_as: config.reported_as, provenance, note });
    }
    if json {
        return all.iter().try_for_each(|dataset| print(&(serde_json::to_string(dataset)? + "\n")));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["dataset", "in the papers", "data", "note"]);
    for Listed { dataset, reported_as, provenance, note } in all {
        table.add_row([dataset, reported_as.unwrap_or_default(), provenance, note]);
    }
    print(&format!("{}\n", table.trim_fmt()))
}

fn prepare(roots: &Roots, args: &DataArgs, simulate: bool) -> Result<()> {
    let (config, quick) = choose(roots, args, simulate)?;
    let data = scenarec_data::prepare(&config, &roots.data, &quick)?.dataset;
    let provenance = format!("{:?}", data.provenance).to_lowercase();
    print(&format!("{}: {} rows, {provenance}; fingerprint {}\n", data.name, data.rows(), data.fingerprint))
}

fn stats(roots: &Roots, args: &DataArgs, simulate: bool) -> Result<()> {
    let (config, quick) = choose(roots, args, simulate)?;
    let Prepared { dataset: data, splits } = scenarec_data::prepare(&config, &roots.data, &quick)?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["part", "rows", "users", "items", "positive"]);
    let row = |name: String, s: &Statistics| {
        let count = |n: Option<usize>| n.map_or_else(|| "—".into(), |n| n.to_string());
        let rates: Vec<String> = s.positive_rate.iter().map(|r| format!("{r:.4}")).collect();
        [name, s.rows.to_string(), count(s.users), count(s.items), rates.join(" ")]
    };
    let mut parts = vec![("all".to_string(), scenarec_data::statistics(&data)?)];
    parts.extend(scenarec_data::split_statistics(&data, &splits)?);
    for (part, s) in parts {
        for (scenario, of) in data.schema.scenarios.iter().zip(&s.scenarios) {
            table.add_row(row(format!("{part}, {scenario}"), of));
        }
        table.add_row(row(part, &s));
    }
    let provenance = format!("{:?}", data.provenance).to_lowercase();
    let note = if data.note.is_empty() { String::new() } else { format!(" ({})", data.note) };
    let mut out = format!("{}: {provenance}{note}\n{}\n", data.name, table.trim_fmt());
    if let Some(p) = &data.click_probability {
        let best = scenarec_data::best_auc(p);
        out += &format!("best attainable expected AUC {best:.4}\n");
    }
    print(&out)
}
