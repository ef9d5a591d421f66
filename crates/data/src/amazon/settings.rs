//! What is made of the files, and which of them there may be.
use super::{FILES, Thin, VERSION, parse, view};
use crate::config::LoaderKeys;
use crate::config::values::check_dates;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::view::Loaded;
use crate::{Checked, Loader, Part, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which rows of Beauty are kept.
    pub thin: Thin,
    /// When the validation rows begin, in seconds since 1970.
    pub valid_from: i64,
    /// When the test rows begin.
    pub test_from: i64,
}

impl Settings {
    /// The part of the rows of this time.
    pub(super) fn part(self, time: i64) -> Part {
        match time {
            t if t < self.valid_from => Part::Train,
            t if t < self.test_from => Part::Valid,
            _ => Part::Test,
        }
    }
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        check_dates(self.valid_from, self.test_from)?;
        Ok(Loader::Amazon(self))
    }
}

impl Format for Settings {
    fn files(&self) -> Vec<&'static str> {
        FILES.concat()
    }

    /// The name of each domain's file; the preferred name where it has none.
    fn files_in(&self, folder: &Path) -> Vec<&'static str> {
        // A link to nowhere counts too, so that it is named as missing and no other name is taken in its place.
        let is_there = |name: &&&str| folder.join(name).symlink_metadata().is_ok();
        let here = |names: &[&'static str; 3]| names.iter().find(is_there).copied();
        FILES.iter().map(|names| here(names).unwrap_or(names[0])).collect()
    }

    fn instead(&self) -> Option<String> {
        Some("each .json.gz file also as .json, or ratings_<category>.csv in its place".into())
    }

    fn outcomes(&self) -> &'static [&'static str] {
        &["overall", "helpful", "reviewText", "summary"]
    }

    fn simulator(&self) -> Simulator {
        Simulator::Amazon
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view::view(parse(raw)?, *self)))
    }
}
