//! A table's spec and what the command line selects -> complete jobs.
use super::{
    catalog::Catalog,
    changes::Changes,
    dimension::Dimension,
    layered::Layered,
    names::unknown_name,
    table::TableSpec,
    trials::{self, CellSearch, Score},
};
use crate::job::{DatasetJob, Job};
use anyhow::{Context, Result};
use scenarec_data::{DatasetConfig, Override};
use serde_yaml::Value;
use std::{cell::RefCell, collections::BTreeMap};

/// Dimension -> value.
pub type Coordinates = BTreeMap<String, String>;

/// What the command line selects of a table.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Dimension and the entries to keep; no restriction where a dimension is not named.
    pub only: Vec<(String, Vec<String>)>,
    /// Number of seeds, where the table's own is not wanted.
    pub seeds: Option<u64>,
    /// Changed settings.
    pub set: Changes,
    /// `paper`, or another profile.
    pub profile: String,
    /// Whether to run small, on simulated data.
    pub quick: bool,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Threads of a run.
    pub threads: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            seeds: None,
            set: Changes::default(),
            profile: "paper".into(),
            quick: false,
            device: "cpu".into(),
            threads: 1,
        }
    }
}

impl Selection {
    /// Seeds of a table's runs.
    fn seeds(&self, spec: &TableSpec) -> u64 {
        self.seeds.unwrap_or(if self.quick { spec.quick.seeds } else { spec.seeds })
    }
}

/// One entry of every dimension of the grid.
#[derive(Clone, Debug)]
pub struct Combination {
    /// Dimension -> entry's name.
    pub coordinates: Coordinates,
    /// Why it cannot be computed yet.
    pub not_yet: Option<String>,
    /// What its entries change.
    set: Changes,
}

/// A combination with its runs, one per seed.
#[derive(Clone, Debug)]
pub struct ResolvedCell {
    /// Which.
    pub combination: Combination,
    /// Seeds it has or will have.
    pub seeds: u64,
    /// The search for some of its settings, where one applies.
    pub search: Option<CellSearch>,
    /// Its runs in the order of seeds; none where it cannot be computed yet, nor where trials have to decide first.
    pub jobs: Vec<Job>,
}

/// Resolves every selected combination. `fingerprint` tells the fingerprint of a dataset's rows.
pub fn resolve(
    spec: &TableSpec,
    catalog: &Catalog,
    selection: &Selection,
    fingerprint: &dyn Fn(&DatasetConfig, &Override) -> Result<String>,
    score: &Score,
) -> Result<Vec<ResolvedCell>> {
    check_selection(spec, catalog, selection)?;
    let seeds = selection.seeds(spec);
    let known = RefCell::new(BTreeMap::new());
    let memoized = |config: &DatasetConfig, quick: &Override| -> Result<String> {
        let key = serde_json::to_string(&(config, quick))?;
        if let Some(f) = known.borrow().get(&key) {
            return Ok(String::clone(f));
        }
        let f = fingerprint(config, quick)?;
        known.borrow_mut().insert(key, f.clone());
        Ok(f)
    };
    let resolver = Resolver { spec, catalog, selection, fingerprint: &memoized };
    let mut cells = Vec::new();
    for combination in combinations(&spec.dimensions) {
        let kept = |(d, names): &(String, Vec<String>)| names.contains(&combination.coordinates[d]);
        let has_cells = !spec.cells_of(&combination.coordinates).is_empty();
        if !has_cells || !selection.only.iter().all(kept) {
            continue;
        }
        let (mut search, mut jobs) = (None, Vec::new());
        if combination.not_yet.is_none() {
            search = trials::resolve(&resolver, &combination, score)?;
            if let Some(values) = CellSearch::values(search.as_ref()) {
                jobs = resolver.job(&combination, &values)?.for_seeds(seeds);
            }
        }
        cells.push(ResolvedCell { combination, seeds, search, jobs });
    }
    anyhow::ensure!(
        !cells.is_empty(),
        "nothing of {} is selected: every --only must hold (several entries of one dimension: --only method=a,b)",
        spec.name
    );
    Ok(cells)
}

