//! A table's runs and the stages they share, which of them exist, and how long the rest takes.
use crate::{
    id,
    job::Job,
    recipes::RECIPES,
    spec::{Combination, ResolvedCell},
    store::Store,
};
use anyhow::{Context, Result};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};

/// A run or a shared stage.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// What to do.
    pub job: Job,
    /// Name and id of the stages it needs.
    pub inputs: BTreeMap<String, String>,
    /// Whether it exists.
    pub finished: bool,
}

impl Node {
    /// Whether it is a shared stage.
    pub fn is_stage(&self) -> bool {
        self.job.stage.is_some()
    }

    /// Dataset, model, method or stage, and seed.
    pub fn what(&self) -> String {
        what(&self.job)
    }
}

/// Dataset, model, method or stage, and seed of a job.
pub fn what(job: &Job) -> String {
    let name = |v: &serde_yaml::Value| v.get("name").and_then(|n| n.as_str()).map(str::to_string);
    let parts = [
        Some(job.dataset.config.dataset.clone()),
        name(&job.model),
        name(&job.method),
        job.stage.clone(),
        Some(format!("seed {}", job.seed)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A combination of the grid with its runs.
#[derive(Clone, Debug)]
pub struct PlannedCell {
    /// Which.
    pub combination: Combination,
    /// Seed and id of its runs.
    pub runs: Vec<(u64, String)>,
}

/// The whole.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Stages and runs by id; stages come before the runs that need them.
    pub nodes: IndexMap<String, Node>,
    /// The table's combinations.
    pub cells: Vec<PlannedCell>,
}

impl Plan {
    /// Adds the stages and finds what exists.
    pub fn new(cells: Vec<ResolvedCell>, store: &Store) -> Result<Self> {
        let mut nodes: IndexMap<String, Node> = IndexMap::new();
        let mut planned = Vec::new();
        for cell in cells {
            let mut runs = Vec::new();
            for job in cell.jobs {
                let recipe = RECIPES.iter().find(|r| r.name == job.recipe).context("unknown recipe")?;
                let mut inputs = BTreeMap::new();
                for stage in (recipe.stages)(&job)? {
                    let name = stage.stage.clone().context("a shared stage has no name")?;
                    let stage_id = add(&mut nodes, stage, inputs.clone(), store)?;
                    inputs.insert(name, stage_id);
                }
                let seed = job.seed;
                runs.push((seed, add(&mut nodes, job, inputs, store)?));
            }
            planned.push(PlannedCell { combination: cell.combination, runs });
        }
        Ok(Self { nodes, cells: planned })
    }

    /// What has to be done: runs that do not exist, and the stages that these need and that do not exist.
    pub fn missing(&self) -> Vec<&Node> {
        let mut needed = BTreeSet::new();
        for run in self.nodes.values().rev() {
            let wanted = !run.is_stage() || needed.contains(&run.id);
            if wanted && !run.finished {
                needed.insert(run.id.clone());
                needed.extend(run.inputs.values().cloned());
            }
        }
        self.nodes.values().filter(|n| !n.finished && needed.contains(&n.id)).collect()
    }
}

fn add(
    nodes: &mut IndexMap<String, Node>,
    job: Job,
    inputs: BTreeMap<String, String>,
    store: &Store,
) -> Result<String> {
    let id = id::of(&job)?;
    if !nodes.contains_key(&id) {
        let finished = store.find(&id, job.stage.is_some()).is_some();
        nodes.insert(id.clone(), Node { id: id.clone(), job, inputs, finished });
    }
    Ok(id)
}

/// How long earlier jobs took, by what they do.
#[derive(Debug, Default)]
pub struct History(BTreeMap<String, (f64, u32)>);

impl History {
    /// Reads the times of everything finished.
    pub fn read(store: &Store) -> Result<Self> {
        let mut history = Self::default();
        for f in store.finished(true)? {
            let measures = store.measures(&f.folder).unwrap_or_default();
            if let Some(m) = measures.iter().find(|m| m.metric == "wall_seconds") {
                history.learn(&kind(&f.job), m.value);
            }
        }
        Ok(history)
    }

    /// Another job of this kind took so many seconds.
    pub(crate) fn learn(&mut self, kind: &str, seconds: f64) {
        let (sum, n) = self.0.entry(kind.into()).or_default();
        *sum += seconds;
        *n += 1;
    }

    /// Seconds that jobs of this kind took on average.
    pub(crate) fn of_kind(&self, kind: &str) -> Option<f64> {
        self.0.get(kind).map(|(sum, n)| sum / f64::from(*n))
    }

    /// Seconds that jobs like this one took on average.
    pub fn expected(&self, job: &Job) -> Option<f64> {
        self.of_kind(&kind(job))
    }

    /// Seconds that `nodes` will take on `jobs` processes: known part, and the number of nodes without experience.
    pub fn total(&self, nodes: &[&Node], jobs: usize) -> (f64, usize) {
        let known: Vec<Option<f64>> = nodes.iter().map(|n| self.expected(&n.job)).collect();
        let unknown = known.iter().filter(|k| k.is_none()).count();
        (known.iter().flatten().sum::<f64>() / jobs.max(1) as f64, unknown)
    }
}

/// What a job's time depends on most.
pub(crate) fn kind(job: &Job) -> String {
    let mut same = job.clone();
    same.seed = 0;
    same.dataset.fingerprint = String::new();
    what(&same) + &format!(" {:?} {} {}", same.dataset.quick, same.threads, same.device)
}
