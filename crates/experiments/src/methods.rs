//! The methods of all crates, by name.
use crate::recipes::{Augmentation, DiffConfig, DiffMsrConfig, Generator, RowsConfig};
use anyhow::{Result, bail};
use scenarec_baselines::{
    CvarConfig, DropoutNetConfig, GeneratorConfig, MetaE, MetaEConfig, Mwuf, MwufConfig, Velf, VelfConfig,
};
use scenarec_data::Schema;
use scenarec_diffusion::CsdmConfig;
use scenarec_train::{Build, ColdItemMethod, cold::Plain, config::resolve};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// Builds a method for data with the given schema and a net whose embeddings have the given width.
pub type BuildMethod = fn(&Schema, Value, usize, Build) -> Result<Box<dyn ColdItemMethod>>;

/// What a method is for, and how it is made of a resolved configuration.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    /// Items with few rows.
    ColdItem {
        /// Whether it pre-trains the net in a way of its own.
        pretrains: bool,
        /// Builds it.
        build: BuildMethod,
    },
    /// Scenarios with few rows.
    Augment(fn(Value) -> Result<Augmentation>),
}

/// What methods can be for; a recipe takes those of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// Items with few rows.
    ColdItem,
    /// Scenarios with few rows.
    Augment,
}

impl Use {
    /// What it is for.
    pub fn kind(self) -> MethodKind {
        match self {
            Self::ColdItem { .. } => MethodKind::ColdItem,
            Self::Augment(_) => MethodKind::Augment,
        }
    }
}

/// A method's entry in the registry.
#[derive(Clone, Copy, Debug)]
pub struct MethodEntry {
    /// Its name in configurations.
    pub name: &'static str,
    /// Sources the method's numbers depend on, besides those every run uses ([`id::source_hash`](crate::id::source_hash)).
    pub sources: &'static [&'static str],
    /// Checks a configuration and fills in every default.
    pub resolve: fn(Value) -> Result<Value>,
    /// What it is for.
    pub usage: Use,
}

/// All methods.
pub const METHODS: &[MethodEntry] = &[
    MethodEntry {
        name: "none",
        sources: &[],
        resolve: plain,
        usage: Use::ColdItem { pretrains: false, build: |_, _, _, _| Ok(Box::new(Plain)) },
    },
    MethodEntry {
        name: "dropoutnet",
        sources: &["baselines/dropoutnet"],
        resolve: |value| resolve(value, DropoutNetConfig::check),
        usage: Use::ColdItem {
            pretrains: true,
            build: |_, value, _, build| {
                Ok(Box::new(serde_yaml::from_value::<DropoutNetConfig>(value)?.method(build.seed)?))
            },
        },
    },
    MethodEntry {
        name: "meta-e",
        sources: &["baselines/meta_e"],
        resolve: |value| resolve(value, MetaEConfig::check),
        usage: Use::ColdItem {
            pretrains: false,
            build: |schema, value, dim, build| {
                Ok(Box::new(MetaE::new(&serde_yaml::from_value(value)?, schema, dim, build)?))
            },
        },
    },
    MethodEntry {
        name: "mwuf",
        sources: &["baselines/mwuf"],
        resolve: |value| resolve(value, MwufConfig::check),
        usage: Use::ColdItem {
            pretrains: false,
            build: |schema, value, dim, build| {
                Ok(Box::new(Mwuf::new(&serde_yaml::from_value(value)?, schema, dim, build)?))
            },
        },
    },
    MethodEntry {
        name: "velf",
        sources: &["baselines/velf"],
        resolve: |value| resolve(value, VelfConfig::check),
        usage: Use::ColdItem {
            pretrains: true,
            build: |schema, value, dim, build| {
                Ok(Box::new(Velf::new(&serde_yaml::from_value(value)?, schema, dim, build)?))
            },
        },
    },
    MethodEntry {
        name: "cvar",
        sources: &["baselines/cvar"],
        resolve: |value| resolve(value, CvarConfig::check),
        usage: Use::ColdItem {
            pretrains: false,
            build: |schema, value, dim, build| {
                Ok(Box::new(serde_yaml::from_value::<CvarConfig>(value)?.method(schema, dim, build)?))
            },
        },
    },
    MethodEntry {
        name: "csdm",
        sources: &["diffusion/csdm"],
        resolve: |value| resolve(value, CsdmConfig::check),
        usage: Use::ColdItem {
            pretrains: false,
            build: |schema, value, dim, build| {
                Ok(Box::new(serde_yaml::from_value::<CsdmConfig>(value)?.method(schema, dim, build)?))
            },
        },
    },
    MethodEntry { name: "mix", sources: &[], resolve: plain, usage: Use::Augment(|_| Ok(Augmentation::Mix)) },
    MethodEntry {
        name: "fine-tune",
        sources: &[],
        resolve: plain,
        usage: Use::Augment(|_| Ok(Augmentation::FineTune)),
    },
    MethodEntry {
        name: "single",
        sources: &[],
        resolve: plain,
        usage: Use::Augment(|_| Ok(Augmentation::Single)),
    },
    baseline_generator("vae"),
    baseline_generator("gan"),
    baseline_generator("softmax-gan"),
    baseline_generator("wgan"),
    baseline_generator("wgan-gp"),
    MethodEntry {
        name: "diff",
        sources: &["diffusion/diff_msr"],
        resolve: |value| resolve(value, |_: &DiffConfig| Ok(())),
        usage: Use::Augment(|value| generated(RowsConfig::Diff(serde_yaml::from_value(value)?))),
    },
    MethodEntry {
        name: "diff-msr",
        sources: &["diffusion/diff_msr"],
        resolve: |value| resolve(value, DiffMsrConfig::check),
        usage: Use::Augment(|value| {
            let config: DiffMsrConfig = serde_yaml::from_value(value)?;
            Ok(Augmentation::Generated(Box::new(config.generator())))
        }),
    },
];

