//! Recipes: functions that train and evaluate, readable on a screen or two, and what the planner must know of them.
use crate::job::{Job, JobContext};
use anyhow::Result;
use serde_yaml::Value;

/// A recipe's entry in the registry.
pub struct Recipe {
    /// Its name in table specs.
    pub name: &'static str,
    /// Which of `model` and `method` its runs have.
    pub components: &'static [&'static str],
    /// Its runs measure time and stand alone on the machine.
    pub alone: bool,
    /// Checks the recipe's own sections of a table's `run:` (all keys but `recipe`, `model`, `method`) and returns
    /// them with every default filled in.
    pub resolve: fn(Value) -> Result<Value>,
    /// Whether a run's numbers come from test rows, by which nothing may be chosen.
    pub evaluates_on_test: fn(&Job) -> Result<bool>,
    /// The shared stages a run needs, in order; their ids are computed like a run's.
    pub stages: fn(&Job) -> Result<Vec<Job>>,
    /// Executes a stage (`job.stage` is set) or a run.
    pub execute: fn(&Job, JobContext) -> Result<()>,
}

mod bilevel;
mod cold_item;
mod representations;
mod statistics;
mod step_time;

/// All recipes.
pub const RECIPES: &[Recipe] =
    &[bilevel::RECIPE, cold_item::RECIPE, representations::RECIPE, statistics::RECIPE, step_time::RECIPE];
