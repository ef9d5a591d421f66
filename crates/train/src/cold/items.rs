//! Rows by item.
use crate::feed::Feed;
use std::collections::{BTreeMap, HashMap};

/// A row for each item of `rows`, and the items: the last of an item's rows speaks for it, as in the released programs.
pub fn one_row_per_item(rows: &Feed) -> (Feed, Vec<u32>) {
    let ids = rows.data().item_ids();
    let mut last: HashMap<u32, usize> = HashMap::new();
    for (i, row) in rows.rows().iter().enumerate() {
        last.insert(ids[*row as usize], i);
    }
    let mut order: Vec<usize> = last.into_values().collect();
    order.sort_unstable();
    let speakers: Vec<u32> = order.iter().map(|i| rows.rows()[*i]).collect();
    let items = speakers.iter().map(|row| ids[*row as usize]).collect();
    (Feed::new(rows.data().clone(), speakers), items)
}

/// The rows of each item, items in order of their ids, an item's rows in the order in which `rows` has them.
pub fn rows_by_item(rows: &Feed) -> BTreeMap<u32, Vec<u32>> {
    let ids = rows.data().item_ids();
    let mut items: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in rows.rows() {
        items.entry(ids[*row as usize]).or_default().push(*row);
    }
    items
}
