//! The loaders: what reads which raw files, and what simulates them.
//!
//! A loader's settings are a [`Format`] of its own module, which turns [`RawFiles`] into columns. This file knows all of them;
//! their names in dataset files are in `config/loader.rs`.
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::view::Loaded;
use crate::{Result, ali_ccp, amazon, cikm_ecomm, douban, industrial, kuairand, movielens, taobao_ad};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The loaders, each with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loader {
    /// MovieLens as CVAR and CSDM see it.
    Movielens(movielens::csdm::Settings),
    /// MovieLens-1M as M3oE sees it: three domains by age, two tasks.
    MovielensAge(movielens::age::Settings),
    /// MovieLens-1M with behaviour sequences: a scenario per age group, one task.
    MovielensSequence(movielens::sequence::Settings),
    /// Taobao display ads as CVAR and CSDM see them.
    TaobaoAd(taobao_ad::Settings),
    /// CIKM 2019 EComm AI as CSDM sees it.
    CikmEcomm(cikm_ecomm::Settings),
    /// KuaiRand as M3oE sees it: a domain per tab, two tasks.
    #[serde(rename = "kuairand")]
    KuaiRand(kuairand::view::Settings),
    /// KuaiRand's own recommendations with behaviour sequences and sessions: a scenario per tab, one task.
    #[serde(rename = "kuairand_sequence")]
    KuaiRandSequence(kuairand::sequence::Settings),
    /// Douban as Diff-MSR released it: files with a split.
    DoubanSplits(douban::splits::Settings),
    /// Douban's ratings, of which Diff-MSR's files were made.
    DoubanRatings(douban::ratings::Settings),
    /// Amazon reviews as Diff-MSR sees them, split by date.
    Amazon(amazon::Settings),
    /// A stand-in for an industrial set's log: scenarios, sessions, behaviour sequences.
    Industrial(industrial::Settings),
    /// Ali-CCP as SFPNet sees it: three scenarios.
    AliCcp(ali_ccp::Settings),
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

impl Loader {
    /// The settings, which know the raw format.
    pub(crate) fn format(&self) -> &dyn Format {
        match self {
            Loader::Movielens(own) => own,
            Loader::MovielensAge(own) => own,
            Loader::MovielensSequence(own) => own,
            Loader::TaobaoAd(own) => own,
            Loader::CikmEcomm(own) => own,
            Loader::KuaiRand(own) => own,
            Loader::KuaiRandSequence(own) => own,
            Loader::DoubanSplits(own) => own,
            Loader::DoubanRatings(own) => own,
            Loader::Amazon(own) => own,
            Loader::Industrial(own) => own,
            Loader::AliCcp(own) => own,
        }
    }

    /// Names that raw files can have, those with a line per row first.
    pub fn files(&self) -> Vec<&'static str> {
        self.format().files()
    }

    /// Names of raw columns that are known only after a row was shown: labels, or as good as labels. No field can be one.
    pub fn outcomes(&self) -> &'static [&'static str] {
        self.format().outcomes()
    }

    /// Which rows the feature `count` counts; none where there is no such feature.
    pub fn count(&self) -> Option<CountRows> {
        self.format().count()
    }

    /// What writes such files where there are none.
    pub fn simulator(&self) -> Simulator {
        self.format().simulator()
    }
}

/// A raw format, and what is made of it: a loader's settings.
pub(crate) trait Format {
    /// As [`Loader::files`].
    fn files(&self) -> Vec<&'static str> {
        self.simulator().files()
    }

    /// Those of the names that are read in this folder, whether the files are there or not.
    fn files_in(&self, _folder: &Path) -> Vec<&'static str> {
        self.files()
    }

    /// These files: in memory, or opened where they are too large for that.
    fn raw_files(&self, folder: &Path) -> Result<RawFiles> {
        RawFiles::read(folder, &self.files_in(folder))
    }

    /// What else a folder may hold in place of files that are missing.
    fn instead(&self) -> Option<String> {
        match self.simulator().tables() {
            [] => None,
            tables => Some(format!("or the tables {} and nothing else", tables.join(" and "))),
        }
    }

    /// As [`Loader::outcomes`].
    fn outcomes(&self) -> &'static [&'static str];

    /// As [`Loader::count`].
    fn count(&self) -> Option<CountRows> {
        None
    }

    /// As [`Loader::simulator`].
    fn simulator(&self) -> Simulator;

    /// Raised whenever the loader makes other columns of the same files.
    fn version(&self) -> u32;

    /// Whether the raw files of the folder, and what is made of them, fit into memory: a small machine's, unless the loader says
    /// otherwise.
    fn check_memory(&self, _folder: &Path) -> Result<()> {
        Ok(())
    }

    /// Parses the raw files.
    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>>;
}
