//! A table's spec.
use super::{
    catalog::{Catalog, recipe},
    changes::{Changes, RawChanges},
    entry::{Entry, RawEntry},
    layout::{Layout, RECORDED, RawLayout},
    names::unknown_name,
    reported::{RawReported, Reported},
    source::Source,
};
use crate::recipes::Recipe;
use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use std::sync::Arc;

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    table: String,
    paper: String,
    title: String,
    reported: Option<RawReported>,
    seeds: u64,
    grid: IndexMap<String, Vec<RawEntry>>,
    run: Mapping,
    #[serde(default)]
    profiles: IndexMap<String, RawChanges>,
    quick: RawQuick,
    layout: RawLayout,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuick {
    seeds: u64,
    rows: u64,
    #[serde(default)]
    changes: RawChanges,
}

/// What `--quick` changes.
#[derive(Clone, Debug)]
pub struct Quick {
    /// Number of seeds.
    pub seeds: u64,
    /// Rows of the simulated data.
    pub rows: u64,
    /// Settings.
    pub changes: Changes,
}

/// One dimension of the grid.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// `dataset`, `model`, `method`, or a variant's name.
    pub name: String,
    /// Its entries, in the table's order.
    pub entries: Vec<Entry>,
}

/// A checked table.
pub struct TableSpec {
    /// Its name, the file's stem.
    pub name: String,
    /// The paper's short name.
    pub paper: String,
    /// Heading.
    pub title: String,
    /// What the paper prints.
    pub reported: Option<Reported>,
    /// Number of seeds.
    pub seeds: u64,
    /// The grid; `dataset` and what the recipe needs of `model` and `method` are always there.
    pub dimensions: Vec<Dimension>,
    /// The recipe.
    pub recipe: &'static Recipe,
    /// The recipe's own sections.
    pub run: Mapping,
    /// What a profile changes.
    pub profiles: IndexMap<String, Changes>,
    /// What `--quick` changes.
    pub quick: Quick,
    /// How cells are laid out.
    pub layout: Layout,
    /// The file.
    pub source: Arc<Source>,
}

impl TableSpec {
    /// Reads and checks the table called `name`.
    pub fn load(catalog: &Catalog, name: &str) -> Result<Self> {
        let source = catalog.source("table", name)?;
        let raw: RawTable = source.typed()?;
        if raw.table != name {
            let message = format!("the table is called `{}`, its file `{name}`", raw.table);
            return Err(source.error_at(&keys(&["table"]), message));
        }
        let mut dimensions = Vec::new();
        for (dimension, entries) in raw.grid {
            dimensions.push(check_dimension(dimension, entries, catalog, &source)?);
        }
        let mut run = raw.run;
        let recipe = match run.shift_remove("recipe") {
            Some(Value::String(name)) => recipe(&name).ok_or_else(|| {
                let known = crate::recipes::RECIPES.iter().map(|r| r.name);
                source.error_at(&keys(&["run", "recipe"]), unknown_name("recipe", &name, known))
            })?,
            Some(_) => return Err(source.error_at(&keys(&["run", "recipe"]), "expected a recipe's name")),
            None => return Err(source.error_at(&keys(&["run"]), "missing key `recipe`")),
        };
        for kind in ["dataset", "model", "method"] {
            if kind == "dataset" || recipe.components.contains(&kind) {
                single_entry(kind, &mut run, &mut dimensions, catalog, &source)?;
            } else if dimensions.iter().any(|d| d.name == kind) {
                let message = format!("the recipe {} has no {kind}", recipe.name);
                return Err(source.error_at_key(&keys(&["grid", kind]), message));
            }
        }
        for (path, seeds) in [(&["seeds"][..], raw.seeds), (&["quick", "seeds"], raw.quick.seeds)] {
            if seeds == 0 {
                return Err(source.error_at(&keys(path), "a table needs at least one seed"));
            }
        }
        let grid: IndexMap<String, Vec<String>> = dimensions
            .iter()
            .map(|d| (d.name.clone(), d.entries.iter().map(|e| e.name.clone()).collect()))
            .collect();
        let layout = raw.layout.check(&source, &grid)?;
        let reported = match raw.reported {
            None => None,
            Some(r) => Some(r.read(catalog, &source, &grid, &layout)?),
        };
        let mut profiles = IndexMap::new();
        for (name, changes) in raw.profiles {
            let changes = Changes::from_file(changes, &source, &["profiles", &name]);
            profiles.insert(name, changes);
        }
        let quick = Quick {
            seeds: raw.quick.seeds,
            rows: raw.quick.rows,
            changes: Changes::from_file(raw.quick.changes, &source, &["quick", "changes"]),
        };
        let spec = Self {
            name: raw.table,
            paper: raw.paper,
            title: raw.title,
            reported,
            seeds: raw.seeds,
            dimensions,
            recipe,
            run,
            profiles,
            quick,
            layout,
            source,
        };
        spec.check_changes()?;
        Ok(spec)
    }

