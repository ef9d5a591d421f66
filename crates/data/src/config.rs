//! Dataset files (`configs/datasets/*.yaml`): the raw form, and the checked one that the rest of the crate uses.
//!
//! Every key is explained in `configs/datasets/movielens-1m-cold.yaml`.
mod fields;
mod known;
mod loader;
mod place;
mod split;
pub(crate) mod values;

pub(crate) use loader::LoaderKeys;

use crate::loader::Loader;
use crate::raw::KnownFile;
use crate::simulate::{SimulateConfig, Simulator};
use crate::{Error, Provenance, Result, SplitPlan};
use known::RawKnownFile;
use loader::{Given, Named};
use place::Place;
use serde::{Deserialize, Serialize};
use split::RawSplit;
use std::path::Path;

/// A dataset file, checked. Its JSON form is the canonical one: it is part of the fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetConfig {
    /// The dataset's name, the file's name without `.yaml`.
    pub dataset: String,
    /// What the papers call it; none where no paper used it.
    pub reported_as: Option<String>,
    /// Which loader reads it, with the loader's settings.
    pub loader: Loader,
    /// Folder under the raw root.
    pub raw: String,
    /// Provenance of files whose checksums are not in `known_files`.
    pub provenance: Provenance,
    /// Copies that are recognised.
    pub known_files: Vec<KnownFile>,
    /// How the rows are split.
    pub split: SplitPlan,
    /// What stands in where the raw folder is absent.
    pub simulate: SimulateConfig,
    /// Where the columns are while a model is trained. Jobs written earlier lack it, and were resident.
    #[serde(default)]
    pub memory: Memory,
    /// From which rows ids have their numbers and real numbers their scales. Jobs written earlier lack it.
    #[serde(default)]
    pub fitted_on: FittedOn,
}

/// From which rows ids have their numbers and real numbers their scales. What the dataset file says is checked whenever a cache is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedOn {
    /// From training rows: ids that only other rows have share the number of unknown ones.
    #[default]
    Training,
    /// From all rows or from the tables of users and items, as most released programs do it: ids that only validation and test rows
    /// have have numbers of their own, whose embeddings stay as they begin.
    All,
}

/// Where a dataset's columns are while a model is trained. The order in which rows are shuffled depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// In memory up to [`Memory::RESIDENT`] bytes of columns, else in the cache file. A machine's own memory has no say, so that
    /// a run is the same everywhere.
    #[default]
    Auto,
    /// In memory.
    Resident,
    /// In the cache file, of which a few row groups are in memory at a time.
    Streamed,
}

impl Memory {
    /// What [`Memory::Auto`] holds in memory, in bytes.
    pub const RESIDENT: u64 = 2 << 30;
}

/// The keys that every dataset file can have, whatever its loader.
#[derive(Deserialize)]
struct Raw {
    dataset: String,
    #[serde(default)]
    reported_as: Option<String>,
    #[serde(deserialize_with = "loader::named")]
    loader: &'static Named,
    raw: String,
    provenance: Provenance,
    #[serde(default)]
    known_files: Vec<RawKnownFile>,
    split: RawSplit,
    simulate: RawSimulate,
    #[serde(default)]
    memory: Memory,
    #[serde(default)]
    fitted_on: FittedOn,
}

/// The number of rows goes by the name that the loader's raw data has for a row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSimulate {
    users: usize,
    items: usize,
    ratings: Option<usize>,
    rows: Option<usize>,
    seed: u64,
}

impl DatasetConfig {
    /// Reads and checks a dataset file.
    ///
    /// # Errors
    /// A file that cannot be read, and as [`DatasetConfig::from_text`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<DatasetConfig> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "cannot read the dataset file"))?;
        DatasetConfig::from_text(path, &text)
    }

    /// Checks the text of a dataset file; `file` is for messages.
    ///
    /// # Errors
    /// Text that is no YAML, keys that are unknown, missing or another loader's, values that make no sense: with file, line, column
    /// and key.
    pub fn from_text(file: &Path, text: &str) -> Result<DatasetConfig> {
        let place = Place { file, text };
        let given: Given = serde_yaml::from_str(text).map_err(|e| place.yaml_error(&e))?;
        let raw: Raw = serde_yaml::from_str(text).map_err(|e| place.yaml_error(&e))?;

        for (key, value) in [("dataset", &raw.dataset), ("raw", &raw.raw)] {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            if value.is_empty() || !value.bytes().all(plain) {
                return Err(place.at(&[key], 0, format!("{value:?} should consist of a-z, 0-9, - and _")));
            }
        }
        let loader = raw.loader.loader(&place, &given)?;
        let known_files = (raw.known_files.iter().enumerate())
            .map(|(i, k)| k.check(&place, i, &loader.files()))
            .collect::<Result<_>>()?;
        let simulate = raw.simulate.check(&place, loader.simulator())?;
        Ok(DatasetConfig {
            dataset: raw.dataset,
            reported_as: raw.reported_as,
            loader,
            raw: raw.raw,
            provenance: raw.provenance,
            known_files,
            split: raw.split.check(&place)?,
            simulate,
            memory: raw.memory,
            fitted_on: raw.fitted_on,
        })
    }
}

