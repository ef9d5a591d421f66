//! Simulated datasets: raw files in the official layouts, of any size, with known click probabilities.
//!
//! The files stand in where the real ones are absent, and they are a test bed: the structure is known (see
//! `movielens::world`, `shop`, `domains` and `industrial`), and `click_probability.f32` beside them holds the probability with which
//! each row became a click, so that the best attainable AUC is known too. The same parameters give the same files.
mod ali_ccp;
mod amazon;
mod auc;
mod cikm_ecomm;
mod csv;
mod domains;
mod douban;
mod industrial;
mod kuairand;
mod movielens;
mod random;
mod shop;
mod taobao_ad;

pub use auc::best_auc;
pub use douban::DoubanSplits;
pub use industrial::Industrial;
pub use kuairand::KuaiRand;
pub use movielens::Movielens;

use crate::raw::{CLICK_PROBABILITY, RawFiles};
use crate::{Checked, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Size and seed of a simulated dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateConfig {
    /// Users; each has at least 20 ratings (MovieLens), five in each of their domains (Amazon), or a row (the others).
    pub users: usize,
    /// Items. Each has a row, five in each of its domains (Amazon), but for some of the least popular ones of
    /// MovieLens, Douban and Ali-CCP.
    pub items: usize,
    /// Rows, exactly; the dataset files of MovieLens call them ratings, as do jobs written earlier.
    #[serde(alias = "ratings")]
    pub rows: usize,
    /// Seed of everything.
    pub seed: u64,
}

/// What writes simulated raw files, with the part of a loader's settings that the files depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Simulator {
    /// MovieLens.
    Movielens(Movielens),
    /// Taobao display ads.
    TaobaoAd,
    /// CIKM 2019 EComm AI.
    CikmEcomm,
    /// KuaiRand.
    #[serde(rename = "kuairand")]
    KuaiRand(KuaiRand),
    /// Douban's split files as Diff-MSR released them.
    DoubanSplits(DoubanSplits),
    /// Douban's ratings.
    DoubanRatings,
    /// Amazon reviews, 5-core.
    Amazon,
    /// The log of an industrial set.
    Industrial(Industrial),
    /// Ali-CCP.
    AliCcp,
}

/// A simulated dataset in memory.
struct Simulated {
    /// The raw files' contents, in the order of the loader's files.
    files: Vec<Vec<u8>>,
    /// One per row, in file order.
    click_probability: Vec<f32>,
    clicks: usize,
    /// Items with at least one row.
    items: usize,
}

/// What a simulator knows of its raw format.
trait Simulate {
    /// As [`Simulator::files`].
    fn files(&self) -> Vec<&'static str>;

    /// As [`Simulator::tables`].
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    /// As [`Simulator::version`].
    fn version(&self) -> u32;

    /// As [`Simulator::rows_key`].
    fn rows_key(&self) -> &'static str {
        "rows"
    }

    /// As [`Simulator::check`].
    fn check(&self, config: SimulateConfig) -> Checked<()>;

    /// As [`Simulator::with_rows`].
    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig;

    /// The files; where `tables` are given, these are among them.
    fn simulate(&self, config: SimulateConfig, tables: Option<&RawFiles>) -> Result<Simulated>;
}

impl Simulator {
    fn format(&self) -> &dyn Simulate {
        match self {
            Simulator::Movielens(own) => own,
            Simulator::TaobaoAd => &taobao_ad::TaobaoAd,
            Simulator::CikmEcomm => &cikm_ecomm::CikmEcomm,
            Simulator::KuaiRand(own) => own,
            Simulator::DoubanSplits(own) => own,
            Simulator::DoubanRatings => &douban::DoubanRatings,
            Simulator::Amazon => &amazon::Amazon,
            Simulator::Industrial(own) => own,
            Simulator::AliCcp => &ali_ccp::AliCcp,
        }
    }

    /// Names of the files it writes.
    pub fn files(self) -> Vec<&'static str> {
        self.format().files()
    }

    /// Those of the files for which it can make the others: tables of users and items, in this order. Empty where it
    /// makes all files or none.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        self.format().tables()
    }

    /// Raised whenever the same parameters give other files.
    pub(crate) fn version(self) -> u32 {
        self.format().version()
    }

    /// What dataset files call the number of rows.
    pub(crate) fn rows_key(self) -> &'static str {
        self.format().rows_key()
    }

    /// Whether such a dataset exists; else the key to blame and why.
    ///
    /// # Errors
    /// The key whose number is out of range, and the range.
    pub fn check(self, config: SimulateConfig) -> std::result::Result<(), (&'static str, String)> {
        self.format().check(config)
    }

    /// The same kind of dataset with another number of rows; users and items shrink or grow along.
    pub fn with_rows(self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        self.format().with_rows(config, rows)
    }

    /// Whether these tables can be simulated over.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn over_tables(self, config: SimulateConfig, tables: &RawFiles) -> Result<()> {
        self.format().simulate(config, Some(tables)).map(drop)
    }
}

