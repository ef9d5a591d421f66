//! CIKM 2019 EComm AI, "Efficient and Novel Item Retrieval" (EUIR, Tianchi competition 231721): users, items and what
//! users did with items.
//!
//! Three files without header, comma-separated. Behaviours are gone through twice, some rows at a time: `csdm` counts what must be
//! known of all of them, then makes columns. Users and items stay in memory. The
//! sister set of the same challenge, "User Behavior Diversities Prediction" (UBP, competition 231719), is tab-separated
//! and refused by name.
mod behaviours;
mod csdm;
mod side;

use crate::config::LoaderKeys;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::text::Bad;
use crate::view::{Loaded, Stream};
use crate::{Checked, CountRows, Loader, Result};
use serde::{Deserialize, Serialize};
use side::SideTable;
use std::path::Path;

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
pub(crate) const VERSION: u32 = 1;

/// The files with the behaviours, the users and the items.
pub(crate) const FILES: [&str; 3] = ["user_behavior.csv", "user.csv", "item.csv"];

/// What a user does with an item, as the file calls it.
pub(crate) const BEHAVIOURS: [&str; 4] = ["pv", "cart", "fav", "buy"];

/// Seconds from the first day's start to the last day's end: days 0 to 15.
pub(crate) const SPAN: u32 = 16 * 86_400;

/// Fields of users and items behind the id, in file order.
const USER_FIELDS: [&str; 3] = ["gender", "age", "purchasing_power"];
const ITEM_FIELDS: [&str; 3] = ["cate_id", "shop_id", "brand_id"];

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which rows the item count counts.
    pub count: CountRows,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        Ok(Loader::CikmEcomm(self))
    }
}

impl Format for Settings {
    fn raw_files(&self, folder: &Path) -> Result<RawFiles> {
        RawFiles::open(folder, &FILES[..1], &FILES[1..])
    }

    fn outcomes(&self) -> &'static [&'static str] {
        &["behavior", "behaviour"]
    }

    fn count(&self) -> Option<CountRows> {
        Some(self.count)
    }

    fn simulator(&self) -> Simulator {
        Simulator::CikmEcomm
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        stream(raw).map(Loaded::Stream)
    }
}

/// The rows of a raw folder: what must be known of all of them, then, as they are asked for, the rows.
fn stream(raw: &RawFiles) -> Result<Stream<'_>> {
    let [users, items] = [FILES[1], FILES[2]].map(|name| raw.file(name));
    let behaviours = raw.large(FILES[0]);
    refuse_sister_set(&behaviours.path, &behaviours.first_line()?)?;
    for file in [users, items] {
        refuse_sister_set(&file.path, &file.bytes)?;
    }
    let users = SideTable::users(&users.path, &users.bytes)?;
    let items = SideTable::items(&items.path, &items.bytes)?;
    csdm::stream(behaviours, &users, &items)
}

fn refuse_sister_set(path: &Path, bytes: &[u8]) -> Result<()> {
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(tabulator) = memchr::memchr(b'\t', first) else { return Ok(()) };
    let bad = Bad {
        column: tabulator + 1,
        found: "a tabulator: this looks like the sister set UBP (Tianchi competition 231719)".into(),
        expected: "fields separated by commas, as in EUIR (competition 231721)".into(),
    };
    Err(bad.at(path, 1))
}
