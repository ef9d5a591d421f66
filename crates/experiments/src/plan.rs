//! A table's runs and the stages they share, which of them exist, and how long the rest takes.
use crate::{
    id,
    job::Job,
    recipes::RECIPES,
    spec::{CellSearch, Combination, ResolvedCell, Trial},
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
    /// The values it tries, where it is a search's trial.
    pub trial: Option<String>,
}

impl Node {
    /// Whether it is a shared stage.
    pub fn is_stage(&self) -> bool {
        self.job.stage.is_some()
    }

    /// Dataset, model, method or stage, seed, and the values it tries.
    pub fn what(&self) -> String {
        let tries = self.trial.as_ref().map(|t| format!(", tries {t}"));
        what(&self.job) + &tries.unwrap_or_default()
    }
}

/// Dataset, model, scope, method or stage, and seed of a job.
pub fn what(job: &Job) -> String {
    let text = |v: &serde_yaml::Value, key: &str| v.get(key).and_then(|n| n.as_str()).map(str::to_string);
    let name = |v: &serde_yaml::Value| text(v, "name");
    let parts = [
        Some(job.dataset.config.dataset.clone()),
        name(&job.model),
        text(&job.settings, "scope"),
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
    /// Seeds it has or will have.
    pub seeds: usize,
    /// The search for some of its settings, where one applies.
    pub search: Option<CellSearch>,
    /// Seed and id of the runs of every trial of the search.
    pub trials: Vec<Vec<(u64, String)>>,
    /// Seed and id of its runs; none where trials have to decide first.
    pub runs: Vec<(u64, String)>,
}

impl PlannedCell {
    /// Whether its runs wait for what trials decide.
    pub fn undecided(&self) -> bool {
        matches!(&self.search, Some(CellSearch::On(t)) if t.chosen.is_none())
    }

    /// Ids of its trials' runs and of its own.
    pub fn all_runs(&self) -> impl Iterator<Item = &str> {
        self.trials.iter().flatten().chain(&self.runs).map(|(_, id)| id.as_str())
    }
}

/// The whole.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Stages and runs by id; stages come before the runs that need them, trials before other runs.
    pub nodes: IndexMap<String, Node>,
    /// The table's combinations.
    pub cells: Vec<PlannedCell>,
}

impl Plan {
    /// Adds the stages and finds what exists.
    pub fn new(cells: Vec<ResolvedCell>, store: &Store) -> Result<Self> {
        let mut nodes = Nodes { all: IndexMap::new(), store };
        let mut trials = Vec::new();
        for cell in &cells {
            let tried = match &cell.search {
                Some(CellSearch::On(search)) => &search.trials[..],
                _ => &[],
            };
            let add = |trial: &Trial| nodes.add_runs(trial.jobs.clone(), Some(trial.tried.text()));
            trials.push(tried.iter().map(add).collect::<Result<Vec<_>>>()?);
        }
        let mut planned = Vec::new();
        for (cell, trials) in cells.into_iter().zip(trials) {
            let ResolvedCell { combination, seeds, search, jobs } = cell;
            let runs = nodes.add_runs(jobs, None)?;
            planned.push(PlannedCell { combination, seeds: seeds as usize, search, trials, runs });
        }
        Ok(Self { nodes: nodes.all, cells: planned })
    }

    /// Number of runs whose settings trials have yet to decide.
    pub fn undecided(&self) -> usize {
        self.cells.iter().filter(|c| c.undecided()).map(|c| c.seeds).sum()
    }

    /// What has to be done: runs that do not exist, and the stages that these need and that do not exist.
    pub fn missing(&self) -> Vec<&Node> {
        self.missing_for(|_| true)
    }

    /// What has to be done for the trials.
    pub fn missing_trials(&self) -> Vec<&Node> {
        self.missing_for(|run| run.trial.is_some())
    }

