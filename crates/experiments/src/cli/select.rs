//! Flags that select what of a table is meant.
use super::Folders;
use crate::spec::{Changes, Selection};
use anyhow::{Context, Result};
use clap::Args;

/// A table and what of it is meant.
#[derive(Clone, Debug, Args)]
pub(super) struct TableArgs {
    /// The table, as `list` shows it.
    pub table: String,
    #[command(flatten)]
    pub choice: Choice,
}

/// What of a table is meant.
#[derive(Clone, Debug, Args)]
pub(super) struct Choice {
    /// Only these entries of a dimension, for example method=csdm,cvar; may be repeated.
    #[arg(long, value_name = "DIMENSION=ENTRIES")]
    pub only: Vec<String>,
    /// The first so many seeds.
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// Change a setting, for example method.csdm.rho=0.1 or run.pretrain.epochs=2; may be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// `paper`, or `released` for what the authors' program does.
    #[arg(long, default_value = "paper")]
    pub profile: String,
    /// A small version on simulated data, to see that it works.
    #[arg(long)]
    pub quick: bool,
    /// Where to compute.
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda"])]
    pub device: String,
    /// Threads of every run; results depend on it.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,
    #[command(flatten)]
    pub folders: Folders,
}

impl Choice {
    /// These entries of a table, and all else as it is.
    pub fn of(only: &[String], folders: &Folders) -> Self {
        Self {
            only: only.to_vec(),
            seeds: None,
            set: Vec::new(),
            profile: "paper".into(),
            quick: false,
            device: "cpu".into(),
            threads: 1,
            folders: folders.clone(),
        }
    }

    /// The selection these flags mean.
    pub fn selection(&self) -> Result<Selection> {
        let mut set = Changes::default();
        for flag in &self.set {
            set = set.then(&Changes::from_flag(flag)?);
        }
        let mut only = Vec::new();
        for text in &self.only {
            let (dimension, names) = text
                .split_once('=')
                .with_context(|| format!("--only {text}: expected DIMENSION=ENTRY[,ENTRY]"))?;
            only.push((dimension.to_string(), names.split(',').map(str::to_string).collect()));
        }
        Ok(Selection {
            only,
            seeds: self.seeds,
            set,
            profile: self.profile.clone(),
            quick: self.quick,
            device: self.device.clone(),
            threads: usize::from(self.threads),
        })
    }
}