/// That `given` keys, below `parents`, are exactly the `needed` ones. `owner` is the key to blame for a missing one.
fn exactly(
    place: &Place,
    parents: &[&str],
    owner: &str,
    needed: &[&str],
    given: &[(&str, bool)],
) -> Result<()> {
    let below = |key| [parents, &[key]].concat();
    for (key, is_given) in given {
        if *is_given && !needed.contains(key) {
            return Err(place.at(&below(key), 0, format!("this {owner} has no such key")));
        }
        if !is_given && needed.contains(key) {
            return Err(place.at(&below(owner), 0, format!("this {owner} needs the key {key}")));
        }
    }
    Ok(())
}

impl RawSimulate {
    fn check(&self, place: &Place, simulator: Simulator) -> Result<SimulateConfig> {
        let key = simulator.rows_key();
        let given = [("ratings", self.ratings), ("rows", self.rows)];
        for (name, value) in given {
            if value.is_some() && name != key {
                let message = format!("this loader has no such key, its number of rows is called {key}");
                return Err(place.at(&["simulate", name], 0, message));
            }
        }
        let Some(rows) = given.into_iter().find_map(|(name, value)| value.filter(|_| name == key)) else {
            return Err(place.at(&["simulate"], 0, format!("this loader needs the key {key}")));
        };
        let config = SimulateConfig { users: self.users, items: self.items, rows, seed: self.seed };
        match simulator.check(config) {
            Ok(()) => Ok(config),
            Err((key, message)) => Err(place.at(&["simulate", key], 0, message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movielens::{RowOrder, age};
    use crate::{CountRows, taobao_ad};

    const GOOD: &str = "\
dataset: x
loader: movielens
layout: 1m
raw: x
positive_from: 4
count: all
provenance: real
known_files:
  - { file: users.dat, git_blob: 77a7c4b150f588c23bb9e1f068aa996c0b413695, provenance: real }
  - { file: ratings.dat, git_blob: 87a7c4b150f588c23bb9e1f068aa996c0b413695, provenance: partial, note: half }
split: { plan: cold_item, threshold: 200, k: 20 } # threshold: a comment
simulate: { users: 100, items: 99, ratings: 2400, seed: 1 }
";

    fn message(text: &str) -> String {
        DatasetConfig::from_text(Path::new("x.yaml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_good_one() {
        let c = DatasetConfig::from_text(Path::new("x.yaml"), GOOD).unwrap();
        assert_eq!(c.split, SplitPlan::ColdItem { threshold: 200, k: 20 });
        assert_eq!(c.known_files.len(), 2);
    }

    #[test]
    fn messages_name_the_place_and_the_key() {
        let with = |from: &str, to: &str| message(&GOOD.replace(from, to));
        let unknown =
            "x.yaml:6:1: cuont: unknown field `cuont`, expected one of `dataset`, `reported_as`, `loader`";
        assert!(with("count: all", "cuont: all").starts_with(unknown));
        assert!(with("k: 20", "kk: 20").starts_with("x.yaml:11:43: split.kk: unknown field `kk`"));
        assert!(
            with("k: 20", "k: twenty").starts_with("x.yaml:11:46: split.k: invalid type: string \"twenty\"")
        );
        assert!(with("layout: 1m", "layout: 2m").starts_with("x.yaml:3:9: layout: unknown variant `2m`"));
        assert!(with("raw: x\n", "").contains("raw: missing field `raw`"));
        assert_eq!(
            with("k: 20", "k: 70"),
            "x.yaml:11:43: split.k: 70 should be at least 1 and less than a third of threshold (200)"
        );
        // Three times this is 2 to the 64th and 2.
        assert!(
            with("k: 20", "k: 6148914691236517206").starts_with("x.yaml:11:43: split.k: 6148914691236517206")
        );
        assert_eq!(with(", k: 20", ""), "x.yaml:11:10: split.plan: this plan needs the key k");
        assert_eq!(with("k: 20", "k: 20, seed: 1"), "x.yaml:11:50: split.seed: this plan has no such key");
        assert_eq!(
            with("file: ratings.dat", "file: u.data"),
            "x.yaml:10:7: known_files.file: \"u.data\" is none of the raw files ratings.dat, users.dat, movies.dat"
        );
        assert!(with("87a7", "G7a7").starts_with("x.yaml:10:26: known_files.git_blob: \"G7a7"));
        assert_eq!(
            with("positive_from: 4", "positive_from: 6"),
            "x.yaml:5:1: positive_from: 6 should be a rating from 2 to 5"
        );
        assert!(
            with("ratings: 2400", "ratings: 1").starts_with("x.yaml:12:36: simulate.ratings: 1 should be")
        );
    }

    #[test]
    fn a_null_key_is_an_absent_one() {
        let text = GOOD
            .replace("k: 20 }", "k: 20, seed: null, train: ~ }")
            .replace("layout: 1m", "layout: 1m\norder:");
        let good = DatasetConfig::from_text(Path::new("x.yaml"), GOOD).unwrap();
        assert_eq!(DatasetConfig::from_text(Path::new("x.yaml"), &text).unwrap(), good);
        assert_eq!(
            message(&GOOD.replace("k: 20", "k: null")),
            "x.yaml:11:10: split.plan: this plan needs the key k"
        );
    }

    #[test]
    fn keys_that_are_no_words() {
        assert!(message(&format!("{GOOD}'': 1\n")).contains("unknown field ``, expected one of `dataset`"));
        assert!(message("é: 1\n").starts_with("x.yaml:1:1: é: unknown field `é`"));
    }

    #[test]
    fn keys_belong_to_loaders() {
        let taobao = GOOD
            .replace("loader: movielens\nlayout: 1m", "loader: taobao_ad")
            .replace("positive_from: 4\n", "")
            .replace("ratings: 2400", "rows: 2400")
            .replace("users.dat", "user_profile.csv")
            .replace("ratings.dat", "raw_sample.csv");
        let c = DatasetConfig::from_text(Path::new("x.yaml"), &taobao).unwrap();
        assert_eq!(c.loader, Loader::TaobaoAd(taobao_ad::Settings { count: CountRows::All }));
        assert_eq!(c.simulate.rows, 2400);

        let with = |from: &str, to: &str| message(&taobao.replace(from, to));
        assert_eq!(with("raw: x", "raw: x\nlayout: 1m"), "x.yaml:4:1: layout: this loader has no such key");
        assert_eq!(
            with("raw: x", "raw: x\npositive_from: 4"),
            "x.yaml:4:1: positive_from: this loader has no such key"
        );
        assert_eq!(
            with("rows: 2400", "ratings: 2400"),
            "x.yaml:10:36: simulate.ratings: this loader has no such key, its number of rows is called rows"
        );
        assert_eq!(with(", rows: 2400", ""), "x.yaml:10:1: simulate: this loader needs the key rows");
        assert!(
            with("rows: 2400", "rows: 50").starts_with("x.yaml:10:36: simulate.rows: 50 should be 100 to ")
        );
        assert!(with("taobao_ad", "cikm_ecomm").contains("user.csv"), "another loader has other files");
        assert!(with("taobao_ad", "taobao").contains("x.yaml:2:9: loader: unknown variant `taobao`"));

        let age = GOOD
            .replace("loader: movielens\nlayout: 1m", "loader: movielens_age")
            .replace("positive_from: 4\ncount: all", "order: joined");
        let c = DatasetConfig::from_text(Path::new("x.yaml"), &age).unwrap();
        assert_eq!(c.loader, Loader::MovielensAge(age::Settings { order: RowOrder::Joined }));
        let with = |from: &str, to: &str| message(&age.replace(from, to));
        assert_eq!(with("order: joined\n", ""), "x.yaml:2:1: loader: this loader needs the key order");
        assert!(with("joined", "sorted").starts_with("x.yaml:4:8: order: unknown variant `sorted`"));
        assert_eq!(with("raw: x", "raw: x\ncount: all"), "x.yaml:4:1: count: this loader has no such key");

        let with = |from: &str, to: &str| message(&GOOD.replace(from, to));
        assert_eq!(with("layout: 1m\n", ""), "x.yaml:2:1: loader: this loader needs the key layout");
        assert_eq!(
            with("positive_from: 4\n", ""),
            "x.yaml:2:1: loader: this loader needs the key positive_from"
        );
        assert_eq!(with(", ratings: 2400", ""), "x.yaml:12:1: simulate: this loader needs the key ratings");
        assert_eq!(with("count: all\n", ""), "x.yaml:2:1: loader: this loader needs the key count");
        assert_eq!(
            with("count: all", "count: all\norder: file"),
            "x.yaml:7:1: order: this loader has no such key"
        );
        let lines = with("git_blob: 77a7c4b150f588c23bb9e1f068aa996c0b413695", "git_blob: 77a7, lines: 3");
        assert_eq!(lines, "x.yaml:9:7: known_files.file: needs one of sha256, git_blob and lines");
    }
}
