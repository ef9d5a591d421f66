//! Settings that are chosen before a table's runs, by trials that are evaluated on validation rows.
use super::{
    Coordinates,
    changes::{Changes, RawChanges},
    names::{Names, unknown_name},
    resolve::combinations,
    score::{Best, RawBest},
    source::{KeyPath, Place, Source},
    table::TableSpec,
};
use anyhow::Result;
use globset::Glob;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;
use std::sync::Arc;

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSearch {
    method: Option<String>,
    model: Option<String>,
    #[serde(default)]
    values: IndexMap<String, Vec<Value>>,
    #[serde(default)]
    run: IndexMap<String, Vec<Value>>,
    #[serde(default, rename = "where")]
    filter: IndexMap<String, Names>,
    #[serde(default)]
    changes: RawChanges,
    seeds: u64,
    best: RawBest,
}

/// A key and the values it is tried with.
#[derive(Clone, Debug)]
struct Axis {
    /// `run`, `model` or `method`.
    section: &'static str,
    /// Name or glob of the model or method; empty for `run`.
    glob: String,
    /// Its key, with dots.
    key: String,
    values: Vec<Value>,
    /// Where the list stands.
    path: KeyPath,
}

/// Values of all keys of a search.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Key and value, in the order of the spec.
    pub values: Vec<(String, Value)>,
    /// The same as changes.
    pub(super) changes: Changes,
}