const fn baseline_generator(name: &'static str) -> MethodEntry {
    MethodEntry {
        name,
        sources: &["baselines/generators", "diffusion/diff_msr"],
        resolve: |value| resolve(value, GeneratorConfig::check),
        usage: Use::Augment(|value| generated(RowsConfig::Baseline(serde_yaml::from_value(value)?))),
    }
}

fn generated(rows: RowsConfig) -> Result<Augmentation> {
    Ok(Augmentation::Generated(Box::new(Generator { rows, transfer: None })))
}

/// A method with nothing to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainConfig {
    name: String,
}

fn plain(value: Value) -> Result<Value> {
    resolve(value, |_: &PlainConfig| Ok(()))
}

/// The method called `name`.
pub fn method(name: &str) -> Result<&'static MethodEntry> {
    match METHODS.iter().find(|m| m.name == name) {
        Some(entry) => Ok(entry),
        None => {
            let known: Vec<_> = METHODS.iter().map(|m| m.name).collect();
            bail!("unknown method {name:?}; known are {}", known.join(", "))
        }
    }
}

/// The method a resolved configuration describes; its `name` chooses it.
pub fn of(config: &Value) -> Result<&'static MethodEntry> {
    method(config.get("name").and_then(Value::as_str).unwrap_or_default())
}

/// Whether a resolved method pre-trains the net in a way of its own.
pub fn pretrains(config: &Value) -> Result<bool> {
    Ok(matches!(of(config)?.usage, Use::ColdItem { pretrains: true, .. }))
}

/// Builds the method for cold items that a resolved configuration describes.
pub fn build(schema: &Schema, config: &Value, dim: usize, build: Build) -> Result<Box<dyn ColdItemMethod>> {
    let entry = of(config)?;
    match entry.usage {
        Use::ColdItem { build: method, .. } => method(schema, config.clone(), dim, build),
        Use::Augment(_) => bail!("{} is no method for cold items", entry.name),
    }
}

/// What a resolved method of the recipe `augment` does.
pub fn augmentation(config: &Value) -> Result<Augmentation> {
    let entry = of(config)?;
    match entry.usage {
        Use::Augment(augmentation) => augmentation(config.clone()),
        Use::ColdItem { .. } => bail!("{} is no method for cold scenarios", entry.name),
    }
}