    /// The dimension called `name`.
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|d| d.name == name)
    }

    /// The paper's name of a dimension's value.
    pub fn label<'a>(&'a self, dimension: &str, value: &'a str) -> &'a str {
        if let Some(d) = self.dimension(dimension) {
            return d.entries.iter().find(|e| e.name == value).map_or(value, |e| &e.reported_as);
        }
        self.layout.labels.get(dimension).and_then(|l| l.get(value)).map_or(value, String::as_str)
    }

    /// Values of a dimension of the grid or of a recorded one, in order.
    pub fn values(&self, dimension: &str) -> Vec<String> {
        match self.dimension(dimension) {
            Some(d) => d.entries.iter().map(|e| e.name.clone()).collect(),
            None => {
                self.layout.labels.get(dimension).map(|l| l.keys().cloned().collect()).unwrap_or_default()
            }
        }
    }

    /// Names that changes to a section may use.
    pub(super) fn names(&self, section: &str) -> Vec<String> {
        self.values(section)
    }

    /// Globs of changes match something.
    fn check_changes(&self) -> Result<()> {
        let entries = self.dimensions.iter().flat_map(|d| &d.entries).map(|e| &e.set);
        for changes in entries.chain(self.profiles.values()).chain([&self.quick.changes]) {
            changes.check_names(|section| self.names(section))?;
        }
        Ok(())
    }
}

fn keys(path: &[&str]) -> Vec<String> {
    path.iter().map(|s| s.to_string()).collect()
}

/// Checks the entries of one dimension; those of `dataset`, `model` and `method` must have files.
fn check_dimension(
    name: String,
    raw: Vec<RawEntry>,
    catalog: &Catalog,
    source: &Arc<Source>,
) -> Result<Dimension> {
    let at = keys(&["grid", &name]);
    if RECORDED.contains(&name.as_str()) {
        let message = format!("runs record `{name}` themselves: its values belong under layout.labels");
        return Err(source.error_at_key(&at, message));
    }
    if raw.is_empty() {
        return Err(source.error_at(&at, "a dimension needs at least one entry"));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (i, e) in raw.into_iter().enumerate() {
        let index = i.to_string();
        let mut path = keys(&["grid", &name, &index]);
        let set = Changes::from_file(e.set.unwrap_or_default(), source, &["grid", &name, &index, "set"]);
        if e.is_mapping {
            path.push("name".into());
        }
        if entries.iter().any(|other| other.name == e.name) {
            return Err(source.error_at(&path, format!("`{}` appears twice", e.name)));
        }
        let mut reported_as = e.reported_as;
        if let Some(kind) = component_kind(&name)
            && e.not_yet.is_none()
        {
            if !catalog.has(kind, &e.name) {
                return Err(source.error_at(&path, catalog.unknown(kind, &e.name)));
            }
            let theirs = reported_as_of(kind, &e.name, catalog)?;
            reported_as = reported_as.or(Some(theirs));
        }
        let reported_as = reported_as.unwrap_or_else(|| e.name.clone());
        entries.push(Entry { name: e.name, reported_as, not_yet: e.not_yet, set });
    }
    Ok(Dimension { name, entries })
}

/// Kinds of dimensions whose entries are files.
fn component_kind(dimension: &str) -> Option<&'static str> {
    ["dataset", "model", "method"].into_iter().find(|k| *k == dimension)
}

/// The papers' name of a dataset, model or method, by its own file.
fn reported_as_of(kind: &'static str, name: &str, catalog: &Catalog) -> Result<String> {
    Ok(match kind {
        "dataset" => catalog.dataset(name, &Changes::default())?.reported_as.unwrap_or_else(|| name.into()),
        _ => catalog.component(kind, name)?.reported_as.clone(),
    })
}

/// `run.model: deepfm` (or a mapping with `name` and changes) is a dimension with one entry.
fn single_entry(
    kind: &'static str,
    run: &mut Mapping,
    dimensions: &mut Vec<Dimension>,
    catalog: &Catalog,
    source: &Arc<Source>,
) -> Result<()> {
    let path = keys(&["run", kind]);
    let in_grid = dimensions.iter().any(|d| d.name == kind);
    let (name, changes, at_name) = match run.shift_remove(kind) {
        None if in_grid => return Ok(()),
        None => {
            let message = format!("the grid has no `{kind}`, so run needs the key `{kind}`");
            return Err(source.error_at(&keys(&["run"]), message));
        }
        Some(_) if in_grid => {
            let message = format!("`{kind}` is a dimension of the grid and cannot be set here too");
            return Err(source.error_at_key(&path, message));
        }
        Some(Value::String(name)) => (name, Mapping::new(), path.clone()),
        Some(Value::Mapping(mut m)) => match m.shift_remove("name") {
            Some(Value::String(name)) => (name, m, keys(&["run", kind, "name"])),
            _ => return Err(source.error_at(&path, "missing key `name`")),
        },
        Some(_) => return Err(source.error_at(&path, "expected a name, or a mapping with `name`")),
    };
    if !catalog.has(kind, &name) {
        return Err(source.error_at(&at_name, catalog.unknown(kind, &name)));
    }
    let reported_as = reported_as_of(kind, &name, catalog)?;
    let set = Changes::inline(kind, &name, changes, source, path);
    let entry = Entry { name, reported_as, not_yet: None, set };
    dimensions.push(Dimension { name: kind.into(), entries: vec![entry] });
    Ok(())
}