/// The product of all dimensions, the first one changing slowest.
pub(super) fn combinations(dimensions: &[Dimension]) -> Vec<Combination> {
    let none = Combination { coordinates: BTreeMap::new(), not_yet: None, set: Changes::default() };
    dimensions.iter().fold(vec![none], |before, d| {
        let extend = |b: &Combination| {
            let b = b.clone();
            d.entries.iter().map(move |e| {
                let mut coordinates = b.coordinates.clone();
                coordinates.insert(d.name.clone(), e.name.clone());
                let not_yet = b.not_yet.clone().or_else(|| e.not_yet.clone());
                Combination { coordinates, not_yet, set: b.set.then(&e.set) }
            })
        };
        before.iter().flat_map(extend).collect()
    })
}

/// Names on the command line exist.
fn check_selection(spec: &TableSpec, catalog: &Catalog, selection: &Selection) -> Result<()> {
    for (dimension, names) in &selection.only {
        let d = spec.dimension(dimension).with_context(|| {
            unknown_name("dimension", dimension, spec.dimensions.iter().map(|d| d.name.as_str()))
        });
        let d = d.with_context(|| format!("--only {dimension}={}", names.join(",")))?;
        for name in names {
            let known = d.entries.iter().map(|e| e.name.as_str());
            if !known.clone().any(|k| k == name) {
                anyhow::bail!("--only {dimension}={name}: {}", unknown_name(dimension, name, known));
            }
        }
    }
    selection.set.check_names(|section| spec.names(section))?;
    selection.set.check_search(&spec.searches)?;
    if let Some(0) = selection.seeds {
        anyhow::bail!("--seeds 0: a table needs at least one seed");
    }
    let profiles = spec.known_profiles(catalog)?;
    if !profiles.contains(&selection.profile) {
        let known = profiles.iter().map(String::as_str);
        anyhow::bail!(
            "--profile {0}: {1}",
            selection.profile,
            unknown_name("profile", &selection.profile, known)
        );
    }
    Ok(())
}

/// What every job of a table is resolved from.
pub(super) struct Resolver<'a> {
    pub spec: &'a TableSpec,
    catalog: &'a Catalog,
    pub selection: &'a Selection,
    fingerprint: &'a dyn Fn(&DatasetConfig, &Override) -> Result<String>,
}

impl Resolver<'_> {
    /// What the table itself changes for a combination.
    pub fn changes(&self, combination: &Combination) -> Changes {
        let mut changes = combination.set.clone();
        if let Some(profile) = self.spec.profiles.get(&self.selection.profile) {
            changes = changes.then(profile);
        }
        if self.selection.quick {
            changes = changes.then(&self.spec.quick.changes);
        }
        changes
    }

    /// A run of the combination, with `more` changed before the command line has its say; its seed is still 0.
    pub fn job(&self, combination: &Combination, more: &Changes) -> Result<Job> {
        let Self { spec, catalog, selection, fingerprint } = self;
        let changes = self.changes(combination).then(more).then(&selection.set);

        let entry = |kind: &str| spec.entry(kind, &combination.coordinates[kind]);
        let dataset = entry("dataset");
        let config = catalog.dataset_as(dataset.file(), &dataset.name, &changes)?;
        let quick = if selection.quick { quick_data(spec.quick.rows) } else { Override::default() };
        let fingerprint =
            fingerprint(&config, &quick).with_context(|| format!("dataset {}", dataset.name))?;

        let component = |kind: &'static str| {
            if !spec.recipe.has(kind) {
                return Ok(Value::Null);
            }
            let entry = entry(kind);
            let file = catalog.component(kind, entry.file())?;
            let mut layered = file.layered(&selection.profile, dataset.file())?;
            changes.apply(kind, &entry.name, &mut layered)?;
            file.checked(&layered)
        };
        let (model, method) = (component("model")?, component("method")?);

        let mut run = Layered::default();
        run.merge_from(&spec.run, &spec.source, &["run".into()]);
        changes.apply("run", "", &mut run)?;
        let settings = run.checked(&format!("recipe {}", spec.recipe.name), spec.recipe.resolve)?;

        Ok(Job {
            stage: None,
            recipe: spec.recipe.name.into(),
            dataset: DatasetJob { config, quick, fingerprint },
            model,
            method,
            settings,
            seed: 0,
            threads: selection.threads,
            device: selection.device.clone(),
        })
    }
}

/// What quick mode does to any dataset.
fn quick_data(rows: u64) -> Override {
    Override { rows: Some(rows as usize), force_simulated: true, ..Override::default() }
}
