//! CIKM 2019 EComm AI, "Efficient and Novel Item Retrieval" (EUIR, Tianchi competition 231721): users, items and what
//! users did with items.
//!
//! Three files without header, comma-separated. [`parse`] gives the raw tables; `csdm` turns them into columns. The
//! sister set of the same challenge, "User Behavior Diversities Prediction" (UBP, competition 231719), is tab-separated
//! and refused by name.
mod behaviours;
pub(crate) mod csdm;
mod side;

use crate::Result;
use crate::raw::{RawFile, RawFiles};
use crate::text::Bad;
use behaviours::Behaviours;
use side::SideTable;

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

/// The raw tables, in file order.
pub(crate) struct Tables {
    pub behaviours: Behaviours,
    pub users: SideTable,
    pub items: SideTable,
}

/// Parses the three files of a raw folder.
pub(crate) fn parse(raw: &RawFiles) -> Result<Tables> {
    let [behaviours, users, items] = FILES.map(|name| raw.file(name));
    for file in [behaviours, users, items] {
        refuse_sister_set(file)?;
    }
    Ok(Tables {
        users: SideTable::users(&users.path, &users.bytes)?,
        items: SideTable::items(&items.path, &items.bytes)?,
        behaviours: Behaviours::parse(&behaviours.path, &behaviours.bytes)?,
    })
}

fn refuse_sister_set(file: &RawFile) -> Result<()> {
    let first = file.bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(tabulator) = memchr::memchr(b'\t', first) else { return Ok(()) };
    let bad = Bad {
        column: tabulator + 1,
        found: "a tabulator: this looks like the sister set UBP (Tianchi competition 231719)".into(),
        expected: "fields separated by commas, as in EUIR (competition 231721)".into(),
    };
    Err(bad.at(&file.path, 1))
}