    fn missing_for(&self, wanted: impl Fn(&Node) -> bool) -> Vec<&Node> {
        let mut needed = BTreeSet::new();
        for node in self.nodes.values().rev().filter(|n| !n.finished) {
            if needed.contains(&node.id) || (!node.is_stage() && wanted(node)) {
                needed.insert(node.id.clone());
                needed.extend(node.inputs.values().cloned());
            }
        }
        self.nodes.values().filter(|n| !n.finished && needed.contains(&n.id)).collect()
    }
}

/// The plan's nodes while they are collected.
struct Nodes<'a> {
    all: IndexMap<String, Node>,
    store: &'a Store,
}

impl Nodes<'_> {
    /// Adds runs and the stages they need; returns the runs' seeds and ids.
    fn add_runs(&mut self, jobs: Vec<Job>, trial: Option<String>) -> Result<Vec<(u64, String)>> {
        let mut runs = Vec::new();
        for job in jobs {
            let recipe = RECIPES.iter().find(|r| r.name == job.recipe).context("unknown recipe")?;
            let mut inputs = BTreeMap::new();
            for stage in (recipe.stages)(&job)? {
                let name = stage.stage.clone().context("a shared stage has no name")?;
                let stage_id = self.add(stage, inputs.clone(), None)?;
                inputs.insert(name, stage_id);
            }
            runs.push((job.seed, self.add(job, inputs, trial.clone())?));
        }
        Ok(runs)
    }

    fn add(&mut self, job: Job, inputs: BTreeMap<String, String>, trial: Option<String>) -> Result<String> {
        let id = id::of(&job)?;
        if !self.all.contains_key(&id) {
            let finished = self.store.has(&id, job.stage.is_some());
            self.all.insert(id.clone(), Node { id: id.clone(), job, inputs, finished, trial });
        }
        Ok(id)
    }
}

/// How long earlier jobs took, by what they do.
#[derive(Debug, Default)]
pub struct History {
    here: Times,
    /// Of runs that are part of the repository: another machine's, or this one's in another hour.
    elsewhere: Times,
}

/// Kind of job -> the sum of seconds and the number of jobs.
type Times = BTreeMap<String, (f64, u32)>;

impl History {
    /// Reads the times of everything finished.
    pub fn read(store: &Store) -> Result<Self> {
        let mut history = Self::default();
        for f in store.finished(true)? {
            // A broken file of another table is no reason not to plan this one.
            let measures = store.measures(&f.id, f.job.stage.is_some()).ok().flatten().unwrap_or_default();
            if let Some(m) = measures.iter().find(|m| m.metric == "wall_seconds") {
                let times = if f.folder.is_some() { &mut history.here } else { &mut history.elsewhere };
                learn(times, &kind(&f.job), m.value);
            }
        }
        Ok(history)
    }

    /// Another job of this kind took so many seconds.
    pub(crate) fn learn(&mut self, kind: &str, seconds: f64) {
        learn(&mut self.here, kind, seconds);
    }

    /// Seconds that jobs of this kind took on average; elsewhere where there were none here.
    pub(crate) fn of_kind(&self, kind: &str) -> Option<f64> {
        let times = self.here.get(kind).or_else(|| self.elsewhere.get(kind));
        times.map(|(sum, n)| sum / f64::from(*n))
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

fn learn(times: &mut Times, kind: &str, seconds: f64) {
    let (sum, n) = times.entry(kind.into()).or_default();
    *sum += seconds;
    *n += 1;
}

/// What a job's time depends on most.
pub(crate) fn kind(job: &Job) -> String {
    let mut same = job.clone();
    same.seed = 0;
    same.dataset.fingerprint = String::new();
    what(&same) + &format!(" {:?} {} {}", same.dataset.quick, same.threads, same.device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_this_machine_are_taken_before_others() {
        let mut history = History::default();
        assert_eq!(history.of_kind("csdm"), None);
        learn(&mut history.elsewhere, "csdm", 100.0);
        assert_eq!(history.of_kind("csdm"), Some(100.0));
        history.learn("csdm", 20.0);
        history.learn("csdm", 30.0);
        assert_eq!((history.of_kind("csdm"), history.of_kind("cvar")), (Some(25.0), None));
    }
}
