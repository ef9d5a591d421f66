//! From a dataset file to columns and row lists.
use crate::ids::counts;
use crate::loader::CountRows;
use crate::raw::RawFiles;
use crate::simulate::{self, SimulateConfig};
use crate::view::{gather, min_max};
use crate::{Column, Dataset, DatasetConfig, Error, Provenance, Result, SplitPlan, Splits, cache};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// Where the rows will come from: the raw folder where it exists, else the simulator. (A folder that exists but
    /// lacks files is an error later on, never a reason to simulate.)
    pub fn source(&self, roots: &Roots, over: &Override) -> Result<Source> {
        let folder = roots.raw.join(&self.raw);
        // A path that is there but cannot be looked at exists, so that the reason comes to light.
        let absent = folder.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        let wrong = |message| Err(Error::Override { dataset: self.dataset.clone(), message });
        if !absent && !over.force_simulated {
            return match over.rows {
                None => Ok(Source::Raw(folder)),
                Some(_) => wrong(format!(
                    "the number of rows can be chosen for simulated data only, and {} exists",
                    folder.display()
                )),
            };
        }
        let simulator = self.loader.simulator();
        let params = over.rows.map_or(self.simulate, |rows| simulator.with_rows(self.simulate, rows));
        match simulator.check(params) {
            Ok(()) => Ok(Source::Simulated(params)),
            Err((key, message)) => wrong(format!("simulate with {key}: {message}")),
        }
    }

    fn identify_raw(&self, raw: &RawFiles, over: &Override) -> Identity {
        let (provenance, note) = raw.recognise(&self.known_files, self.provenance);
        let mut hash = blake3::Hasher::new();
        for file in raw.all() {
            hash.update(&(file.bytes.len() as u64).to_le_bytes());
            hash.update_rayon(&file.bytes);
        }
        self.identity(over, provenance, note, hash.finalize().to_hex().to_string())
    }

    fn identify_simulated(&self, params: SimulateConfig, over: &Override) -> Identity {
        let SimulateConfig { users, items, rows, seed } = params;
        let note = format!("simulated: {rows} rows, {users} users, {items} items, seed {seed}");
        // The files follow from these, so that there is no need to make them for a plan.
        let content = format!("simulator {}: {note}", self.loader.simulator().version());
        self.identity(over, Provenance::Simulated, note, content)
    }

    fn identity(&self, over: &Override, provenance: Provenance, note: String, content: String) -> Identity {
        let split = over.split.as_ref().unwrap_or(&self.split);
        let all = (&self.dataset, &self.loader, self.loader.version(), split, provenance, &note, content);
        let json = serde_json::to_string(&all).expect("a configuration has a JSON form");
        let fingerprint = blake3::hash(json.as_bytes()).to_hex().to_string();
        Identity { fingerprint, provenance, note }
    }
}

/// What `prepare` would return, by name: reads and hashes the raw files (nothing at all for simulated data), but
/// parses nothing.
pub fn identify(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<Identity> {
    Ok(match config.source(roots, over)? {
        Source::Raw(folder) => config.identify_raw(&RawFiles::read(&folder, &config.loader.files())?, over),
        Source::Simulated(params) => config.identify_simulated(params, over),
    })
}

/// Loads a dataset and splits it: from the cache where that is current, else from the raw files, which are simulated
/// first where the raw folder is absent.
pub fn prepare(config: &DatasetConfig, roots: &Roots, over: &Override) -> Result<Prepared> {
    let source = config.source(roots, over)?;
    let (raw, identity) = match &source {
        Source::Raw(folder) => {
            let raw = RawFiles::read(folder, &config.loader.files())?;
            let identity = config.identify_raw(&raw, over);
            (Some(raw), identity)
        }
        Source::Simulated(params) => (None, config.identify_simulated(*params, over)),
    };
    let path = cache_path(config, roots, &identity);
    let cached = cache::read(&path, &identity.fingerprint).unwrap_or_else(|e| {
        tracing::warn!("{e}; it is made anew");
        None
    });
    let mut dataset = match cached {
        Some(dataset) => dataset,
        None => {
            let raw = match (raw, source) {
                (Some(raw), _) => raw,
                (None, Source::Simulated(params)) => simulated_files(config, params, roots)?,
                (None, Source::Raw(folder)) => RawFiles::read(&folder, &config.loader.files())?,
            };
            let dataset = build(config, &raw, identity)?;
            drop(raw); // Writing the cache takes memory of its own.
            cache::write(&dataset, &path)?;
            dataset
        }
    };
    let splits = over.split.as_ref().unwrap_or(&config.split).apply(&dataset)?;
    if config.loader.count() == Some(CountRows::TrainOnly) {
        count_training_rows(&mut dataset, &splits);
    }
    Ok(Prepared { dataset, splits })
}

/// Where the cache of a dataset lies.
fn cache_path(config: &DatasetConfig, roots: &Roots, identity: &Identity) -> PathBuf {
    roots.cache.join(format!("{}-{}.parquet", config.dataset, &identity.fingerprint[..16]))
}

fn simulated_files(config: &DatasetConfig, params: SimulateConfig, roots: &Roots) -> Result<RawFiles> {
    let folder = simulate::ensure(config.loader.simulator(), params, &config.dataset, &roots.cache)?;
    RawFiles::read(&folder, &config.loader.files())
}

fn build(config: &DatasetConfig, raw: &RawFiles, identity: Identity) -> Result<Dataset> {
    let view = config.loader.load(raw)?;
    let rows = view.scenario.len();
    let probabilities = raw.probabilities(view.chosen.as_ref().map_or(rows, |c| c.of))?;
    let click_probability = match &view.chosen {
        Some(chosen) => probabilities.map(|p| gather(&p, &chosen.rows)),
        None => probabilities,
    };
    Ok(Dataset {
        name: config.dataset.clone(),
        provenance: identity.provenance,
        note: identity.note,
        schema: view.schema,
        columns: view.columns,
        labels: view.labels,
        scenario: view.scenario,
        time: view.time,
        session: None,
        click_probability,
        fingerprint: identity.fingerprint,
    })
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
    data.columns[at] = Column::Real(scaled);
}
