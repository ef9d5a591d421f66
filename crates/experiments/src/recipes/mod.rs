//! Recipes: functions that train and evaluate, readable on a screen or two, and what the planner must know of them.
use crate::{
    job::{Job, JobContext},
    methods::MethodKind,
};
use anyhow::Result;
use serde_yaml::Value;

/// A recipe's entry in the registry.
pub struct Recipe {
    /// Its name in table specs.
    pub name: &'static str,
    /// Whether its runs have a model.
    pub model: bool,
    /// The kind of methods that its runs have, where they have any.
    pub methods: Option<MethodKind>,
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

impl Recipe {
    /// Whether its runs have a component, `model` or `method`.
    pub fn has(&self, component: &str) -> bool {
        match component {
            "model" => self.model,
            "method" => self.methods.is_some(),
            _ => false,
        }
    }
}

mod augment;
mod cold_item;
mod fit;
mod representations;
mod similarity;
mod statistics;
mod step_time;

pub use fit::{Extended, extend};

pub use augment::{Augmentation, DiffConfig, DiffMsrConfig, Enhanced, Generator, RowsConfig, enhance};

/// All recipes.
pub const RECIPES: &[Recipe] = &[
    augment::RECIPE,
    augment::CURVE,
    cold_item::RECIPE,
    fit::RECIPE,
    fit::BILEVEL,
    representations::RECIPE,
    similarity::RECIPE,
    statistics::RECIPE,
    step_time::RECIPE,
];
