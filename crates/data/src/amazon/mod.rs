//! Amazon product reviews of the 2014 release (He and McAuley), as Diff-MSR uses them (appendix A.1): the
//! categories Clothing, Beauty and Health as domains, which share users and items. A rating above 3 is a click.
//!
//! The paper takes the 5-core: the reviews of users and items that have at least five in their category. The same
//! release has all ratings of a category as `ratings_<category>.csv`. These are read where the reviews are not
//! there, as they are: they are NOT the 5-core, and have about ten times as many rows.
mod reviews;
mod settings;
mod thin;
mod view;

pub use settings::Settings;
pub use thin::Thin;

use crate::Result;
use crate::raw::RawFiles;
use reviews::{Format, Reviews};

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// The domains, in order.
pub(crate) const DOMAINS: [&str; 3] = ["clothing", "beauty", "health"];
/// The place of the cold domain, whose rows are thinned.
const COLD: usize = 1;
/// The highest rating that is no click.
pub(crate) const NO_CLICK: u8 = 3;
/// Seconds of a day. Reviews have no time of day.
pub(crate) const DAY: i64 = 86_400;
/// The release ends in July 2014; this is its last day. Later reviews are of another release.
pub(crate) const LAST_DAY: i64 = 1_406_764_800;

/// The names that a domain's file can have, by preference: one with reviews comes before one with ratings alone.
pub(crate) const FILES: [[&str; 3]; 3] = [
    [
        "reviews_Clothing_Shoes_and_Jewelry_5.json.gz",
        "reviews_Clothing_Shoes_and_Jewelry_5.json",
        "ratings_Clothing_Shoes_and_Jewelry.csv",
    ],
    ["reviews_Beauty_5.json.gz", "reviews_Beauty_5.json", "ratings_Beauty.csv"],
    [
        "reviews_Health_and_Personal_Care_5.json.gz",
        "reviews_Health_and_Personal_Care_5.json",
        "ratings_Health_and_Personal_Care.csv",
    ],
];

/// The reviews of all domains, domain by domain in file order.
struct Tables {
    pub reviews: Reviews,
    /// How many lines each file has.
    pub lines: [usize; 3],
}

/// Parses the files of a raw folder.
fn parse(raw: &RawFiles) -> Result<Tables> {
    let mut reviews = Reviews::default();
    let mut lines = [0; 3];
    for (names, lines) in FILES.iter().zip(&mut lines) {
        let file = raw.one_of(names);
        let format = if file.name == names[2] { Format::Ratings } else { Format::Reviews };
        let before = reviews.rows();
        reviews.parse(format, &file.path, &file.bytes)?;
        *lines = reviews.rows() - before;
    }
    Ok(Tables { reviews, lines })
}
