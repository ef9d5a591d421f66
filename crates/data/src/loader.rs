//! The loaders: what reads which raw files, and what simulates them.
//!
//! A loader is a module that turns [`RawFiles`] into a [`View`] and has a version, and a [`Simulator`] that writes the
//! same files. This file alone knows all of them.
use crate::movielens::{self, Layout, RowOrder};
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::view::Loaded;
use crate::{Result, ali_ccp, amazon, cikm_ecomm, douban, industrial, kuairand, taobao_ad};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The loaders, each with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// MovieLens-1M as M3oE sees it: three domains by age, two tasks.
    MovielensAge {
        /// In which order the rows are.
        order: RowOrder,
    },
    /// MovieLens-1M with behaviour sequences: a scenario per age group, one task.
    MovielensSequence {
        /// How many behaviours of a row are kept, the most recent ones.
        max_len: u32,
    },
    /// Taobao display ads as CVAR and CSDM see them.
    TaobaoAd {
        /// Which rows the item count counts.
        count: CountRows,
    },
    /// CIKM 2019 EComm AI as CSDM sees it.
    CikmEcomm {
        /// Which rows the item count counts.
        count: CountRows,
    },
    /// KuaiRand as M3oE sees it: a domain per tab, two tasks.
    #[serde(rename = "kuairand")]
    KuaiRand {
        /// The version, which names the raw files.
        layout: kuairand::Layout,
        /// The tabs whose rows are kept, in the order of the scenarios.
        tabs: Vec<u8>,
        /// The features, in order.
        features: Vec<String>,
    },
    /// KuaiRand's own recommendations with behaviour sequences and sessions: a scenario per tab, one task.
    #[serde(rename = "kuairand_sequence")]
    KuaiRandSequence {
        /// The version, which names the raw files.
        layout: kuairand::Layout,
        /// The tabs whose rows are kept, in the order of the scenarios.
        tabs: Vec<u8>,
        /// The features, in order.
        features: Vec<String>,
        /// Which of them a behaviour has.
        behaviours: Vec<String>,
        /// How many behaviours of a row are kept, the most recent ones.
        max_len: u32,
    },
    /// Douban as Diff-MSR released it: files with a split.
    DoubanSplits {
        /// Which of the files are there.
        layout: douban::Layout,
    },
    /// Douban's ratings, of which Diff-MSR's files were made.
    DoubanRatings {
        /// Which rows of Music are kept.
        thin: douban::Thin,
    },
    /// Amazon reviews as Diff-MSR sees them, split by date.
    Amazon {
        /// Which rows of Beauty are kept.
        thin: amazon::Thin,
        /// When the validation rows begin, in seconds since 1970.
        valid_from: i64,
        /// When the test rows begin.
        test_from: i64,
    },
    /// A stand-in for an industrial set's log: scenarios, sessions, behaviour sequences.
    Industrial {
        /// Whose log.
        market: industrial::Market,
        /// Whether behaviours mean something else in every scenario; as a negative control they do not.
        tailored: bool,
        /// The fields, in order.
        features: Vec<String>,
        /// Which of the item's fields a behaviour has.
        behaviours: Vec<String>,
        /// How many behaviours of a row are kept, the most recent ones.
        max_len: u32,
        /// When the validation rows begin, in seconds since 1970.
        valid_from: i64,
        /// When the test rows begin.
        test_from: i64,
    },
    /// Ali-CCP as SFPNet sees it: three scenarios.
    AliCcp {
        /// How often an id must occur in training rows to have a number of its own.
        min_count: u32,
        /// What of the combination fields is there.
        combinations: Combinations,
        /// What a behaviour is.
        behaviours: AliCcpBehaviours,
    },
}

impl AliCcpBehaviours {
    /// How many entries of each history field are read.
    pub(crate) fn per_channel(self) -> u32 {
        match self {
            Self::Histories { per_channel, .. } => per_channel,
            Self::Clicks { .. } => 0,
        }
    }
}

/// What becomes of Ali-CCP's four combination fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combinations {
    /// Each is two fields: its id, and the bucket of its value.
    IdAndValue,
    /// Each is the field of its id.
    Id,
    /// They are left out.
    None,
}

