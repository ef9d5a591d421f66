//! Where a project keeps its configuration, data and runs.
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Folders of a project.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The project: the folder with `configs/tables`.
    pub project: PathBuf,
    /// Raw data and caches.
    pub data: scenarec_data::Roots,
    /// Finished runs.
    pub runs: PathBuf,
}

impl Roots {
    /// Finds the project from the current folder upwards, unless it is given.
    pub fn find(root: Option<&Path>, raw: Option<&Path>, runs: Option<&Path>) -> Result<Self> {
        let current = std::env::current_dir().context("the current folder is gone")?;
        let project = match root {
            Some(root) => {
                let found = is_project(root);
                anyhow::ensure!(found, "--root {}: there is no folder configs/tables in it", root.display());
                current.join(root)
            }
            None => current.ancestors().find(|a| is_project(a)).map(Path::to_path_buf).with_context(|| {
                format!(
                    "no folder with configs/tables from {} upwards: change to the project's folder or give --root",
                    current.display()
                )
            })?,
        };
        let or = |given: Option<&Path>, below: &str| match given {
            Some(path) => current.join(path),
            None => project.join(below),
        };
        let data = scenarec_data::Roots { raw: or(raw, "data/raw"), cache: project.join("data/cache") };
        Ok(Self { data, runs: or(runs, "runs"), project })
    }

    /// The configuration folder.
    pub fn configs(&self) -> PathBuf {
        self.project.join("configs")
    }

    /// Finished runs that are part of the repository.
    pub fn published(&self) -> PathBuf {
        self.project.join("docs/results")
    }
}

fn is_project(folder: &Path) -> bool {
    folder.join("configs/tables").is_dir()
}
