//! From a dataset file to columns and row lists.
use crate::cache::{Header, Writer};
use crate::ids::counts;
use crate::loader::CountRows;
use crate::raw::RawFiles;
use crate::simulate::{self, SimulateConfig};
use crate::view::{Loaded, View, gather, min_max};
use crate::{
    Column, Columns, Dataset, DatasetConfig, Error, Memory, Provenance, Result, Schema, SplitPlan, Splits,
    Stored, Streamed, cache,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// A dataset and its row lists.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The columns.
    pub dataset: Dataset,
    /// The row lists of the dataset's split plan.
    pub splits: Splits,
}

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

impl DatasetConfig {
    /// Where the rows will come from: the raw folder where it exists, else the simulator. A folder that exists but
    /// lacks files is an error later on, never a reason to simulate, but for one case: where all that it holds are the
    /// tables of users and items, some loaders' simulators make the rows.
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

    fn check_simulation(&self, params: SimulateConfig) -> Result<()> {
        let check = self.loader.simulator().check(params);
        check.map_err(|(key, message)| self.wrong_override(format!("simulate with {key}: {message}")))
    }

    /// Whether all tables that the simulator can do without are in the folder, and none of the other files.
    fn has_tables_only(&self, folder: &Path) -> bool {
        let tables = self.loader.simulator().tables();
        let here = |name: &&str| folder.join(name).exists();
        !tables.is_empty() && self.loader.files().iter().all(|name| here(name) == tables.contains(name))
    }

    /// The raw files, and what they are.
    fn read_raw(&self, folder: &Path, over: &Override) -> Result<(RawFiles, Identity)> {
        self.loader.check_memory(folder)?;
        let raw = self.loader.raw_files(folder).map_err(|e| match (e, self.loader.instead()) {
            (Error::MissingFiles { folder, missing, expected }, Some(instead)) => {
                Error::MissingFiles { folder, missing, expected: format!("{expected}, {instead}") }
            }
            (e, _) => e,
        })?;
        let (provenance, note) = raw.recognise(&self.known_files, self.provenance)?;
        let identity = self.identity(over, provenance, note, raw.hash());
        Ok((raw, identity))
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
        let all = (&self.dataset, &self.loader, self.loader.version(), split, provenance, &note, content);
        let json = serde_json::to_string(&all).expect("a configuration has a JSON form");
        let fingerprint = blake3::hash(json.as_bytes()).to_hex().to_string();
        Identity { fingerprint, provenance, note }
    }
}

/// What the raw files are, or will be made of.
enum Material {
    Raw(RawFiles),
    Simulation(SimulateConfig, Option<RawFiles>),
}

