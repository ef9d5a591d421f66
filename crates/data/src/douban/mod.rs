//! Douban (Music, Book, Movie; Zhu et al., GA-DTCDR) as Diff-MSR uses it (appendix A.1): three domains of the
//! same users, with items of their own. A rating above 3 is a click.
//!
//! There are two sources of the same rows: `splits` reads the files that Diff-MSR released, a file per domain and
//! part; `ratings` reads GA-DTCDR's ratings, of which those files were made.
pub mod ratings;
pub mod splits;

pub use ratings::Thin;
pub use splits::Layout;

use crate::view::{Builder, Chosen, View};
use crate::{Column, Kind, Part, Role};

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// The domains, in order.
pub(crate) const DOMAINS: [&str; 3] = ["music", "book", "movie"];
/// How many users there are. Not all of them are in each domain.
pub(crate) const USERS: usize = 2_718;
/// How many items each domain has.
pub(crate) const ITEMS: [usize; 3] = [5_567, 6_777, 9_565];
/// The highest rating that is no click.
pub(crate) const NO_CLICK: u8 = 3;

/// Columns that say what came of the row, in either source.
const OUTCOMES: [&str; 2] = ["label", "rating"];

/// The number of a domain's first item: items are numbered on from domain to domain.
pub(crate) fn first_item(domain: usize) -> u32 {
    ITEMS[..domain].iter().sum::<usize>() as u32
}

/// The rows of all domains.
#[derive(Default)]
struct Rows {
    pub domain: Vec<u16>,
    /// From 0, the same number in all domains.
    pub user: Vec<u32>,
    /// From 0, numbered on from domain to domain.
    pub item: Vec<u32>,
    pub click: Vec<u8>,
    /// Where the files bring a split.
    pub part: Option<Vec<Part>>,
    /// Where not all lines were taken.
    pub chosen: Option<Chosen>,
}

/// The fields domain, user and item, as in the released program, over the whole id spaces.
fn view(rows: Rows) -> View {
    let mut out = Builder::default();
    let domain = Column::Id(rows.domain.iter().map(|d| u32::from(*d)).collect());
    out.ids("domain", Role::Scenario, Kind::Id, DOMAINS.len(), domain);
    out.ids("user_id", Role::User, Kind::Id, USERS, Column::Id(rows.user));
    out.ids("item_id", Role::Item, Kind::Id, ITEMS.iter().sum(), Column::Id(rows.item));
    let mut view = out.view([("click", rows.click)]);
    view.rows.part = rows.part;
    View {
        item_vocabulary: Some(ITEMS.to_vec()),
        chosen: rows.chosen,
        ..view.with_scenarios(DOMAINS.map(String::from).to_vec(), rows.domain)
    }
}