/// What a behaviour is in Ali-CCP, whose files have no order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AliCcpBehaviours {
    /// An entry of a history field.
    Histories {
        /// How many are kept of each of the four fields, those of the largest values.
        per_channel: u32,
        /// Whether each has its value's bucket.
        value: bool,
    },
    /// A click in an earlier training row of the same user.
    Clicks {
        /// How many are kept of a row, the most recent ones.
        max_len: u32,
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

impl Loader {
    /// Names that raw files can have, those with a line per row first.
    pub fn files(&self) -> Vec<&'static str> {
        match self {
            Loader::Amazon { .. } => amazon::FILES.concat(),
            _ => self.simulator().files(),
        }
    }

    /// Those of the names that are read in this folder, whether the files are there or not.
    pub(crate) fn files_in(&self, folder: &Path) -> Vec<&'static str> {
        match self {
            Loader::Amazon { .. } => amazon::files_in(folder),
            _ => self.files(),
        }
    }

    /// These files: in memory, or opened where they are too large for that.
    pub(crate) fn raw_files(&self, folder: &Path) -> Result<RawFiles> {
        let names = self.files_in(folder);
        match self {
            Loader::AliCcp { .. } => RawFiles::open(folder, &names, &[]),
            Loader::CikmEcomm { .. } => RawFiles::open(folder, &names[..1], &names[1..]),
            _ => RawFiles::read(folder, &names),
        }
    }

    /// What else a folder may hold in place of files that are missing.
    pub(crate) fn instead(&self) -> Option<String> {
        match (self, self.simulator().tables()) {
            (Loader::Amazon { .. }, _) => Some(amazon::INSTEAD.into()),
            (_, []) => None,
            (_, tables) => Some(format!("or the tables {} and nothing else", tables.join(" and "))),
        }
    }

    /// Names of raw columns that are known only after a row was shown: labels, or as good as labels. No field can be one.
    pub fn outcomes(&self) -> &'static [&'static str] {
        match self {
            Loader::Movielens { .. } | Loader::MovielensAge { .. } | Loader::MovielensSequence { .. } => {
                &["rating"]
            }
            Loader::TaobaoAd { .. } => &["clk", "nonclk"],
            Loader::CikmEcomm { .. } => &["behavior", "behaviour"],
            Loader::KuaiRand { .. } | Loader::KuaiRandSequence { .. } => &kuairand::OUTCOMES,
            Loader::DoubanSplits { .. } | Loader::DoubanRatings { .. } => &["label", "rating"],
            Loader::Amazon { .. } => &["overall", "helpful", "reviewText", "summary"],
            Loader::Industrial { .. } | Loader::AliCcp { .. } => &["click", "purchase"],
        }
    }

    /// Which rows the feature `count` counts; none where there is no such feature.
    pub fn count(&self) -> Option<CountRows> {
        match self {
            Loader::Movielens { count, .. } | Loader::TaobaoAd { count } | Loader::CikmEcomm { count } => {
                Some(*count)
            }
            Loader::MovielensAge { .. }
            | Loader::MovielensSequence { .. }
            | Loader::KuaiRand { .. }
            | Loader::KuaiRandSequence { .. }
            | Loader::DoubanSplits { .. }
            | Loader::DoubanRatings { .. }
            | Loader::Amazon { .. }
            | Loader::Industrial { .. }
            | Loader::AliCcp { .. } => None,
        }
    }

    /// What writes such files where there are none.
    pub fn simulator(&self) -> Simulator {
        match *self {
            Loader::Movielens { layout, positive_from, .. } => Simulator::Movielens { layout, positive_from },
            Loader::MovielensAge { .. } | Loader::MovielensSequence { .. } => {
                Simulator::Movielens { layout: Layout::M1, positive_from: movielens::age::CLICK_FROM }
            }
            Loader::TaobaoAd { .. } => Simulator::TaobaoAd,
            Loader::CikmEcomm { .. } => Simulator::CikmEcomm,
            Loader::KuaiRand { layout, .. } | Loader::KuaiRandSequence { layout, .. } => {
                Simulator::KuaiRand { layout }
            }
            Loader::DoubanSplits { layout } => Simulator::DoubanSplits { layout },
            Loader::DoubanRatings { .. } => Simulator::DoubanRatings,
            Loader::Amazon { .. } => Simulator::Amazon,
            Loader::Industrial { market, tailored, .. } => Simulator::Industrial { market, tailored },
            Loader::AliCcp { .. } => Simulator::AliCcp,
        }
    }

    /// Raised whenever the loader makes other columns of the same files.
    pub(crate) fn version(&self) -> u32 {
        match self {
            Loader::Movielens { .. } => movielens::VERSION,
            Loader::MovielensAge { .. } => movielens::age::VERSION,
            Loader::MovielensSequence { .. } => movielens::sequence::VERSION,
            Loader::TaobaoAd { .. } => taobao_ad::VERSION,
            Loader::CikmEcomm { .. } => cikm_ecomm::VERSION,
            Loader::KuaiRand { .. } => kuairand::VERSION,
            Loader::KuaiRandSequence { .. } => kuairand::VERSION * 1000 + kuairand::sequence::VERSION,
            Loader::DoubanSplits { .. } | Loader::DoubanRatings { .. } => douban::VERSION,
            Loader::Amazon { .. } => amazon::VERSION,
            Loader::Industrial { .. } => industrial::VERSION,
            Loader::AliCcp { .. } => ali_ccp::VERSION,
        }
    }

    /// Whether the raw files of the folder, and what is made of them, fit into memory.
    pub(crate) fn check_memory(&self, folder: &Path) -> Result<()> {
        match self {
            Loader::KuaiRand { layout, features, .. } | Loader::KuaiRandSequence { layout, features, .. } => {
                kuairand::memory::check(*layout, features.len(), folder)
            }
            Loader::AliCcp { behaviours, .. } => ali_ccp::memory::check(*behaviours, folder),
            _ => Ok(()), // All official files of the others fit into a small machine's.
        }
    }

    /// Parses the raw files.
    pub(crate) fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(match *self {
            Loader::Movielens { layout, positive_from, .. } => {
                movielens::csdm::view(&movielens::parse(layout, raw)?, positive_from)
            }
            Loader::MovielensAge { order } => {
                movielens::age::view(&movielens::parse(Layout::M1, raw)?, order)
            }
            Loader::MovielensSequence { max_len } => {
                movielens::sequence::view(&movielens::parse(Layout::M1, raw)?, max_len)
            }
            Loader::TaobaoAd { .. } => taobao_ad::csdm::view(taobao_ad::parse(raw)?),
            Loader::KuaiRand { layout, ref tabs, ref features } => {
                kuairand::view::view(kuairand::parse(layout, raw, tabs)?, tabs, features)
            }
            Loader::KuaiRandSequence { layout, ref tabs, ref features, ref behaviours, max_len } => {
                let raw = kuairand::parse(layout, raw, tabs)?;
                kuairand::sequence::view(raw, tabs, features, behaviours, max_len)
            }
            Loader::CikmEcomm { .. } => return cikm_ecomm::stream(raw).map(Loaded::Stream),
            Loader::DoubanSplits { layout } => douban::view(douban::splits::parse(layout, raw)?),
            Loader::DoubanRatings { thin } => douban::view(douban::ratings::parse(thin, raw)?),
            Loader::Amazon { thin, valid_from, test_from } => {
                amazon::view::view(amazon::parse(raw)?, thin, amazon::Dates { valid_from, test_from })
            }
            Loader::Industrial {
                market,
                ref features,
                ref behaviours,
                max_len,
                valid_from,
                test_from,
                ..
            } => {
                let settings = industrial::view::Settings {
                    market,
                    features,
                    behaviours,
                    max_len,
                    valid_from,
                    test_from,
                };
                industrial::view::view(industrial::parse(market, raw)?, settings)
            }
            Loader::AliCcp { min_count, combinations, behaviours } => {
                let settings = ali_ccp::Settings { min_count, combinations, behaviours };
                return ali_ccp::stream(raw, settings).map(Loaded::Stream);
            }
        }))
    }
}
