//! A table, what is selected of it, and what of it exists.
use super::select::TableArgs;
use crate::{
    job::Job,
    plan::Plan,
    roots::Roots,
    spec::{Catalog, Selection, TableSpec, resolve},
    store::Store,
};
use anyhow::{Result, bail, ensure};
use std::{collections::BTreeMap, rc::Rc};

/// A table with what is selected of it, its plan and its store.
pub(super) struct Session {
    catalog: Rc<Catalog>,
    pub spec: TableSpec,
    pub selection: Selection,
    pub store: Store,
}

impl Session {
    pub fn open(roots: &Roots, paper: Option<&str>, args: &TableArgs) -> Result<Self> {
        Self::of(roots, paper, &args.table, args.choice.selection()?)
    }

    /// Of a table by its name; in a paper's own program its last part will do.
    pub fn of(roots: &Roots, paper: Option<&str>, table: &str, selection: Selection) -> Result<Self> {
        let catalog = Rc::new(Catalog::open(&roots.configs()));
        let spec = TableSpec::load(&catalog, &full_name(&catalog, paper, table))?;
        let store = Store::open(&roots.runs, &roots.published())?;
        Ok(Self { spec, selection, store, catalog })
    }

    /// All tables, of one paper where it is given.
    pub fn all(roots: &Roots, paper: Option<&str>, selection: &Selection) -> Result<Vec<Self>> {
        let catalog = Rc::new(Catalog::open(&roots.configs()));
        let store = Store::open(&roots.runs, &roots.published())?;
        let names = catalog.names("table");
        let specs = names.iter().map(|name| TableSpec::load(&catalog, name));
        let specs: Vec<TableSpec> = specs.collect::<Result<_>>()?;
        let wanted = specs.into_iter().filter(|spec| paper.is_none_or(|p| p == spec.paper));
        let session = |spec| Self {
            spec,
            selection: selection.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
        };
        Ok(wanted.map(session).collect())
    }

    /// The plan, and what a reader must know about every dataset.
    pub fn plan(&self, roots: &Roots) -> Result<(Plan, BTreeMap<String, String>)> {
        let notes = std::cell::RefCell::new(BTreeMap::new());
        let fingerprint = |config: &scenarec_data::DatasetConfig, quick: &_| {
            let data = scenarec_data::identify(config, &roots.data, quick)?;
            let provenance = format!("{:?}", data.provenance).to_lowercase();
            let note = if data.note.is_empty() || data.note.starts_with(&provenance) {
                format!("{provenance} data{}", data.note.strip_prefix(&provenance).unwrap_or_default())
            } else {
                format!("{provenance} data: {}", data.note)
            };
            let names = self.spec.datasets_of(&config.dataset).map(|name| (name.to_string(), note.clone()));
            notes.borrow_mut().extend(names);
            Ok(data.fingerprint)
        };
        let score = |best: &_, jobs: &[_]| self.store.score(best, jobs);
        let cells = resolve(&self.spec, &self.catalog, &self.selection, &fingerprint, &score)?;
        Ok((Plan::new(cells, &self.store)?, notes.into_inner()))
    }

    /// The only combination's run with a seed, and what a reader must know about its data, a line per dataset. An error where
    /// the table is not one of `recipe`, or several combinations are left.
    pub fn only_job(&self, roots: &Roots, recipe: &str, seed: u64) -> Result<(Job, String)> {
        let of = self.spec.recipe.name;
        ensure!(of == recipe, "{} is a table of the recipe {of}, not of {recipe}", self.spec.name);
        let (plan, notes) = self.plan(roots)?;
        ensure!(
            plan.cells.len() == 1,
            "{} combinations of {} are left: every dimension needs an --only with one entry",
            plan.cells.len(),
            self.spec.name
        );
        let [(_, id), ..] = &plan.cells[0].runs[..] else { bail!("this combination cannot be computed") };
        let job = Job { seed, ..plan.nodes[id].job.clone() };
        Ok((job, notes.into_iter().map(|(dataset, note)| format!("{dataset}: {note}\n")).collect()))
    }

    /// As many runs at once as there are cores for their threads; one on a GPU, and where time is what they measure.
    pub fn default_jobs(&self) -> usize {
        if self.selection.device == "cuda" || self.spec.recipe.alone {
            return 1;
        }
        std::thread::available_parallelism().map_or(1, |n| n.get() / self.selection.threads).max(1)
    }
}

/// `table1` is `csdm-table1` in the binary `csdm`.
fn full_name(catalog: &Catalog, paper: Option<&str>, name: &str) -> String {
    match paper {
        Some(paper) if !catalog.has("table", name) => format!("{paper}-{name}"),
        _ => name.to_string(),
    }
}
