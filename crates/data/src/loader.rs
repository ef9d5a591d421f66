//! The loaders: what reads which raw files, and what simulates them.
//!
//! A loader is a module that turns [`RawFiles`] into a [`View`] and has a version, and a [`Simulator`] that writes the
//! same files. This file alone knows all of them.
use crate::movielens::{self, Layout};
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::view::View;
use crate::{Result, cikm_ecomm, taobao_ad};
use serde::{Deserialize, Serialize};

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
    /// Names of the raw files, the one with a line per row first.
    pub fn files(self) -> [&'static str; 3] {
        self.simulator().files()
    }

    /// Which rows the feature `count` counts.
    pub fn count(self) -> CountRows {
        match self {
            Loader::Movielens { count, .. } | Loader::TaobaoAd { count } | Loader::CikmEcomm { count } => {
                count
            }
        }
    }

    /// What writes such files where there are none.
    pub fn simulator(self) -> Simulator {
        match self {
            Loader::Movielens { layout, positive_from, .. } => Simulator::Movielens { layout, positive_from },
            Loader::TaobaoAd { .. } => Simulator::TaobaoAd,
            Loader::CikmEcomm { .. } => Simulator::CikmEcomm,
        }
    }

    /// Raised whenever the loader makes other columns of the same files.
    pub(crate) fn version(self) -> u32 {
        match self {
            Loader::Movielens { .. } => movielens::VERSION,
            Loader::TaobaoAd { .. } => taobao_ad::VERSION,
            Loader::CikmEcomm { .. } => cikm_ecomm::VERSION,
        }
    }

    /// Parses the raw files.
    pub(crate) fn load(self, raw: &RawFiles) -> Result<View> {
        Ok(match self {
            Loader::Movielens { layout, positive_from, .. } => {
                movielens::csdm::view(&movielens::parse(layout, raw)?, positive_from)
            }
            Loader::TaobaoAd { .. } => taobao_ad::csdm::view(taobao_ad::parse(raw)?),
            Loader::CikmEcomm { .. } => cikm_ecomm::csdm::view(cikm_ecomm::parse(raw)?),
        })
    }
}
