//! Simulated MovieLens: raw files in the official layouts, of any size, with known click probabilities.
//!
//! The files stand in where the real ones are absent, and they are a test bed: the structure is known (see `world`),
//! and `click_probability.f32` beside them holds the probability with which each row became a click, so that the best
//! attainable AUC is known too. The same parameters give the same files.
mod auc;
mod files;
mod world;

pub use auc::best_auc;

use crate::movielens::Layout;
use crate::raw::CLICK_PROBABILITY;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Raised whenever the same parameters give other files.
pub(crate) const VERSION: u32 = 1;

/// Ratings that every user has at least, as in the official data.
const MIN_ACTIVITY: usize = 20;

/// Size and seed of a simulated dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateConfig {
    /// Users; each has at least 20 ratings.
    pub users: usize,
    /// Movies; a few of the least popular may stay unrated.
    pub items: usize,
    /// Ratings, exactly.
    pub ratings: usize,
    /// Seed of everything.
    pub seed: u64,
}

impl SimulateConfig {
    /// Whether such a dataset exists; else the key to blame and why.
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let SimulateConfig { users, items, ratings, .. } = *self;
        if users == 0 || users > 10_000_000 {
            return Err(("users", format!("{users} should be 1 to 10000000")));
        }
        if !(2 * MIN_ACTIVITY..=10_000_000).contains(&items) {
            return Err(("items", format!("{items} should be {} to 10000000", 2 * MIN_ACTIVITY)));
        }
        // At most a quarter of all pairs: a long tail needs room.
        let (least, most) = (MIN_ACTIVITY * users, (users * items / 4).max(MIN_ACTIVITY * users));
        if !(least..=most).contains(&ratings) || ratings > u32::MAX as usize {
            let why = format!("{ratings} should be {least} to {most}: at least {MIN_ACTIVITY} per user");
            return Err(("ratings", why));
        }
        Ok(())
    }

    /// The same kind of dataset with another number of ratings: users and items shrink or grow with the square root,
    /// so that both the ratings per user and those per item do too.
    pub fn with_ratings(&self, ratings: usize) -> SimulateConfig {
        let factor = (ratings as f64 / self.ratings as f64).sqrt();
        let scale = |n: usize| ((n as f64 * factor).round() as usize).max(1);
        SimulateConfig {
            // Some room above the least number of ratings per user.
            users: scale(self.users).min(ratings / (MIN_ACTIVITY + 5)).max(1),
            items: scale(self.items).max(2 * MIN_ACTIVITY),
            ratings,
            seed: self.seed,
        }
    }
}

/// What was simulated; `simulation.json` in the folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// Version of the simulator.
    pub version: u32,
    /// Layout of the files.
    pub layout: Layout,
    /// Ratings from here on are clicks; the click probabilities hold for this threshold only.
    pub positive_from: u8,
    /// Size and seed.
    pub config: SimulateConfig,
    /// Movies with at least one rating.
    pub rated_items: usize,
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
pub fn simulate(
    layout: Layout,
    positive_from: u8,
    config: SimulateConfig,
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

    let world = world::World::new(config);
    let rows = world.rows(layout, positive_from);
    let mut written = BTreeMap::new();
    let [ratings, users, movies] = layout.files();
    for (name, bytes) in [
        (ratings, files::ratings(layout, &rows)),
        (users, files::users(layout, &world)),
        (movies, files::movies(layout, &world)),
        (CLICK_PROBABILITY, rows.iter().flat_map(|r| r.click_probability.to_le_bytes()).collect()),
    ] {
        written.insert(name.to_string(), blake3::hash(&bytes).to_hex().to_string());
        let path = temporary.path().join(name);
        std::fs::write(&path, bytes).map_err(Error::io(path, "cannot write the file"))?;
    }
    let p: Vec<f32> = rows.iter().map(|r| r.click_probability).collect();
    let mut rated = vec![false; config.items];
    rows.iter().for_each(|r| rated[r.item as usize] = true);
    let mean = |sum: f64| sum / rows.len() as f64;
    let report = Simulation {
        version: VERSION,
        layout,
        positive_from,
        config,
        rated_items: rated.iter().filter(|r| **r).count(),
        click_probability: mean(p.iter().map(|p| f64::from(*p)).sum()),
        click_rate: mean(rows.iter().filter(|r| r.rating >= positive_from).count() as f64),
        best_auc: best_auc(&p),
        files: written,
    };
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
    layout: Layout,
    positive_from: u8,
    config: SimulateConfig,
    dataset: &str,
    cache_root: &Path,
) -> Result<PathBuf> {
    let key = serde_json::to_string(&(VERSION, layout, positive_from, config))
        .expect("parameters have a JSON form");
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
    match simulate(layout, positive_from, config, &folder) {
        Ok(s) => tracing::info!(
            "{dataset}: simulated {} ratings by {} users of {} movies, best attainable AUC {:.4}",
            s.config.ratings,
            s.config.users,
            s.rated_items,
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
