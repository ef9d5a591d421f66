//! The methods of all crates, by name.
use anyhow::{Result, bail};
use scenarec_baselines::{
    CvarConfig, DropoutNetConfig, MetaE, MetaEConfig, Mwuf, MwufConfig, Velf, VelfConfig,
};
use scenarec_data::Schema;
use scenarec_diffusion::CsdmConfig;
use scenarec_train::{Build, ColdItemMethod, cold::Plain, config::resolve};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// Builds a method for data with the given schema and a net whose embeddings have the given width.
pub type BuildMethod = fn(&Schema, Value, usize, Build) -> Result<Box<dyn ColdItemMethod>>;

/// A method's entry in the registry.
#[derive(Clone, Copy, Debug)]
pub struct MethodEntry {
    /// Its name in configurations.
    pub name: &'static str,
    /// Crates whose sources the method's numbers depend on, besides those every run uses.
    pub crates: &'static [&'static str],
    /// Whether it pre-trains the net in a way of its own.
    pub pretrains: bool,
    /// Checks a configuration and fills in every default.
    pub resolve: fn(Value) -> Result<Value>,
    /// Builds it.
    pub build: BuildMethod,
}

/// All methods.
pub const METHODS: &[MethodEntry] = &[
    MethodEntry {
        name: "none",
        crates: &[],
        pretrains: false,
        resolve: |value| resolve(value, |_: &PlainConfig| Ok(())),
        build: |_, _, _, _| Ok(Box::new(Plain)),
    },
    MethodEntry {
        name: "dropoutnet",
        crates: &["baselines"],
        pretrains: true,
        resolve: |value| resolve(value, DropoutNetConfig::check),
        build: |_, value, _, build| {
            Ok(Box::new(serde_yaml::from_value::<DropoutNetConfig>(value)?.method(build.seed)?))
        },
    },
    MethodEntry {
        name: "meta-e",
        crates: &["baselines"],
        pretrains: false,
        resolve: |value| resolve(value, MetaEConfig::check),
        build: |schema, value, dim, build| {
            Ok(Box::new(MetaE::new(&serde_yaml::from_value(value)?, schema, dim, build)?))
        },
    },
    MethodEntry {
        name: "mwuf",
        crates: &["baselines"],
        pretrains: false,
        resolve: |value| resolve(value, MwufConfig::check),
        build: |schema, value, dim, build| {
            Ok(Box::new(Mwuf::new(&serde_yaml::from_value(value)?, schema, dim, build)?))
        },
    },
    MethodEntry {
        name: "velf",
        crates: &["baselines"],
        pretrains: true,
        resolve: |value| resolve(value, VelfConfig::check),
        build: |schema, value, dim, build| {
            Ok(Box::new(Velf::new(&serde_yaml::from_value(value)?, schema, dim, build)?))
        },
    },
    MethodEntry {
        name: "cvar",
        crates: &["baselines"],
        pretrains: false,
        resolve: |value| resolve(value, CvarConfig::check),
        build: |schema, value, dim, build| {
            Ok(Box::new(serde_yaml::from_value::<CvarConfig>(value)?.method(schema, dim, build)?))
        },
    },
    MethodEntry {
        name: "csdm",
        crates: &["diffusion"],
        pretrains: false,
        resolve: |value| resolve(value, CsdmConfig::check),
        build: |schema, value, dim, build| {
            Ok(Box::new(serde_yaml::from_value::<CsdmConfig>(value)?.method(schema, dim, build)?))
        },
    },
];

/// The backbone as it is has nothing to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainConfig {
    name: String,
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

/// Builds the method a resolved configuration describes.
pub fn build(schema: &Schema, config: &Value, dim: usize, build: Build) -> Result<Box<dyn ColdItemMethod>> {
    (of(config)?.build)(schema, config.clone(), dim, build)
}
