//! CIKM 2019 as CSDM sees it. The paper's preprocessing was not released; this one mirrors that of Taobao ads.
//!
//! Every id field is numbered by first appearance over the rows; where a user or an item has no row of its own, its
//! fields are unknown, which counts as one more value; a table has one row more than there are values. `time_stamp`
//! and `count` are min-max scaled over all rows. The label, task `buy`, is 1 where the behaviour is `buy`.
use super::side::SideTable;
use super::{ITEM_FIELDS, Tables, USER_FIELDS};
use crate::ids::{Dense, counts};
use crate::view::{Builder, View, gather, min_max};
use crate::{Column, Kind, Role};

/// Builds schema, columns and labels.
pub(crate) fn view(raw: Tables) -> View {
    let Tables { behaviours, users, items } = raw;
    let (user, item) = (behaviours.user, behaviours.item);
    let count = counts(&item.ids, item.len());

    let mut out = Builder::default();
    for (name, role, ids) in [("item_id", Role::Item, &item), ("user_id", Role::User, &user)] {
        out.ids(name, role, Kind::Id, ids.len() + 1, Column::Id(ids.ids.clone()));
    }
    side(&mut out, Role::User, &USER_FIELDS, &users, &user);
    side(&mut out, Role::Item, &ITEM_FIELDS, &items, &item);
    out.real("time_stamp", Role::Context, min_max(behaviours.time.iter().map(|t| f64::from(*t))));
    out.real("count", Role::Item, min_max(item.ids.iter().map(|i| f64::from(count[*i as usize]))));
    let time = behaviours.time.iter().map(|t| i64::from(*t)).collect();
    out.view([("buy", behaviours.buy)]).with_side(&["item_id", "count"]).with_time(time)
}

/// The fields of `table` for the users or items `ids`: per one of them once, per row only look-ups.
fn side(out: &mut Builder, role: Role, names: &[&str], table: &SideTable, ids: &Dense) {
    let row: Vec<Option<usize>> = ids.raw.iter().map(|id| table.row(*id)).collect();
    for (name, field) in names.iter().zip(&table.fields) {
        // 0 is unknown, other values are kept plus one.
        let codes: Vec<u32> = row.iter().map(|row| row.map_or(0, |row| field[row] + 1)).collect();
        let dense = Dense::new(&codes);
        out.ids(name, role, Kind::Id, dense.len() + 1, Column::Id(gather(&dense.ids, &ids.ids)));
    }
}
