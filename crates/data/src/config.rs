//! Dataset files (`configs/datasets/*.yaml`): the raw form, and the checked one that the rest of the crate uses.
//!
//! Every key is explained in `configs/datasets/movielens-1m-cold.yaml`.
use crate::movielens::Layout;
use crate::raw::{Checksum, KnownFile};
use crate::simulate::SimulateConfig;
use crate::{Error, Provenance, Result, SplitPlan};
use serde::{Deserialize, Serialize};
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
}

/// The loaders, each with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loader {
    /// MovieLens as CVAR and CSDM see it.
    Movielens {
        /// Layout of the raw files.
        layout: Layout,
        /// Ratings from here on are clicks.
        positive_from: u8,
        /// Which rows the item count counts.
        count: CountRows,
    },
}

/// Which rows the feature `count` (rows per item) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountRows {
    /// All rows, as in the papers' programs: it tells how popular an item is going to be.
    All,
    /// Only rows of the split's parts other than `valid` and `test`.
    TrainOnly,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    dataset: String,
    #[serde(default)]
    reported_as: Option<String>,
    loader: LoaderName,
    layout: Layout,
    raw: String,
    positive_from: u8,
    count: CountRows,
    provenance: Provenance,
    #[serde(default)]
    known_files: Vec<RawKnownFile>,
    split: RawSplit,
    simulate: SimulateConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LoaderName {
    Movielens,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKnownFile {
    file: String,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    git_blob: Option<String>,
    provenance: Provenance,
    #[serde(default)]
    note: String,
}

/// One flat list of keys for all plans: a tagged enum would lose line and column in messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSplit {
    plan: PlanName,
    train: Option<f64>,
    valid: Option<f64>,
    test: Option<f64>,
    seed: Option<u64>,
    threshold: Option<usize>,
    k: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlanName {
    Ratio,
    ByPosition,
    ByTime,
    ColdItem,
    Given,
}

impl DatasetConfig {
    /// Reads and checks a dataset file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<DatasetConfig> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "cannot read the dataset file"))?;
        DatasetConfig::from_text(path, &text)
    }

    /// Checks the text of a dataset file; `file` is for messages.
    pub fn from_text(file: &Path, text: &str) -> Result<DatasetConfig> {
        let place = Place { file, text };
        let raw: Raw = serde_yaml::from_str(text).map_err(|e| place.yaml_error(&e))?;

        for (key, value) in [("dataset", &raw.dataset), ("raw", &raw.raw)] {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
            if value.is_empty() || !value.bytes().all(plain) {
                return Err(place.at(&[key], 0, format!("{value:?} should consist of a-z, 0-9, - and _")));
            }
        }
        if !(2..=5).contains(&raw.positive_from) {
            let message = format!("{} should be a rating from 2 to 5", raw.positive_from);
            return Err(place.at(&["positive_from"], 0, message));
        }
        let loader = match raw.loader {
            LoaderName::Movielens => {
                Loader::Movielens { layout: raw.layout, positive_from: raw.positive_from, count: raw.count }
            }
        };
        let known_files = (raw.known_files.iter().enumerate())
            .map(|(i, k)| known_file(&place, i, k, raw.layout))
            .collect::<Result<_>>()?;
        if let Err((key, message)) = raw.simulate.check() {
            return Err(place.at(&["simulate", key], 0, message));
        }
        Ok(DatasetConfig {
            dataset: raw.dataset,
            reported_as: raw.reported_as,
            loader,
            raw: raw.raw,
            provenance: raw.provenance,
            known_files,
            split: raw.split.check(&place)?,
            simulate: raw.simulate,
        })
    }
}

fn known_file(place: &Place, i: usize, raw: &RawKnownFile, layout: Layout) -> Result<KnownFile> {
    let hex = |key: &str, value: &str, digits: usize| {
        if value.len() == digits && value.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Ok(value.to_string());
        }
        let nth = place.nth_with_value(key, value);
        Err(place.at(&["known_files", key], nth, format!("{value:?} should be {digits} digits 0-9, a-f")))
    };
    if !layout.files().contains(&raw.file.as_str()) {
        let message = format!("{:?} is none of the raw files {}", raw.file, layout.files().join(", "));
        return Err(place.at(&["known_files", "file"], i, message));
    }
    let checksum = match (&raw.sha256, &raw.git_blob) {
        (Some(v), None) => Checksum::Sha256(hex("sha256", v, 64)?),
        (None, Some(v)) => Checksum::GitBlob(hex("git_blob", v, 40)?),
        _ => return Err(place.at(&["known_files", "file"], i, "needs one of sha256 and git_blob".into())),
    };
    Ok(KnownFile { file: raw.file.clone(), checksum, provenance: raw.provenance, note: raw.note.clone() })
}

