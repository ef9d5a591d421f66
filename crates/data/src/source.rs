//! Where a dataset's rows come from.
use crate::simulate::SimulateConfig;
use crate::{DatasetConfig, Error, Result, SplitPlan};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where things lie.
#[derive(Clone, Debug)]
pub struct Roots {
    /// Holds a raw folder per dataset.
    pub raw: PathBuf,
    /// Holds the Parquet files and the simulated raw files; made where it is absent.
    pub cache: PathBuf,
}

/// What a caller may change about a dataset, for quick runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// Number of rows of simulated data; users and items are scaled along. An error where the data is not simulated.
    pub rows: Option<usize>,
    /// Simulate even where the raw folder exists.
    pub force_simulated: bool,
    /// Another split: a smaller dataset needs smaller thresholds.
    pub split: Option<SplitPlan>,
}

/// Where a dataset's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// This raw folder.
    Raw(PathBuf),
    /// The simulator.
    Simulated(SimulateConfig),
    /// The simulator, over the tables of users and items in this raw folder, which holds nothing else.
    Completed {
        /// The raw folder.
        tables: PathBuf,
        /// Number of simulated rows.
        rows: usize,
        /// Seed of the simulation.
        seed: u64,
    },
}

impl DatasetConfig {
    /// Where the rows will come from: the raw folder where it exists, else the simulator. A folder that exists but
    /// lacks files is an error later on, never a reason to simulate, but for one case: where all that it holds are the
    /// tables of users and items, some loaders' simulators make the rows.
    ///
    /// # Errors
    /// A number of rows for data that are not simulated, or one with which they cannot be.
    pub fn source(&self, roots: &Roots, over: &Override) -> Result<Source> {
        let folder = roots.raw.join(&self.raw);
        // A path that is there but cannot be looked at exists, so that the reason comes to light.
        let absent = folder.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        if absent || over.force_simulated {
            let simulator = self.loader.simulator();
            let params = over.rows.map_or(self.simulate, |rows| simulator.with_rows(self.simulate, rows));
            return self.check_simulation(params).map(|()| Source::Simulated(params));
        }
        if self.has_tables_only(&folder) {
            let rows = over.rows.unwrap_or(self.simulate.rows);
            return Ok(Source::Completed { tables: folder, rows, seed: self.simulate.seed });
        }
        match over.rows {
            None => Ok(Source::Raw(folder)),
            Some(_) => Err(self.wrong_override(format!(
                "the number of rows can be chosen for simulated data only, and {} exists",
                folder.display()
            ))),
        }
    }

    fn wrong_override(&self, message: String) -> Error {
        Error::Override { dataset: self.dataset.clone(), message }
    }

    pub(crate) fn check_simulation(&self, params: SimulateConfig) -> Result<()> {
        let check = self.loader.simulator().check(params);
        check.map_err(|(key, message)| self.wrong_override(format!("simulate with {key}: {message}")))
    }

    /// Whether all tables that the simulator can do without are in the folder, and none of the other files.
    fn has_tables_only(&self, folder: &Path) -> bool {
        let tables = self.loader.simulator().tables();
        let here = |name: &&str| folder.join(name).exists();
        !tables.is_empty() && self.loader.files().iter().all(|name| here(name) == tables.contains(name))
    }
}