/// What was simulated; `simulation.json` in the folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// Version of the simulator.
    pub version: u32,
    /// The simulator and its settings.
    pub simulator: Simulator,
    /// Size and seed.
    pub config: SimulateConfig,
    /// Items with at least one row.
    pub items: usize,
    /// Mean of the click probabilities.
    pub click_probability: f64,
    /// Share of the rows that became clicks.
    pub click_rate: f64,
    /// AUC of the true probabilities, each row counting as p positives and 1-p negatives: no model does better.
    pub best_auc: f64,
    /// BLAKE3 hash of every file.
    pub files: BTreeMap<String, String>,
}

const REPORT: &str = "simulation.json";

/// Writes a simulated dataset to `folder`, which must not exist yet. The folder appears complete or not at all.
///
/// # Errors
/// A folder that exists, or cannot be made or written.
pub fn simulate(simulator: Simulator, config: SimulateConfig, folder: &Path) -> Result<Simulation> {
    write(simulator, config, None, folder)
}

/// [`simulate`], over these tables where they are given.
fn write(
    simulator: Simulator,
    config: SimulateConfig,
    tables: Option<&RawFiles>,
    folder: &Path,
) -> Result<Simulation> {
    if folder.exists() {
        let (found, expected) = ("something that exists", "a folder that does not exist yet");
        return Err(Error::WrongKind { path: folder.into(), found, expected });
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io(parent, "cannot make the folder"))?;
    let temporary = tempfile::Builder::new()
        .prefix(".simulating-")
        .permissions(std::fs::Permissions::from_mode(0o777)) // Less the umask: others may share the cache.
        .tempdir_in(parent)
        .map_err(Error::io(parent, "cannot make a temporary folder"))?;

    let Simulated { files, click_probability, clicks, items } =
        simulator.format().simulate(config, tables)?;
    let mean = |sum: f64| sum / config.rows as f64;
    let mut report = Simulation {
        version: simulator.version(),
        simulator,
        config,
        items,
        click_probability: mean(click_probability.iter().map(|p| f64::from(*p)).sum()),
        click_rate: mean(clicks as f64),
        best_auc: best_auc(&click_probability),
        files: BTreeMap::new(),
    };
    let probabilities = click_probability.iter().flat_map(|p| p.to_le_bytes()).collect();
    let names = simulator.files().into_iter().chain([CLICK_PROBABILITY]);
    for (name, bytes) in names.zip(files.into_iter().chain([probabilities])) {
        let mut hash = blake3::Hasher::new();
        let hash = hash.update_rayon(&bytes).finalize();
        report.files.insert(name.to_string(), hash.to_hex().to_string());
        let path = temporary.path().join(name);
        if let Some(own) = path.parent() {
            std::fs::create_dir_all(own).map_err(Error::io(own, "cannot make the folder"))?;
        }
        std::fs::write(&path, bytes).map_err(Error::io(path, "cannot write the file"))?;
    }
    let path = temporary.path().join(REPORT);
    let json = serde_json::to_string_pretty(&report).expect("a report has a JSON form");
    std::fs::write(&path, json + "\n").map_err(Error::io(path, "cannot write the file"))?;
    std::fs::rename(temporary.path(), folder)
        .map_err(Error::io(folder, "cannot move the simulated files to"))?;
    let _ = temporary.keep(); // It has another name now; there is nothing to remove.
    Ok(report)
}

/// The folder with these simulated files under the cache root, made where it is absent or damaged.
pub(crate) fn ensure(
    simulator: Simulator,
    config: SimulateConfig,
    tables: Option<&RawFiles>,
    dataset: &str,
    cache_root: &Path,
) -> Result<PathBuf> {
    let parameters = (simulator.version(), simulator, config);
    let key = match tables {
        None => serde_json::to_string(&parameters),
        Some(tables) => serde_json::to_string(&(parameters, tables.hash())),
    };
    let key = key.expect("parameters have a JSON form");
    let hash = blake3::hash(key.as_bytes()).to_hex();
    let folder = cache_root.join("simulated").join(format!("{dataset}-{}", &hash[..16]));
    if folder.exists() {
        match damage(&folder) {
            None => return Ok(folder),
            Some(why) => {
                tracing::warn!("{}: {why}; simulating again", folder.display());
                std::fs::remove_dir_all(&folder)
                    .map_err(Error::io(&folder, "cannot remove the damaged folder"))?;
            }
        }
    }
    match write(simulator, config, tables, &folder) {
        Ok(s) => tracing::info!(
            "{dataset}: simulated {} rows of {} users and {} items, best attainable AUC {:.4}",
            s.config.rows,
            s.config.users,
            s.items,
            s.best_auc
        ),
        // Another process may have been faster; its files are the same.
        Err(_) if folder.exists() && damage(&folder).is_none() => {}
        Err(e) => return Err(e),
    }
    Ok(folder)
}

/// Why a simulated folder cannot be used.
fn damage(folder: &Path) -> Option<String> {
    let report: Simulation = match std::fs::read(folder.join(REPORT)).map(|b| serde_json::from_slice(&b)) {
        Ok(Ok(report)) => report,
        Ok(Err(e)) => return Some(format!("{REPORT}: {e}")),
        Err(e) => return Some(format!("{REPORT}: {e}")),
    };
    report.files.iter().find_map(|(name, hash)| match std::fs::read(folder.join(name)) {
        Ok(bytes) if blake3::hash(&bytes).to_hex().as_str() == hash => None,
        Ok(_) => Some(format!("{name} was changed")),
        Err(e) => Some(format!("{name}: {e}")),
    })
}
