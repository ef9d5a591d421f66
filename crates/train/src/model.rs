//! What a registry says of a model.
use crate::{Build, Net};
use anyhow::{Result, bail, ensure};
use scenarec_data::Schema;
use serde_yaml::Value;

/// A model's entry in the registry.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry {
    /// Its name in configurations.
    pub name: &'static str,
    /// Globs of the parameters that the recipe `bilevel` learns in its outer step; those of them that a configuration
    /// lacks are left out.
    pub outer: &'static [&'static str],
    /// Globs of the dense parameters that belong to single scenarios: what Diff-MSR fine-tunes (its Section 3.5). Stacks
    /// hold all scenarios' copies; rows of one scenario give the others' a gradient of exactly 0. Where all scenarios share
    /// one logit nothing belongs to one alone, and these are all dense parameters, to be learned in a copy of the model.
    /// Every glob matches a parameter in every configuration.
    pub specific: &'static [&'static str],
    /// Whether `specific`, learned from rows of one scenario, leaves the logits of the others' rows as they are, to the bit,
    /// in every configuration, as long as batch norm's running statistics stay. Where it does not, only a copy of the model
    /// does.
    pub isolated: bool,
    /// Whether all scenarios share one logit per task: nothing but their fields tells them apart.
    pub one_logit: bool,
    /// Whether it reads behaviour sequences itself.
    pub sequences: bool,
    around: Option<&'static Around>,
    resolve: Resolve,
    build: BuildNet,
}

/// Checks a model's configuration and fills in every default.
pub type Resolve = fn(Value) -> Result<Value>;
/// Builds the net for a resolved configuration.
pub type BuildNet = fn(&Schema, Value, Build) -> Result<Net>;

/// What is wrapped around a model, with keys of its own in the model's configuration.
#[derive(Debug)]
pub struct Around {
    /// Checks the configuration, all but the keys of its own with the model's function.
    pub resolve: fn(Resolve, Value) -> Result<Value>,
    /// Builds the net with the model's function.
    pub build: fn(BuildNet, &Schema, Value, Build) -> Result<Net>,
}

impl ModelEntry {
    /// An entry with no parameters of an outer step, a logit of its own for every scenario, and no sequences.
    pub const fn new(
        name: &'static str,
        specific: &'static [&'static str],
        resolve: Resolve,
        build: BuildNet,
    ) -> Self {
        Self {
            name,
            outer: &[],
            specific,
            isolated: false,
            one_logit: false,
            sequences: false,
            around: None,
            resolve,
            build,
        }
    }

    /// Checks a configuration and fills in every default.
    ///
    /// # Errors
    /// Keys that are unknown or missing, values that make no sense.
    pub fn resolve(&self, config: Value) -> Result<Value> {
        match self.around {
            Some(around) => (around.resolve)(self.resolve, config),
            None => (self.resolve)(config),
        }
    }

    /// Builds the net for a resolved configuration.
    ///
    /// # Errors
    /// A configuration that is not resolved; data that the model cannot serve.
    pub fn build(&self, schema: &Schema, config: Value, build: Build) -> Result<Net> {
        match self.around {
            Some(around) => (around.build)(self.build, schema, config, build),
            None => (self.build)(schema, config, build),
        }
    }

    /// A model with something around it.
    pub const fn wrapped(self, around: &'static Around) -> Self {
        Self { around: Some(around), ..self }
    }

    /// A model whose specific parameters are out of other scenarios' reach.
    pub const fn isolated(self) -> Self {
        Self { isolated: true, ..self }
    }

    /// A model in which all scenarios share one logit.
    pub const fn one_logit(self) -> Self {
        Self { one_logit: true, ..self }
    }

    /// A model that reads behaviour sequences: nothing that would take them from it stands around it.
    pub const fn sequences(self) -> Self {
        Self { sequences: true, around: None, ..self }
    }

    /// A model with parameters that the recipe `bilevel` learns in its outer step.
    pub const fn outer(self, globs: &'static [&'static str]) -> Self {
        Self { outer: globs, ..self }
    }
}

/// An error unless the data have one task, as the model called `model` has.
///
/// # Errors
/// Several tasks.
pub fn one_task(model: &str, schema: &Schema) -> Result<()> {
    ensure!(schema.tasks.len() == 1, "{model} has one task, the data have {}", schema.tasks.len());
    Ok(())
}

/// The model called `name` among these.
///
/// # Errors
/// A name that none of them has; the message lists those that there are.
pub fn named(
    models: impl Iterator<Item = &'static ModelEntry> + Clone,
    name: &str,
) -> Result<&'static ModelEntry> {
    match models.clone().find(|m| m.name == name) {
        Some(entry) => Ok(entry),
        None => {
            let known: Vec<_> = models.map(|m| m.name).collect();
            bail!("unknown model {name:?}; known are {}", known.join(", "))
        }
    }
}

/// The registry's name in a resolved configuration.
pub fn name_in(config: &Value) -> &str {
    config.get("name").and_then(Value::as_str).unwrap_or_default()
}
