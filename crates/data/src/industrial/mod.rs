//! Stand-ins for logs of shops that no paper could publish: impressions in scenarios and sessions, users, items, and what users
//! clicked before the log begins. The files are ours, as there are no official ones; only simulators write them.
mod histories;
mod impressions;
mod settings;
mod tables;
mod view;

pub use settings::Settings;

use crate::Result;
use crate::raw::RawFiles;
use histories::Histories;
use impressions::Impressions;
use serde::{Deserialize, Serialize};
use tables::Table;

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// The files, that with a line per row first.
pub(crate) const FILES: [&str; 4] = ["impressions.csv", "users.csv", "items.csv", "histories.csv"];

/// The columns of the files, in order.
pub(crate) const IMPRESSION_COLUMNS: [&str; 7] =
    ["session_id", "user_id", "scenario", "time", "position", "item_id", "click"];
pub(crate) const USER_COLUMNS: [&str; 6] = ["user_id", "age", "gender", "city", "level", "device"];
pub(crate) const ITEM_COLUMNS: [&str; 5] = ["item_id", "category", "brand", "shop", "price"];
pub(crate) const HISTORY_COLUMNS: [&str; 3] = ["user_id", "time", "item_id"];

/// Numbers of values of a user's attributes, in the order of the columns behind the id.
pub(crate) const USER_VALUES: [usize; 5] = [8, 3, 50, 6, 5];
/// Places on a page; later ones count as the last.
pub(crate) const POSITIONS: usize = 20;

/// The line of each file that holds its first row.
const FIRST_LINE: usize = 2;
/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Whose log is stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Market {
    /// SFPNet's industrial set: twelve scenarios of Lazada, 10 December 2023 to 10 January 2024.
    #[serde(rename = "lazada-12")]
    Lazada12,
    /// SACN's: eight scenarios of Dewu, 24 to 31 May 2024.
    #[serde(rename = "dewu-8")]
    Dewu8,
}

impl Market {
    /// Names of the scenarios.
    pub(crate) fn scenarios(self) -> Vec<String> {
        match self {
            Market::Lazada12 => (1..=12).map(|s| format!("A{s}")).collect(),
            Market::Dewu8 => (1..=8).map(|s| format!("D{s}")).collect(),
        }
    }

    /// Numbers of values of an item's attributes: category, brand, shop, price.
    pub(crate) fn item_values(self) -> [usize; 4] {
        match self {
            Market::Lazada12 => [200, 2000, 3000, 10],
            Market::Dewu8 => [300, 400, 600, 20],
        }
    }
}

/// The raw tables, in file order.
struct Tables {
    pub impressions: Impressions,
    pub users: Table,
    pub items: Table,
    pub histories: Histories,
}

/// Parses the four files of a raw folder.
fn parse(market: Market, raw: &RawFiles) -> Result<Tables> {
    let [impressions, users, items, histories] = FILES.map(|name| raw.file(name));
    let users = Table::parse("user", &USER_COLUMNS, &USER_VALUES, &users.path, &users.bytes)?;
    let items = Table::parse("item", &ITEM_COLUMNS, &market.item_values(), &items.path, &items.bytes)?;
    let scenarios = market.scenarios().len();
    let impressions = Impressions::parse(&impressions.path, &impressions.bytes, scenarios, &users, &items)?;
    let histories = Histories::parse(&histories.path, &histories.bytes, &users, &items)?;
    Ok(Tables { impressions, users, items, histories })
}
