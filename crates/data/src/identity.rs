//! What identifies a dataset: its raw files, or the simulation that stands in for them, and everything that is done with them.
use crate::raw::{Found, Memo, RawFiles};
use crate::simulate::{self, SimulateConfig};
use crate::source::{Override, Roots, Source};
use crate::{DatasetConfig, Error, Provenance, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What identifies a dataset: enough for a plan, without parsing anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// `Dataset::fingerprint`.
    pub fingerprint: String,
    /// `Dataset::provenance`.
    pub provenance: Provenance,
    /// `Dataset::note`.
    pub note: String,
}

/// What `prepare` would return, by name: reads and hashes the raw files where they have changed since that was done
/// (nothing at all for simulated data), but parses nothing.
///
/// # Errors
/// As [`prepare`](crate::prepare), but for what only parsing finds.
pub fn identify(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<Identity> {
    Material::of(config, roots, over).map(|(_, identity)| identity)
}

/// What a dataset is made of.
pub(crate) enum Material {
    /// These raw files, which have this hash; they are read already where they had to be for that.
    Raw { folder: PathBuf, hash: String, read: Option<RawFiles> },
    /// Simulated files, or some over raw tables.
    Simulation(SimulateConfig, Option<RawFiles>),
}

impl Material {
    /// What the dataset is made of and will be known by.
    pub fn of(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<(Material, Identity)> {
        Ok(match config.source(roots, over)? {
            Source::Raw(folder) => {
                let (Found { hash, provenance, note }, read) = config.find_out(&folder, &roots.cache)?;
                let identity = config.identity(over, provenance, note, hash.clone());
                (Material::Raw { folder, hash, read }, identity)
            }
            Source::Simulated(params) => {
                (Material::Simulation(params, None), config.identify_simulated(params, over))
            }
            Source::Completed { tables, rows, seed } => {
                let (tables, params, identity) = config.read_tables(&tables, (rows, seed), over)?;
                (Material::Simulation(params, Some(tables)), identity)
            }
        })
    }

    /// The raw files, simulated where they have to be.
    pub fn files(self, config: &DatasetConfig, roots: &Roots) -> Result<RawFiles> {
        match self {
            Material::Raw { read: Some(raw), .. } => Ok(raw),
            Material::Raw { folder, hash, read: None } => {
                let raw = config.open_raw(&folder)?;
                if raw.hash() == hash { Ok(raw) } else { Err(Error::Changed { file: folder }) }
            }
            Material::Simulation(params, tables) => {
                config.loader.format().raw_files(&config.simulated(params, tables.as_ref(), roots)?)
            }
        }
    }
}

impl DatasetConfig {
    /// The folder with the raw files, which are simulated where they have to be and are not there.
    ///
    /// # Errors
    /// As [`identify`]; simulated files that cannot be written.
    pub fn raw_folder(&self, roots: &Roots, over: &Override) -> Result<PathBuf> {
        match Material::of(self, roots, over)?.0 {
            Material::Raw { folder, .. } => Ok(folder),
            Material::Simulation(params, tables) => self.simulated(params, tables.as_ref(), roots),
        }
    }

    fn simulated(&self, params: SimulateConfig, tables: Option<&RawFiles>, roots: &Roots) -> Result<PathBuf> {
        simulate::ensure(self.loader.simulator(), params, tables, &self.dataset, &roots.cache)
    }

    /// The raw files.
    pub(crate) fn open_raw(&self, folder: &Path) -> Result<RawFiles> {
        self.loader.format().check_memory(folder)?;
        self.loader.format().raw_files(folder).map_err(|e| match (e, self.loader.format().instead()) {
            (Error::MissingFiles { folder, missing, expected }, Some(instead)) => {
                Error::MissingFiles { folder, missing, expected: format!("{expected}, {instead}") }
            }
            (e, _) => e,
        })
    }

    /// What the raw files are, and the files themselves, where they had to be read for that.
    fn find_out(&self, folder: &Path, cache: &Path) -> Result<(Found, Option<RawFiles>)> {
        let names = self.loader.format().files_in(folder);
        let memo = Memo::of(cache, folder, &names, &(&self.known_files, self.provenance));
        if let Some(found) = memo.recall() {
            return Ok((found, None));
        }
        let raw = self.open_raw(folder)?;
        let (provenance, note) = raw.recognise(&self.known_files, self.provenance)?;
        let found = Found { hash: raw.hash(), provenance, note };
        memo.note(folder, &names, &found);
        Ok((found, Some(raw)))
    }

    fn identify_simulated(&self, params: SimulateConfig, over: &Override) -> Identity {
        let SimulateConfig { users, items, rows, seed } = params;
        let note = format!("simulated: {rows} rows, {users} users, {items} items, seed {seed}");
        // The files follow from these, so that there is no need to make them for a plan.
        let content = format!("simulator {}: {note}", self.loader.simulator().version());
        self.identity(over, Provenance::Simulated, note, content)
    }

    /// The tables of a folder that holds nothing else, the size of the simulation over them, and what comes of it.
    fn read_tables(
        &self,
        folder: &Path,
        (rows, seed): (usize, u64),
        over: &Override,
    ) -> Result<(RawFiles, SimulateConfig, Identity)> {
        let simulator = self.loader.simulator();
        let raw = RawFiles::read(folder, simulator.tables())?;
        let [users, items] = [0, 1].map(|i| raw.file(simulator.tables()[i]).rows_below_header());
        let params = SimulateConfig { users, items, rows, seed };
        self.check_simulation(params)?;
        let (tables, about) = raw.recognise(&self.known_files, self.provenance)?;
        let about = if about.is_empty() { about } else { format!(" ({about})") };
        let note = format!(
            "simulated: logs over the {tables} user and video tables{about}, {rows} rows, {users} users, {items} videos, \
             seed {seed}"
        );
        let content = format!("simulator {} over {}: {note}", simulator.version(), raw.hash());
        let identity = self.identity(over, Provenance::Simulated, note, content);
        Ok((raw, params, identity))
    }

    fn identity(&self, over: &Override, provenance: Provenance, note: String, content: String) -> Identity {
        let split = over.split.as_ref().unwrap_or(&self.split);
        let all =
            (&self.dataset, &self.loader, self.loader.format().version(), split, provenance, &note, content);
        let json = serde_json::to_string(&all).expect("a configuration has a JSON form");
        let fingerprint = blake3::hash(json.as_bytes()).to_hex().to_string();
        Identity { fingerprint, provenance, note }
    }
}
