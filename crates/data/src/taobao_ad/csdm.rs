//! Taobao display ads as CVAR and CSDM see them (CSDM, "Datasets"; the preprocessing is that of the CVAR programs).
//!
//! Ads and user profiles are joined to the impressions. The item id comes first, then the fields in the order of the
//! released programs. Every id field is numbered by first appearance over the impressions; a missing value (no brand,
//! an empty profile column, all profile columns of a user without profile) counts as one of them, and a table has one
//! row more than there are values, as in those programs. `time_stamp`, `price` and `count` are min-max scaled over all
//! rows.
use super::{AD_COLUMNS, MISSING, SAMPLE_COLUMNS, Tables, USER_COLUMNS};
use crate::ids::{Dense, counts};
use crate::view::{Builder, View, gather, min_max};
use crate::{Column, Kind, Role};

/// Builds schema, columns and labels.
pub(crate) fn view(raw: Tables) -> View {
    let Tables { samples, ads, users } = raw;
    let (user, ad) = (samples.user, samples.ad);
    // Per user and per ad once, in order of first appearance; per row only look-ups.
    let ad_row: Vec<usize> = ad.raw.iter().map(|id| ads.row(*id).expect("checked by the parser")).collect();
    let user_row: Vec<Option<usize>> = user.raw.iter().map(|id| users.row(*id)).collect();
    let count = counts(&ad.ids, ad.len());

    let mut out = Builder::default();
    let mut of = |name: &str, role, values: &[u32], rows: &[u32]| {
        let dense = Dense::new(values);
        out.ids(name, role, Kind::Id, dense.len() + 1, Column::Id(gather(&dense.ids, rows)));
    };
    // The ids themselves, and the position, are numbered already.
    let numbered = |n: usize| (0..n as u32).collect::<Vec<u32>>();
    let position: Vec<u32> = samples.position.iter().map(|p| u32::from(*p)).collect();
    of("item_id", Role::Item, &numbered(ad.len()), &ad.ids);
    of("user_id", Role::User, &numbered(user.len()), &user.ids);
    of(SAMPLE_COLUMNS[3], Role::Context, &numbered(samples.positions), &position);
    drop(position);
    for (name, codes) in AD_COLUMNS[1..5].iter().zip(&ads.codes) {
        let values: Vec<u32> = ad_row.iter().map(|row| codes[*row]).collect();
        of(name, Role::Item, &values, &ad.ids);
    }
    for (name, codes) in USER_COLUMNS[1..].iter().zip(&users.codes) {
        let values: Vec<u32> = user_row.iter().map(|row| row.map_or(MISSING, |row| codes[row])).collect();
        of(name, Role::User, &values, &user.ids);
    }
    let of_ad = |i: &u32| *i as usize;
    out.real("time_stamp", Role::Context, min_max(samples.time.iter().map(|t| f64::from(*t))));
    out.real("price", Role::Item, min_max(ad.ids.iter().map(|i| ads.price[ad_row[of_ad(i)]])));
    out.real("count", Role::Item, min_max(ad.ids.iter().map(|i| f64::from(count[of_ad(i)]))));
    let time = samples.time.iter().map(|t| i64::from(*t)).collect();
    out.view([("click", samples.click)])
        .with_side(&["item_id", "cate_id", "customer", "campaign_id"])
        .with_time(time)
}