fn material(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<(Material, Identity)> {
    Ok(match config.source(roots, over)? {
        Source::Raw(folder) => {
            let (raw, identity) = config.read_raw(&folder, over)?;
            (Material::Raw(raw), identity)
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

/// What `prepare` would return, by name: reads and hashes the raw files (nothing at all for simulated data), but
/// parses nothing.
pub fn identify(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<Identity> {
    material(config, roots, over).map(|(_, identity)| identity)
}

/// Loads a dataset and splits it: from the cache where that is current, else from the raw files, which are simulated
/// first where the raw folder is absent. Of a dataset that is too large to be held in memory the columns stay in the cache
/// ([`Memory`]).
pub fn prepare(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<Prepared> {
    let (material, identity) = material(config, roots, over)?;
    let path = cache_path(config, roots, &identity);
    let open = || match Stored::open(&path, &identity.fingerprint)? {
        Some(stored) => dataset(config, stored).map(Some),
        None => Ok(None),
    };
    let cached = open().unwrap_or_else(|e| {
        tracing::warn!("{e}; it is made anew");
        None
    });
    let mut dataset = match cached {
        Some(dataset) => dataset,
        None => {
            let _alone = Lock::wait(&path)?;
            // Another process may have made it meanwhile.
            match open().ok().flatten() {
                Some(dataset) => dataset,
                None => {
                    let raw = match material {
                        Material::Raw(raw) => raw,
                        Material::Simulation(params, tables) => {
                            simulated_files(config, params, tables.as_ref(), roots)?
                        }
                    };
                    build(config, raw, identity.clone(), &path)?;
                    open()?.expect("a cache that was just written")
                }
            }
        }
    };
    let splits = over.split.as_ref().unwrap_or(&config.split).apply(&dataset)?;
    if config.loader.count() == Some(CountRows::TrainOnly) {
        count_training_rows(&mut dataset, &splits);
    }
    Ok(Prepared { dataset, splits })
}

/// Held by the one process that makes a cache file; the others wait for it, then find the file.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn wait(cache: &Path) -> Result<Lock> {
        let folder = cache.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "cannot make the cache folder"))?;
        let name = cache.file_stem().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!(".{name}.lock"));
        let file = File::create(&path).map_err(Error::io(&path, "cannot make the lock file"))?;
        if file.try_lock().is_err() {
            tracing::info!("waiting for another process that makes {}", cache.display());
            file.lock().map_err(Error::io(&path, "cannot lock"))?;
        }
        Ok(Lock { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who waits for it holds the same file, which has no name any more, and will find the cache.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The dataset of a cache file.
fn dataset(config: &DatasetConfig, stored: Stored) -> Result<Dataset> {
    let header = stored.header().clone();
    let size = stored.size();
    let streamed = match config.memory {
        Memory::Auto => size > Memory::RESIDENT,
        Memory::Resident => false,
        Memory::Streamed => true,
    };
    if !streamed {
        return Ok(Dataset::new(header, stored.all()?));
    }
    tracing::info!(
        "{}: {:.1} GiB of columns stay in the cache file, of which row groups are read as they are needed",
        config.dataset,
        size as f64 / f64::from(1u32 << 30)
    );
    let mut dataset = Dataset::new(header, stored.about_rows()?);
    let items = dataset.schema.item_id.as_ref().and_then(|name| dataset.schema.field(name)).map(|f| f.0);
    let resident = items.map(|at| Ok((at, Column::Id(stored.ids(&dataset.schema.fields[at].name)?))));
    dataset.columns =
        Columns::Streamed(Arc::new(Streamed::new(stored, resident.into_iter().collect::<Result<_>>()?)));
    Ok(dataset)
}

/// Where the cache of a dataset lies.
fn cache_path(config: &DatasetConfig, roots: &Roots, identity: &Identity) -> PathBuf {
    roots.cache.join(format!("{}-{}.parquet", config.dataset, &identity.fingerprint[..16]))
}

fn simulated_files(
    config: &DatasetConfig,
    params: SimulateConfig,
    tables: Option<&RawFiles>,
    roots: &Roots,
) -> Result<RawFiles> {
    let folder = simulate::ensure(config.loader.simulator(), params, tables, &config.dataset, &roots.cache)?;
    config.loader.raw_files(&folder)
}

/// Writes the cache file of a dataset.
fn build(config: &DatasetConfig, raw: RawFiles, identity: Identity, path: &Path) -> Result<()> {
    let header = |schema: Schema, item_vocabulary: Option<Vec<usize>>| Header {
        name: config.dataset.clone(),
        provenance: identity.provenance,
        note: identity.note.clone(),
        fingerprint: identity.fingerprint.clone(),
        schema,
        item_vocabulary,
    };
    let View { schema, mut rows, item_vocabulary, chosen } = match config.loader.load(&raw)? {
        Loaded::View(view) => view,
        Loaded::Stream(stream) => {
            let probabilities = raw.probabilities(stream.of)?;
            let mut writer = Writer::new(path, header(stream.schema, None))?;
            (stream.rows)(&mut |mut rows, chosen| {
                rows.click_probability = probabilities.as_ref().map(|p| gather(p, chosen));
                writer.append(&rows)
            })?;
            return writer.finish();
        }
    };
    let probabilities = raw.probabilities(chosen.as_ref().map_or(rows.len(), |c| c.of))?;
    rows.click_probability = match &chosen {
        Some(chosen) => probabilities.map(|p| gather(&p, &chosen.rows)),
        None => probabilities,
    };
    drop(raw); // Writing the cache takes memory of its own.
    cache::write(header(schema, item_vocabulary), &rows, path)
}

/// The feature `count` over the rows that a model may have seen: an item's popularity among rows to be predicted is
/// not known beforehand. Scaled as before.
fn count_training_rows(data: &mut Dataset, splits: &Splits) {
    let items = data.item_ids().to_vec();
    let known = splits.parts.iter().filter(|p| p.0 != "valid" && p.0 != "test").flat_map(|p| &p.1);
    let known: Vec<u32> = known.map(|r| items[*r as usize]).collect();
    let count = counts(&known, items.iter().max().map_or(0, |m| *m as usize + 1));
    let scaled = min_max(items.iter().map(|i| f64::from(count[*i as usize])));
    let (at, _) = data.schema.field("count").expect("a field of every loader with this key");
    data.replace(at, Column::Real(scaled));
}
