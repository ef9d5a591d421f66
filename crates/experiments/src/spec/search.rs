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

/// Where a search stands.
struct At<'a> {
    source: &'a Arc<Source>,
    path: KeyPath,
}

impl At<'_> {
    fn path(&self, below: &[&str]) -> KeyPath {
        self.path.iter().cloned().chain(below.iter().map(|k| k.to_string())).collect()
    }

    fn error(&self, below: &[&str], message: impl Into<String>) -> anyhow::Error {
        self.source.error_at(&self.path(below), message)
    }

    fn error_at_key(&self, below: &[&str], message: impl Into<String>) -> anyhow::Error {
        self.source.error_at_key(&self.path(below), message)
    }

    /// Entries of a dimension that match one of the globs, which stand at `below`; each must match one.
    fn matching(
        &self,
        globs: &[String],
        dimension: &str,
        known: &[String],
        below: &[&str],
    ) -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for text in globs {
            let glob = Glob::new(text).map_err(|e| self.error(below, format!("not a glob: {e}")))?;
            let (glob, before) = (glob.compile_matcher(), kept.len());
            kept.extend(known.iter().filter(|e| glob.is_match(e)).cloned());
            if kept.len() == before {
                let message = unknown_name(dimension, text, known.iter().map(String::as_str));
                return Err(self.error(below, message));
            }
        }
        Ok(kept)
    }
}

impl RawSearch {
    /// Checks the search number `i` against the grid: `(dimension, its entries)`.
    pub(super) fn check(
        self,
        i: usize,
        grid: &IndexMap<String, Vec<String>>,
        source: &Arc<Source>,
    ) -> Result<Search> {
        let at = At { source, path: vec!["search".into(), i.to_string()] };
        let component = match (self.model, self.method) {
            (Some(_), Some(_)) => {
                let message = "values belong to a model or to a method: name the other one under `where`";
                return Err(at.error_at_key(&["model"], message));
            }
            (Some(name), None) => Some(("model", name)),
            (None, Some(name)) => Some(("method", name)),
            (None, None) => None,
        };
        let mut entries = IndexMap::new();
        if let Some((kind, glob)) = &component {
            let known = grid.get(*kind).map_or(&[][..], Vec::as_slice);
            let kept = at.matching(std::slice::from_ref(glob), kind, known, &[kind])?;
            entries.insert(kind.to_string(), kept);
        }
        for (dimension, names) in &self.filter {
            let below = ["where", dimension];
            let Some(known) = grid.get(dimension) else {
                let message = unknown_name("dimension", dimension, grid.keys().map(String::as_str));
                return Err(at.error_at_key(&below, message));
            };
            if entries.contains_key(dimension) {
                let message = format!("the search names its {dimension} above already");
                return Err(at.error_at_key(&below, message));
            }
            entries.insert(dimension.clone(), at.matching(&names.0, dimension, known, &below)?);
        }

        if component.is_none() && !self.values.is_empty() {
            let message = "whose values? (name a `method` or a `model`; the recipe's are under `run`)";
            return Err(at.error_at_key(&["values"], message));
        }
        let (section, glob) = component.unwrap_or(("run", String::new()));
        let own = self.values.into_iter().map(|(key, values)| {
            let path = at.path(&["values", &key]);
            Axis { section, glob: glob.clone(), key, values, path }
        });
        let recipe = self.run.into_iter().map(|(key, values)| {
            let path = at.path(&["run", &key]);
            Axis { section: "run", glob: String::new(), key, values, path }
        });
        let axes: Vec<Axis> = own.chain(recipe).collect();
        if axes.is_empty() {
            return Err(at.error(&[], "nothing to try: expected `values` or `run`"));
        }
        if let Some(axis) = axes.iter().find(|a| a.values.is_empty()) {
            return Err(source.error_at(&axis.path, "a list without values to try"));
        }

        if self.seeds == 0 {
            return Err(at.error(&["seeds"], "a trial needs at least one seed"));
        }
        if !self.changes.dataset.is_empty() {
            let message = "on other splits, validation rows may be test rows";
            return Err(at.error_at_key(&["changes", "dataset"], message));
        }
        if self.changes.search.is_some() {
            return Err(at.error_at_key(&["changes", "search"], "a trial has no search of its own"));
        }
        let best = self.best.check(source, &at.path(&["best"]))?;
        let changes = Changes::from_file(self.changes, source, &["search", &i.to_string(), "changes"]);
        Ok(Search { axes, entries, changes, seeds: self.seeds, best, source: source.clone(), path: at.path })
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
