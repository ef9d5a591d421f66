//! A table's spec.
use super::{
    catalog::{Catalog, recipe},
    changes::{Changes, RawChanges},
    dimension::{Dimension, check_dimension, single_entry},
    entry::{Entry, RawEntry},
    layout::{Layout, RawLayout},
    names::unknown_name,
    reported::{RawReported, Reported},
    resolve::{Coordinates, combinations},
    search::{RawSearch, Search},
    source::{Source, keys},
};
use crate::{methods, recipes::Recipe};
use anyhow::Result;
use indexmap::IndexMap;
use serde::{Deserialize, de::IgnoredAny};
use serde_yaml::{Mapping, Value};
use std::{collections::BTreeSet, sync::Arc};

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    table: String,
    /// The catalog has merged it.
    #[serde(default, rename = "like")]
    _like: IgnoredAny,
    paper: String,
    title: String,
    reported: Option<RawReported>,
    seeds: u64,
    grid: IndexMap<String, Vec<RawEntry>>,
    run: Mapping,
    #[serde(default)]
    profiles: IndexMap<String, RawChanges>,
    #[serde(default)]
    search: Vec<RawSearch>,
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
    /// Settings that trials decide.
    pub searches: Vec<Search>,
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
        let source = catalog.table(name)?;
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
            if kind == "dataset" || recipe.has(kind) {
                single_entry(kind, &mut run, &mut dimensions, catalog, &source)?;
            } else if dimensions.iter().any(|d| d.name == kind) {
                let message = format!("the recipe {} has no {kind}", recipe.name);
                return Err(source.error_at_key(&keys(&["grid", kind]), message));
            }
        }
        for entry in dimensions.iter().filter(|d| d.name == "method").flat_map(|d| &d.entries) {
            check_method(recipe, entry, catalog, &source)?;
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
        let searches = raw.search.into_iter().enumerate();
        let searches = searches.map(|(i, s)| s.check(i, &grid, &source)).collect::<Result<Vec<_>>>()?;
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
            searches,
            quick,
            layout,
            source,
        };
        if spec.cells().is_empty() {
            return Err(spec.source.error_at_key(&keys(&["layout", "without"]), "no cell is left"));
        }
        spec.check_changes()?;
        super::search::check_one_each(&spec)?;
        Ok(spec)
    }

    /// The dimension called `name`.
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|d| d.name == name)
    }

    /// An entry of the grid, which is there.
    pub(super) fn entry(&self, dimension: &str, name: &str) -> &Entry {
        let entries = self.dimension(dimension).map_or(&[][..], |d| &d.entries);
        entries.iter().find(|e| e.name == name).expect("combinations are of the grid's entries")
    }

    /// Names in the grid of the dataset in the file `name`.
    pub fn datasets_of(&self, file: &str) -> impl Iterator<Item = &str> {
        let entries = self.dimension("dataset").map_or(&[][..], |d| &d.entries);
        entries.iter().filter(move |e| e.file.as_deref() == Some(file)).map(|e| e.name.as_str())
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

    /// The cells of a combination of the grid: its coordinates with every value of the recorded dimensions.
    pub fn cells_of(&self, combination: &Coordinates) -> Vec<Coordinates> {
        let recorded = self.layout.labels.iter();
        let mut all = recorded.fold(vec![combination.clone()], |before, (dimension, labels)| {
            let extend = |b: &Coordinates| {
                let b = b.clone();
                labels.keys().map(move |value| {
                    let mut c = b.clone();
                    c.insert(dimension.clone(), value.clone());
                    c
                })
            };
            before.iter().flat_map(extend).collect()
        });
        all.retain(|c| !self.layout.without.excludes(c));
        all
    }

    /// All cells, in the order of the grid and of the recorded dimensions.
    pub fn cells(&self) -> Vec<Coordinates> {
        combinations(&self.dimensions).iter().flat_map(|c| self.cells_of(&c.coordinates)).collect()
    }

    /// The profiles of the table, its models and its methods; `paper` is always one.
    pub fn known_profiles(&self, catalog: &Catalog) -> Result<BTreeSet<String>> {
        let mut profiles: BTreeSet<String> = self.profiles.keys().cloned().collect();
        profiles.insert("paper".into());
        for kind in ["model", "method"] {
            for entry in self.dimension(kind).map_or(&[][..], |d| &d.entries) {
                if entry.not_yet.is_none() {
                    profiles.extend(catalog.component(kind, entry.file())?.profiles.iter().cloned());
                }
            }
        }
        Ok(profiles)
    }

    /// Names that changes to a section may use.
    pub(super) fn names(&self, section: &str) -> Vec<String> {
        self.values(section)
    }

    /// Globs of changes match something.
    fn check_changes(&self) -> Result<()> {
        let entries = self.dimensions.iter().flat_map(|d| &d.entries).map(|e| &e.set);
        let trials = self.searches.iter().map(|s| &s.changes);
        for changes in entries.chain(self.profiles.values()).chain([&self.quick.changes]).chain(trials) {
            changes.check_names(|section| self.names(section))?;
            changes.check_search(&self.searches)?;
        }
        Ok(())
    }
}

/// A recipe takes methods of its own kind only.
fn check_method(recipe: &Recipe, entry: &Entry, catalog: &Catalog, source: &Source) -> Result<()> {
    if entry.not_yet.is_some() {
        return Ok(());
    }
    let file = catalog.component("method", entry.file())?;
    let kind = methods::method(&file.entry)?.usage.kind();
    if recipe.methods != Some(kind) {
        let message = format!("the recipe {} has no methods like {}", recipe.name, entry.name);
        return Err(source.error_at(&keys(&["run", "recipe"]), message));
    }
    Ok(())
}
