//! What is made of the files.
use super::{FILES, VERSION, memory, stream};
use crate::config::LoaderKeys;
use crate::config::values::check_max_len;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::view::Loaded;
use crate::{Checked, Loader, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How often an id must occur in training rows to have a number of its own.
    pub min_count: u32,
    /// What of the combination fields is there.
    pub combinations: Combinations,
    /// What a behaviour is.
    pub behaviours: AliCcpBehaviours,
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

impl AliCcpBehaviours {
    /// How many entries of each history field are read.
    pub(super) fn per_channel(self) -> u32 {
        match self {
            Self::Histories { per_channel, .. } => per_channel,
            Self::Clicks { .. } => 0,
        }
    }
}

/// The keys where entries of history fields are behaviours.
#[derive(Deserialize)]
pub(crate) struct HistoryKeys {
    min_count: u32,
    combinations: Combinations,
    per_channel: u32,
    history_value: bool,
}

/// The keys where clicks are.
#[derive(Deserialize)]
pub(crate) struct ClickKeys {
    min_count: u32,
    combinations: Combinations,
    max_len: u32,
}

impl LoaderKeys for HistoryKeys {
    fn loader(self) -> Checked<Loader> {
        let HistoryKeys { min_count, combinations, per_channel, history_value: value } = self;
        check_min_count(min_count)?;
        if !(1..=1000).contains(&per_channel) {
            return Err(("per_channel", format!("{per_channel} should be 1 to 1000 behaviours")));
        }
        let behaviours = AliCcpBehaviours::Histories { per_channel, value };
        Ok(Loader::AliCcp(Settings { min_count, combinations, behaviours }))
    }
}

impl LoaderKeys for ClickKeys {
    fn loader(self) -> Checked<Loader> {
        let ClickKeys { min_count, combinations, max_len } = self;
        check_min_count(min_count)?;
        check_max_len(max_len)?;
        let behaviours = AliCcpBehaviours::Clicks { max_len };
        Ok(Loader::AliCcp(Settings { min_count, combinations, behaviours }))
    }
}

fn check_min_count(min_count: u32) -> Checked<()> {
    if min_count > 0 { Ok(()) } else { Err(("min_count", "0 should be a number of occurrences".into())) }
}

impl Format for Settings {
    fn raw_files(&self, folder: &Path) -> Result<RawFiles> {
        RawFiles::open(folder, &FILES, &[])
    }

    fn outcomes(&self) -> &'static [&'static str] {
        &["click", "purchase"]
    }

    fn simulator(&self) -> Simulator {
        Simulator::AliCcp
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check_memory(&self, folder: &Path) -> Result<()> {
        memory::check(self.behaviours, folder)
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        stream(raw, *self).map(Loaded::Stream)
    }
}
