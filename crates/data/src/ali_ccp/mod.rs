//! Ali-CCP: impressions of Taobao's recommendations with clicks and purchases, from one half of the days for training and one
//! for testing, each in two files. Many impressions share the features of their user, which stand in a file of their own.
//!
//! `skeleton` reads the impressions, `common` what they share, `list` the lists of features in both. The files have 38 GB, so they
//! are gone through in pieces: `known` counts what must be known of all impressions, and in a second pass `view` makes columns of
//! some of them at a time, as SFPNet's tables need them. What impressions share stays in memory.
//! There are no items, no order and no times in a user's history, only how often something of each category, shop, brand and
//! intention node was seen: those are the behaviours, or else what `clicks` finds in the impressions themselves.
mod clicks;
mod common;
mod known;
mod list;
mod memory;
mod settings;
mod skeleton;
mod view;
mod vocabulary;

pub use settings::{AliCcpBehaviours, Combinations, Settings};

pub(crate) use settings::{ClickKeys, HistoryKeys};

use crate::Result;
use crate::raw::RawFiles;
use crate::view::Stream;
use known::Known;

/// Raised whenever this module makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// The files, those with a line per impression first; training before test.
pub(crate) const FILES: [&str; 4] = [
    "sample_skeleton_train.csv",
    "sample_skeleton_test.csv",
    "common_features_train.csv",
    "common_features_test.csv",
];

/// The fields of which a common row has one id: number and name.
pub(crate) const USER: [(&str, &str); 9] = [
    ("101", "user_id"),
    ("121", "profile_category"),
    ("122", "profile_group"),
    ("124", "gender"),
    ("125", "age"),
    ("126", "consumption_1"),
    ("127", "consumption_2"),
    ("128", "employed"),
    ("129", "geography"),
];
/// The history fields: categories, shops, brands and intention nodes of past actions.
pub(crate) const CHANNELS: [&str; 4] = ["109_14", "110_14", "127_14", "150_14"];

/// The fields of which an impression has one id.
pub(crate) const ITEM: [(&str, &str); 4] =
    [("205", "item_id"), ("206", "category"), ("207", "shop"), ("216", "brand")];
/// The intention nodes, of which it has any number.
pub(crate) const INTENTION: (&str, &str) = ("210", "intention");
/// What the history says of the item's category, shop, brand and intention nodes, in the order of [`CHANNELS`]. There where
/// the history has them.
pub(crate) const COMBINATIONS: [(&str, &str); 4] =
    [("508", "combo_category"), ("509", "combo_shop"), ("702", "combo_brand"), ("853", "combo_intention")];
/// The scenario, which every impression has.
pub(crate) const SCENARIO: &str = "301";

/// SFPNet's names of the scenarios, by their places among the numbers of impressions: 0 has the most.
pub(crate) const SCENARIOS: [(&str, usize); 3] = [("B1", 1), ("B2", 2), ("B3", 0)];

/// The rows of a raw folder: first everything that must be known of all of them, then, as they are asked for, the rows. Test rows
/// come after training rows.
fn stream(raw: &RawFiles, settings: Settings) -> Result<Stream<'_>> {
    let known = Known::read(raw, settings)?;
    let schema = view::schema(&known);
    Ok(Stream { schema, of: known.of, rows: Box::new(move |take| view::rows(raw, &known, take)) })
}

/// Whether the rows with this common-feature index, a training one, validate: one in 20 does. The finaliser of SplitMix64.
pub(crate) fn validates(index: u64) -> bool {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = index.wrapping_add(SEED);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).is_multiple_of(20)
}

/// Parses a common-feature index.
fn index(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).expect("16 hexadecimal digits"))
}

/// What an index is called in messages.
const INDEX: &str = "the common feature index, 16 hexadecimal digits";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices() {
        assert_eq!(index(b"00ab34cd56ef7890"), Some(0x00ab_34cd_56ef_7890));
        assert_eq!(index(b"FFFFFFFFFFFFFFFF"), Some(u64::MAX));
        for bad in
            [&b"0ab34cd56ef7890"[..], b"+0ab34cd56ef7890", b"00ab34cd56ef78901", b"00ab34cd56ef789g", b""]
        {
            assert_eq!(index(bad), None);
        }
        let n = (0..100_000).filter(|i| validates(*i)).count();
        assert!((4800..5200).contains(&n), "{n}");
    }
}