impl RawSplit {
    /// The plan, where exactly its keys are given and their values make sense.
    fn check(&self, place: &Place) -> Result<SplitPlan> {
        let needed: &[&str] = match self.plan {
            PlanName::Ratio => &["train", "valid", "test", "seed"],
            PlanName::ByPosition | PlanName::ByTime => &["train", "valid", "test"],
            PlanName::ColdItem => &["threshold", "k"],
            PlanName::Given => &[],
        };
        let given = [
            ("train", self.train.is_some()),
            ("valid", self.valid.is_some()),
            ("test", self.test.is_some()),
            ("seed", self.seed.is_some()),
            ("threshold", self.threshold.is_some()),
            ("k", self.k.is_some()),
        ];
        for (key, is_given) in given {
            if is_given && !needed.contains(&key) {
                return Err(place.at(&["split", key], 0, "this plan has no such key".into()));
            }
            if !is_given && needed.contains(&key) {
                return Err(place.at(&["split", "plan"], 0, format!("this plan needs the key {key}")));
            }
        }
        if needed.contains(&"train") {
            let fractions = [self.train, self.valid, self.test].map(Option::unwrap_or_default);
            for (key, f) in ["train", "valid", "test"].into_iter().zip(fractions) {
                if !(0.0..=1.0).contains(&f) || (key == "train" && f == 0.0) {
                    return Err(place.at(
                        &["split", key],
                        0,
                        format!("{f} should be a fraction of the rows"),
                    ));
                }
            }
            let sum: f64 = fractions.iter().sum();
            if (sum - 1.0).abs() > 1e-9 {
                return Err(place.at(
                    &["split", "train"],
                    0,
                    format!("the fractions sum to {sum}, not to 1"),
                ));
            }
        }
        let [train, valid, test] = [self.train, self.valid, self.test].map(Option::unwrap_or_default);
        Ok(match self.plan {
            PlanName::Ratio => SplitPlan::Ratio { train, valid, test, seed: self.seed.unwrap_or_default() },
            PlanName::ByPosition => SplitPlan::ByPosition { train, valid, test },
            PlanName::ByTime => SplitPlan::ByTime { train, valid, test },
            PlanName::ColdItem => {
                let (threshold, k) = (self.threshold.unwrap_or_default(), self.k.unwrap_or_default());
                if k == 0 || threshold <= 3 * k {
                    let message =
                        format!("{k} should be at least 1 and less than a third of threshold ({threshold})");
                    return Err(place.at(&["split", "k"], 0, message));
                }
                SplitPlan::ColdItem { threshold, k }
            }
            PlanName::Given => SplitPlan::Given,
        })
    }
}

/// A configuration text, for messages that say where something stands in it.
struct Place<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    /// An error about the `nth` occurrence of the last key below the keys before it.
    fn at(&self, keys: &[&str], nth: usize, message: String) -> Error {
        let offset = self.find(keys, nth);
        let line = self.text[..offset].matches('\n').count() + 1;
        let column = offset - self.text[..offset].rfind('\n').map_or(0, |i| i + 1) + 1;
        Error::Config { file: self.file.into(), line, column, key: keys.join("."), message }
    }

    /// Byte offset of a key; of the last key that is found where one is not.
    fn find(&self, keys: &[&str], nth: usize) -> usize {
        let mut offset = 0;
        for (i, key) in keys.iter().enumerate() {
            let n = if i + 1 == keys.len() { nth } else { 0 };
            offset = self.key_offsets(offset, key).nth(n).unwrap_or(offset);
        }
        offset
    }

    /// Where `key:` stands behind `from`, comments left out.
    fn key_offsets(&self, from: usize, key: &str) -> impl Iterator<Item = usize> {
        let text = self.text;
        text[from..].match_indices(key).map(move |(i, _)| from + i).filter(move |at| {
            let line_start = text[..*at].rfind('\n').map_or(0, |i| i + 1);
            let before = &text[line_start..*at];
            let starts = before.is_empty() || before.ends_with([' ', '{', ',']);
            starts && !before.contains('#') && text[at + key.len()..].trim_start_matches(' ').starts_with(':')
        })
    }

    /// Which occurrence of a key has this value.
    fn nth_with_value(&self, key: &str, value: &str) -> usize {
        self.key_offsets(self.find(&["known_files"], 0), key)
            .position(|at| {
                self.text[at + key.len() + 1..].trim_start_matches([' ', '"', '\'']).starts_with(value)
            })
            .unwrap_or(0)
    }

    /// The YAML reader's error, in our form.
    fn yaml_error(&self, e: &serde_yaml::Error) -> Error {
        let (mut line, mut column) = e.location().map_or((1, 1), |l| (l.line(), l.column()));
        let text = e.to_string();
        let message = text.rfind(" at line ").map_or(text.as_str(), |i| &text[..i]);
        // "split.k: invalid type: ..." or "split: unknown field `x`, expected ..."
        let (path, message) = match message.split_once(": ") {
            Some((path, rest)) if !path.contains(' ') => (path, rest),
            _ => ("", message),
        };
        let named = message.split('`').nth(1).filter(|_| message.contains(" field "));
        let keys: Vec<&str> = path.split('.').chain(named).filter(|k| !k.is_empty()).collect();
        // The reader points at the start of the mapping; an unknown key can be pointed at itself.
        if let Some(key) = named.filter(|_| message.starts_with("unknown")) {
            let parents: Vec<&str> =
                keys[..keys.len() - 1].iter().map(|k| k.split('[').next().unwrap()).collect();
            let from = if parents.is_empty() { 0 } else { self.find(&parents, 0) };
            if let Some(at) = self.key_offsets(from, key).next() {
                line = self.text[..at].matches('\n').count() + 1;
                column = at - self.text[..at].rfind('\n').map_or(0, |i| i + 1) + 1;
            }
        }
        Error::Config { file: self.file.into(), line, column, key: keys.join("."), message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            with("count: all", "cuont: all"),
            "x.yaml:6:1: cuont: unknown field `cuont`, expected one of `dataset`, `reported_as`, `loader`, `layout`, \
             `raw`, `positive_from`, `count`, `provenance`, `known_files`, `split`, `simulate`"
        );
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
}
