//! What `configs/benchmarks` says.
use crate::{
    roots::Roots,
    spec::{Catalog, Changes, Source},
};
use anyhow::{Context, Result, bail};
use scenarec_data::Override;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A measurement, and the programs that are measured beside it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Its name, as the file's.
    pub benchmark: String,
    /// What is measured.
    pub title: String,
    /// What the numbers are.
    pub unit: Unit,
    /// Ours.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub ours: Ours,
    /// The others.
    #[serde(default)]
    pub peers: Vec<Peer>,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Rows in an optimiser step.
    SamplesPerSecond,
    /// Wall time.
    Seconds,
}

impl Unit {
    /// As it stands behind a number.
    pub fn text(self) -> &'static str {
        match self {
            Self::SamplesPerSecond => "samples/s",
            Self::Seconds => "s",
        }
    }

    /// How many times as fast `ours` is.
    pub fn ratio(self, ours: f64, peer: f64) -> f64 {
        match self {
            Self::SamplesPerSecond => ours / peer,
            Self::Seconds => peer / ours,
        }
    }
}

/// What is measured of this program.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ours {
    /// A run of a table.
    Run(Run),
    /// Something that no run is, by its name (`bench/built_in.rs`).
    BuiltIn(BuiltInCall),
    /// A dataset made from its raw files, without a cache.
    Prepare(Preparation),
}

/// Which dataset is prepared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// Its name.
    pub dataset: String,
    /// How many rows are simulated where the raw files are not there; none is as many as its file says.
    #[serde(default)]
    pub rows: Option<usize>,
}

impl Preparation {
    /// The raw files, simulated where they are not there.
    pub fn raw_folder(&self, catalog: &Catalog, roots: &Roots) -> Result<PathBuf> {
        let config = catalog.dataset(&self.dataset, &Changes::default())?;
        let there = roots.data.raw.join(&config.raw).exists();
        let over = Override { rows: if there { None } else { self.rows }, ..Override::default() };
        Ok(config.raw_folder(&roots.data, &over)?)
    }
}

/// The only run, or one of equals, that is left of a table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The table.
    pub table: String,
    /// As `--only`.
    #[serde(default)]
    pub only: Vec<String>,
    /// As `--set`.
    #[serde(default)]
    pub set: Vec<String>,
    /// As `--quick`.
    #[serde(default)]
    pub quick: bool,
    /// As `--profile`.
    #[serde(default = "paper")]
    pub profile: String,
    /// The stage whose measure it is; none is the time of the whole command.
    #[serde(default)]
    pub stage: Option<String>,
}

fn paper() -> String {
    "paper".into()
}

/// A built-in measurement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltInCall {
    /// Its name.
    pub name: String,
    /// How many rows.
    pub rows: usize,
}

/// A script of `bench/peers`, whose last line is `{"samples_per_second": …}` or `{"seconds": …}`, with `peak_rss_bytes`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// What it is.
    pub name: String,
    /// The file.
    pub script: String,
    /// Its arguments; `{raw}` is the raw folder of the dataset, `{threads}` and `{rows}` are what they say.
    #[serde(default)]
    pub args: Vec<String>,
}

impl Benchmark {
    /// The bench of this name.
    pub fn load(catalog: &Catalog, name: &str) -> Result<Self> {
        if !catalog.has("benchmark", name) {
            bail!("{}", catalog.unknown("benchmark", name));
        }
        let shown = format!("configs/benchmarks/{name}.yaml");
        let bench: Self =
            Source::read(&catalog.folder().join("benchmarks").join(name).with_extension("yaml"), &shown)?
                .typed()?;
        if bench.benchmark != name {
            bail!("{shown}: it is called {:?}", bench.benchmark);
        }
        Ok(bench)
    }

    /// Whether the peers' scripts are in their folder.
    pub fn check(&self, project: &Path) -> Result<()> {
        for peer in &self.peers {
            let script = project.join("bench/peers").join(&peer.script);
            script
                .metadata()
                .with_context(|| format!("{}: cannot read {}", self.benchmark, script.display()))?;
        }
        Ok(())
    }
}
