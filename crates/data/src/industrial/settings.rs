//! What is made of the files.
use super::{ITEM_COLUMNS, Market, VERSION, parse, view};
use crate::config::LoaderKeys;
use crate::config::values::{check_dates, check_max_len, check_names};
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::{Industrial, Simulator};
use crate::view::Loaded;
use crate::{Checked, Loader, Result};
use serde::{Deserialize, Serialize};

/// What is made of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whose log.
    pub market: Market,
    /// Whether behaviours mean something else in every scenario; as a negative control they do not.
    pub tailored: bool,
    /// The fields, in order.
    pub features: Vec<String>,
    /// Which of the item's fields a behaviour has.
    pub behaviours: Vec<String>,
    /// How many behaviours of a row are kept, the most recent ones.
    pub max_len: u32,
    /// When the validation rows begin, in seconds since 1970.
    pub valid_from: i64,
    /// When the test rows begin.
    pub test_from: i64,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        check_names("features", &self.features, &view::offered().collect::<Vec<_>>(), &["item_id"])?;
        let has = |name: &&str| self.features.iter().any(|f| f == name);
        let of_item: Vec<&str> = ITEM_COLUMNS.into_iter().filter(has).collect();
        check_names("behaviours", &self.behaviours, &of_item, &["item_id"])?;
        check_dates(self.valid_from, self.test_from)?;
        check_max_len(self.max_len)?;
        Ok(Loader::Industrial(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &["click", "purchase"]
    }

    fn simulator(&self) -> Simulator {
        Simulator::Industrial(Industrial { market: self.market, tailored: self.tailored })
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view::view(parse(self.market, raw)?, self)))
    }
}
