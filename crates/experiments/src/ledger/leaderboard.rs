//! The best on a dataset, over the runs of all tables.
use super::{is_older, settings, text};
use crate::{
    id,
    metric::{Better, Metric},
    store::{Finished, Store},
};
use anyhow::{Result, ensure};
use scenarec_train::{Measure, metrics::statistics};
use serde::Serialize;
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked.
pub struct Query<'a> {
    /// The dataset, as in `configs/datasets`.
    pub dataset: &'a str,
    /// A score.
    pub metric: &'static Metric,
    /// The phase, scenario or task that decides the order, as a column is called; the first one where it is not given.
    pub by: Option<&'a str>,
    /// Only runs whose setting at this path is this one, for example `model.name` and `deepfm`.
    pub filters: &'a [(String, String)],
    /// Runs of quick mode too.
    pub quick: bool,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct Leaderboard {
    /// The dataset.
    pub dataset: String,
    /// The metric.
    pub metric: String,
    /// What the columns are of, that which decides first: phases, scenarios, tasks.
    pub columns: Vec<String>,
    /// The best first.
    pub entries: Vec<Entry>,
}

/// Runs that differ in their seeds only.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The model's name.
    pub model: String,
    /// The method's name; empty where there is none.
    pub method: String,
    /// Settings in which it differs from other entries of the same model and method.
    pub settings: BTreeMap<String, String>,
    /// What the data is.
    pub provenance: String,
    /// Whether some of its runs are of older code.
    pub older: bool,
    /// Ids by seed.
    pub runs: BTreeMap<u64, String>,
    /// Mean over seeds by column.
    pub means: BTreeMap<String, f64>,
    /// Deviation over seeds by column, where there are at least two.
    pub deviations: BTreeMap<String, f64>,
}

/// By question and provenance.
type Groups = BTreeMap<(String, String), Group>;

struct Group {
    settings: BTreeMap<String, Value>,
    provenance: String,
    runs: BTreeMap<u64, Chosen>,
    values: BTreeMap<u64, BTreeMap<String, f64>>,
}

/// The run of a seed.
struct Chosen {
    ended: u64,
    older: bool,
    id: String,
}

/// Ranks all finished runs on the dataset. Of runs of the same settings and seed on data of the same provenance, the one that ended
/// last counts.
///
/// # Errors
/// No run is there, or none has the wanted column.
pub fn leaderboard(store: &Store, query: &Query<'_>) -> Result<Leaderboard> {
    let mut groups: Groups = BTreeMap::new();
    let mut columns: Vec<String> = Vec::new();
    for run in store.finished(false)? {
        if run.job.dataset.config.dataset != query.dataset || (!query.quick && is_quick(&run)?) {
            continue;
        }
        let of = settings(&run.job)?;
        let fits = |(path, wanted): &(String, String)| of.get(path).is_some_and(|v| text(v) == *wanted);
        if !query.filters.iter().all(fits) {
            continue;
        }
        let measures = store.measures(&run.id, false)?.unwrap_or_default();
        let own: Vec<&Measure> =
            measures.iter().filter(|m| m.stage == "evaluate" && is(m, query.metric)).collect();
        let Some(first) = own.first() else { continue };
        let ended = store.environment(&run.id, false)?.map_or(0, |of| of.ended);
        let mut job = run.job.clone();
        let seed = std::mem::take(&mut job.seed);
        let group = groups.entry((id::question(&job)?, first.provenance.clone())).or_insert_with(|| Group {
            settings: of,
            provenance: first.provenance.clone(),
            runs: BTreeMap::new(),
            values: BTreeMap::new(),
        });
        if group.runs.get(&seed).is_some_and(|before| before.ended > ended) {
            continue;
        }
        for m in &own {
            let column = column(m);
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        group.values.insert(seed, own.iter().map(|m| (column(m), m.value)).collect());
        group.runs.insert(seed, Chosen { ended, older: is_older(&run), id: run.id });
    }
    ensure!(
        !groups.is_empty(),
        "no finished run on {} has the metric {}: `list` shows tables, `run TABLE` makes runs",
        query.dataset,
        query.metric.name
    );
    let by = query.by.or_else(|| columns.iter().map(String::as_str).find(|c| c.starts_with("all")));
    let by = by.unwrap_or(&columns[0]).to_string();
    let at = columns.iter().position(|c| *c == by);
    ensure!(at.is_some(), "no run has numbers of {by:?} (there are: {})", columns.join(", "));
    columns[..=at.unwrap_or_default()].rotate_right(1);
    let mut entries: Vec<Entry> = groups.values().map(|group| entry(group, &groups)).collect();
    let key = |e: &Entry| e.means.get(&by).copied();
    entries.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) if query.metric.better == Some(Better::Lower) => a.total_cmp(&b),
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    Ok(Leaderboard { dataset: query.dataset.into(), metric: query.metric.name.into(), columns, entries })
}

fn is(measure: &Measure, metric: &Metric) -> bool {
    metric.measure.is_some_and(|(name, _)| name == measure.metric)
}

fn is_quick(run: &Finished) -> Result<bool> {
    let quick = serde_json::to_value(&run.job.dataset.quick)?;
    Ok(quick != serde_json::to_value(scenarec_data::Override::default())?)
}

/// Phase, scenario and task of an evaluation; a single task is not named.
fn column(m: &Measure) -> String {
    let task = if m.scenario == "all" || m.task == "click" { "" } else { m.task.as_str() };
    let parts = [m.phase.as_str(), m.scenario.as_str(), task];
    let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if named.is_empty() { "all".into() } else { named.join(" ") }
}

fn name<'a>(group: &'a Group, path: &str) -> &'a str {
    group.settings.get(path).and_then(Value::as_str).unwrap_or_default()
}

fn entry(group: &Group, all: &Groups) -> Entry {
    let [model, method] = ["model.name", "method.name"].map(|path| name(group, path));
    let alike = |other: &&Group| name(other, "model.name") == model && name(other, "method.name") == method;
    let alike: Vec<&Group> = all.values().filter(alike).collect();
    let paths: BTreeSet<&String> = alike.iter().flat_map(|g| g.settings.keys()).collect();
    let mut differing = paths.into_iter().filter(|path| {
        path.as_str() != "seed" && alike.iter().any(|g| g.settings.get(*path) != group.settings.get(*path))
    });
    let settings =
        differing.by_ref().map(|path| (path.clone(), group.settings.get(path).map_or("—".into(), text)));
    let settings = settings.collect();
    let mut by_column: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (column, value) in group.values.values().flatten() {
        by_column.entry(column.clone()).or_default().push(*value);
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let deviation =
        |(column, values): (&String, &Vec<f64>)| Some((column.clone(), statistics::deviation(values)?));
    Entry {
        model: model.into(),
        method: method.into(),
        settings,
        provenance: group.provenance.clone(),
        older: group.runs.values().any(|run| run.older),
        runs: group.runs.iter().map(|(seed, run)| (*seed, run.id.clone())).collect(),
        means: by_column.iter().map(|(column, values)| (column.clone(), mean(values))).collect(),
        deviations: by_column.iter().filter_map(deviation).collect(),
    }
}
