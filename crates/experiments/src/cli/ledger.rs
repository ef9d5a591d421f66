//! `compare` and `leaderboard`.
use super::{Folders, print};
use crate::{
    ledger::{self, Entry, Leaderboard, Query},
    metric::{self, METRICS, Metric},
    roots::Roots,
    spec::Catalog,
    store::Store,
};
use anyhow::{Context, Result};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

/// `compare RUN RUN`
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The beginning of a run's or stage's id, as `plan` and `leaderboard` show it.
    pub first: String,
    /// Of another one.
    pub second: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub folders: Folders,
}

/// `leaderboard DATASET`
#[derive(Debug, Args)]
pub(super) struct LeaderboardArgs {
    /// The dataset, as `data list` shows it.
    pub dataset: String,
    /// A score: auc, logloss, …
    #[arg(long, default_value = "auc")]
    pub metric: String,
    /// The phase, scenario or task that decides the order.
    #[arg(long, value_name = "COLUMN")]
    pub by: Option<String>,
    /// Only runs with this setting, for example model.name=deepfm or run.training.epochs=2; may be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub only: Vec<String>,
    /// Runs of quick mode too.
    #[arg(long)]
    pub quick: bool,
    /// So many lines at most.
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub top: usize,
    /// A line of JSON for each entry.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub folders: Folders,
}

/// Columns of a terminal are enough for so many numbers.
const SHOWN: usize = 6;
/// Settings that are shown of an entry.
const SETTINGS: usize = 3;

/// What differs between two runs.
pub(super) fn compare(roots: &Roots, args: &CompareArgs) -> Result<()> {
    let store = Store::open(&roots.runs, &roots.published())?;
    let both = ledger::compare(&store, [&args.first, &args.second])?;
    if args.json {
        return print(&(serde_json::to_string(&both)? + "\n"));
    }
    let mut out = String::new();
    for run in &both.runs {
        out += &format!("{}  {} ({} data{})\n", run.id, run.what, run.provenance, of_code(run.older));
    }
    if both.settings.is_empty() {
        out += "\nThe same settings.\n";
    } else {
        let mut table = plain(&["setting", "first", "second"]);
        for (path, [a, b]) in &both.settings {
            let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "—".into());
            table.add_row([path.clone(), shown(a), shown(b)]);
        }
        out += &format!("\n{}\n", table.trim_fmt());
    }
    let mut table = plain(&["of", "metric", "first", "second", "difference"]);
    for number in &both.numbers {
        let [a, b] = number.values.map(|v| number.shown(v));
        table.add_row([number.of.clone(), number.metric.clone(), a, b, number.shown_difference()]);
    }
    right(&mut table, 2);
    print(&format!("{out}\n{}\n", table.trim_fmt()))
}

/// The best runs on a dataset.
pub(super) fn leaderboard(roots: &Roots, args: &LeaderboardArgs) -> Result<()> {
    let catalog = Catalog::open(&roots.configs());
    anyhow::ensure!(catalog.has("dataset", &args.dataset), catalog.unknown("dataset", &args.dataset));
    let filter = |text: &String| {
        let (path, value) =
            text.split_once('=').with_context(|| format!("--only {text}: expected PATH=VALUE"))?;
        anyhow::Ok((path.to_string(), value.to_string()))
    };
    let filters: Vec<(String, String)> = args.only.iter().map(filter).collect::<Result<_>>()?;
    let store = Store::open(&roots.runs, &roots.published())?;
    let query = Query {
        dataset: &args.dataset,
        metric: score(&args.metric)?,
        by: args.by.as_deref(),
        filters: &filters,
        quick: args.quick,
    };
    let board = ledger::leaderboard(&store, &query)?;
    let shown = &board.entries[..board.entries.len().min(args.top)];
    if args.json {
        return shown.iter().try_for_each(|entry| print(&(serde_json::to_string(entry)? + "\n")));
    }
    print(&text(&board, shown, query.metric))
}

fn of_code(older: bool) -> &'static str {
    if older { ", older code" } else { "" }
}

fn score(name: &str) -> Result<&'static Metric> {
    let scores = || METRICS.iter().filter(|m| m.is_score);
    let found = metric::find(name).filter(|m| m.is_score);
    found.with_context(|| {
        let known: Vec<&str> = scores().map(|m| m.name).collect();
        format!("--metric {name}: no score (known: {})", known.join(", "))
    })
}

fn text(board: &Leaderboard, shown: &[Entry], metric: &Metric) -> String {
    let columns = &board.columns[..board.columns.len().min(SHOWN)];
    let mut header = vec!["", "model", "method"];
    header.extend(columns.iter().map(String::as_str));
    header.extend(["seeds", "data", "run", "settings of its own"]);
    let mut table = plain(&header);
    for (i, entry) in shown.iter().enumerate() {
        let mut row = vec![(i + 1).to_string(), entry.model.clone(), entry.method.clone()];
        row.extend(columns.iter().map(|c| number(entry, c, metric)));
        let run = entry.runs.values().next().map(|id| id[..8].to_string());
        let data = format!("{}{}", entry.provenance, of_code(entry.older));
        row.extend([entry.runs.len().to_string(), data, run.unwrap_or_default()]);
        let own = entry.settings.iter().take(SETTINGS).map(|(path, value)| format!("{path}={value}"));
        let more = entry.settings.len().saturating_sub(SETTINGS);
        let more = (more > 0).then(|| format!("… {more} more"));
        row.push(own.chain(more).collect::<Vec<_>>().join(" "));
        table.add_row(row);
    }
    let better = if metric.better == Some(metric::Better::Lower) { "lower" } else { "higher" };
    let mut out = format!("{}: {}, {better} is better, by {}\n\n", board.dataset, metric.label, columns[0]);
    out += &format!("{}\n", table.trim_fmt());
    let hidden = (board.entries.len() - shown.len(), board.columns.len() - columns.len());
    match hidden {
        (0, 0) => {}
        (lines, 0) => out += &format!("\n{lines} more (--top)\n"),
        (lines, more) => out += &format!("\n{lines} more lines (--top), {more} more columns (--json)\n"),
    }
    out
}

fn number(entry: &Entry, column: &str, metric: &Metric) -> String {
    match (entry.means.get(column), entry.deviations.get(column)) {
        (Some(mean), Some(d)) => format!("{}±{}", metric.number(*mean), metric.number(*d)),
        (Some(mean), None) => metric.number(*mean),
        (None, _) => "—".into(),
    }
}

fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

fn right(table: &mut Table, from: usize) {
    for i in from..table.column_count() {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