impl Tried {
    /// "rho = 0.01, stride = 10"
    pub fn text(&self) -> String {
        let one = |(key, value): &(String, Value)| match value {
            Value::String(text) => format!("{key} = {text}"),
            // One line, whatever it is.
            other => format!("{key} = {}", serde_json::to_string(other).unwrap_or_default()),
        };
        self.values.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// A checked search.
#[derive(Clone, Debug)]
pub struct Search {
    axes: Vec<Axis>,
    /// Dimension -> entries whose combinations are searched; no restriction where a dimension is not named.
    entries: IndexMap<String, Vec<String>>,
    /// What a trial changes besides.
    pub changes: Changes,
    /// Seeds of every trial.
    pub seeds: u64,
    /// What decides.
    pub best: Best,
    source: Arc<Source>,
    path: KeyPath,
}

impl RawSearch {
    /// Checks the search number `i` against the grid: `(dimension, its entries)`.
    pub(super) fn check(
        self,
        i: usize,
        grid: &IndexMap<String, Vec<String>>,
        source: &Arc<Source>,
    ) -> Result<Search> {
        let at = |keys: &[&str]| -> KeyPath {
            ["search".to_string(), i.to_string()]
                .into_iter()
                .chain(keys.iter().map(|k| k.to_string()))
                .collect()
        };
        let mut entries = IndexMap::new();
        let mut keep = |dimension: &str, globs: &[String], path: KeyPath| -> Result<()> {
            let error = |message: String| source.error_at(&path, message);
            let known = grid.get(dimension).map_or(&[][..], Vec::as_slice);
            let mut kept = Vec::new();
            for text in globs {
                let glob = Glob::new(text).map_err(|e| error(format!("not a glob: {e}")))?.compile_matcher();
                let before = kept.len();
                kept.extend(known.iter().filter(|e| glob.is_match(e)).cloned());
                if kept.len() == before {
                    return Err(error(unknown_name(dimension, text, known.iter().map(String::as_str))));
                }
            }
            entries.insert(dimension.to_string(), kept);
            Ok(())
        };
        for (dimension, names) in &self.filter {
            if !grid.contains_key(dimension) {
                let message = unknown_name("dimension", dimension, grid.keys().map(String::as_str));
                return Err(source.error_at_key(&at(&["where", dimension]), message));
            }
            keep(dimension, &names.0, at(&["where", dimension]))?;
        }
        let component = match (self.model, self.method) {
            (Some(_), Some(_)) => {
                let message = "values belong to a model or to a method: name the other one under `where`";
                return Err(source.error_at_key(&at(&["model"]), message));
            }
            (Some(name), None) => Some(("model", name)),
            (None, Some(name)) => Some(("method", name)),
            (None, None) => None,
        };
        if let Some((kind, _)) = component.as_ref().filter(|(kind, _)| self.filter.contains_key(*kind)) {
            let message = format!("the search names its {kind} above already");
            return Err(source.error_at_key(&at(&["where", kind]), message));
        }
        if let Some((kind, glob)) = &component {
            keep(kind, std::slice::from_ref(glob), at(&[kind]))?;
        }
        let mut axes = Vec::new();
        if let Some((section, glob)) = component {
            axes.extend(self.values.into_iter().map(|(key, values)| {
                let path = at(&["values", &key]);
                Axis { section, glob: glob.clone(), key, values, path }
            }));
        } else if !self.values.is_empty() {
            let message = "whose values? (name a `method` or a `model`; the recipe's are under `run`)";
            return Err(source.error_at_key(&at(&["values"]), message));
        }
        axes.extend(self.run.into_iter().map(|(key, values)| {
            let path = at(&["run", &key]);
            Axis { section: "run", glob: String::new(), key, values, path }
        }));
        if axes.is_empty() {
            return Err(source.error_at(&at(&[]), "nothing to try: expected `values` or `run`"));
        }
        if let Some(axis) = axes.iter().find(|a| a.values.is_empty()) {
            return Err(source.error_at(&axis.path, "a list without values to try"));
        }
        if self.seeds == 0 {
            return Err(source.error_at(&at(&["seeds"]), "a trial needs at least one seed"));
        }
        for (key, there, message) in [
            (
                "dataset",
                !self.changes.dataset.is_empty(),
                "on other splits, validation rows may be test rows",
            ),
            ("search", self.changes.search.is_some(), "a trial has no search of its own"),
        ] {
            if there {
                return Err(source.error_at_key(&at(&["changes", key]), message));
            }
        }
        let best = self.best.check(source, &at(&["best"]))?;
        let changes = Changes::from_file(self.changes, source, &["search", &i.to_string(), "changes"]);
        Ok(Search { axes, entries, changes, seeds: self.seeds, best, source: source.clone(), path: at(&[]) })
    }
}

impl Search {
    /// Whether a combination is searched.
    pub fn applies(&self, coordinates: &Coordinates) -> bool {
        self.entries.iter().all(|(dimension, kept)| kept.contains(&coordinates[dimension]))
    }

    /// Every combination of values, the first key changing slowest.
    pub fn tried(&self) -> Vec<Tried> {
        self.axes.iter().fold(vec![Tried::default()], |before, axis| {
            let extend = |t: &Tried| {
                let t = t.clone();
                axis.values.iter().enumerate().map(move |(i, value)| {
                    let at = (&self.source, &axis.path, i);
                    let change = Changes::tried(axis.section, &axis.glob, &axis.key, value, at);
                    let name =
                        if axis.section == "run" { format!("run.{}", axis.key) } else { axis.key.clone() };
                    let mut values = t.values.clone();
                    values.push((name, value.clone()));
                    Tried { values, changes: t.changes.then(&change) }
                })
            };
            before.iter().flat_map(extend).collect()
        })
    }

    /// Where `set`, which has the last word, changes a searched key for a combination, if it does.
    pub(super) fn overruled(&self, set: &Changes, coordinates: &Coordinates) -> Result<Option<Place>> {
        for axis in &self.axes {
            let name = coordinates.get(axis.section).map_or("", String::as_str);
            if let Some(place) = set.place_of(axis.section, name, &axis.key)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The error where a trial would be evaluated on test rows.
    pub(super) fn on_test_rows(&self, recipe: &str) -> anyhow::Error {
        let message = format!(
            "a trial would be evaluated on test rows, by which nothing may be chosen: change settings of the recipe \
             {recipe} here so that it is evaluated on validation rows"
        );
        let path: KeyPath = self.path.iter().cloned().chain(["changes".into()]).collect();
        self.source.error_at_key(&path, message)
    }
}

/// At most one search applies to each combination of the table.
pub(super) fn check_one_each(spec: &TableSpec) -> Result<()> {
    for combination in combinations(&spec.dimensions) {
        let mut applying = spec.searches.iter().filter(|s| s.applies(&combination.coordinates));
        applying.next();
        if let Some(second) = applying.next() {
            let names: Vec<_> = combination.coordinates.iter().map(|(d, v)| format!("{d} {v}")).collect();
            let message = format!("another search applies to {} already", names.join(", "));
            return Err(spec.source.error_at_key(&second.path, message));
        }
    }
    Ok(())
}
