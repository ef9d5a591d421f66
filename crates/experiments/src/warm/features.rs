//! Items as a dataset with a row for each, fitted on the items that are learned from.
use super::items::Items;
use anyhow::{Result, ensure};
use scenarec_data::{Column, Columns, Dataset, Field, Kind, Pooling, Provenance, Role, Schema, Table};
use std::sync::Arc;

/// Name of the real field that is the item's frequency.
pub(super) const FREQUENCY: &str = "frequency";
/// Name of the field whose ids are the rows' numbers; it is no side information.
const ITEM: &str = "item";

/// `items` as rows of a dataset. Only the items `fit` decide how values are scaled and which are known: side values that
/// fewer than `min_count` of them have become one, id 0.
pub(super) fn dataset(items: &Items, fit: &[u32], min_count: usize) -> Result<Arc<Dataset>> {
    let mut schema = Schema {
        tasks: vec!["none".into()],
        scenarios: vec!["all".into()],
        item_id: Some(ITEM.into()),
        ..Schema::default()
    };
    let mut columns = Vec::new();
    let mut add = |name: &str, role: Role, kind: Kind, rows: usize, column: Column| {
        let table = (kind != Kind::Real).then(|| name.to_string());
        schema.tables.extend(table.iter().map(|name| Table { name: name.clone(), rows }));
        schema.fields.push(Field { name: name.into(), role, kind, table });
        columns.push(column);
    };
    add(ITEM, Role::Item, Kind::Id, items.len(), Column::Id((0..items.len() as u32).collect()));
    for (name, column) in &items.side {
        let name = format!("side.{name}");
        match column {
            Column::Id(ids) => {
                let known = Known::new(fit.iter().map(|i| &ids[*i as usize]), min_count);
                let ids = ids.iter().map(|id| known.id(*id)).collect();
                add(&name, Role::Item, Kind::Id, known.len(), Column::Id(ids));
            }
            Column::Ragged { offsets, values, .. } => {
                let of = |i: &u32| &values[offsets[*i as usize] as usize..offsets[*i as usize + 1] as usize];
                let known = Known::new(fit.iter().flat_map(of), min_count);
                let values = values.iter().map(|id| known.id(*id)).collect();
                let column = Column::Ragged { offsets: offsets.clone(), values, weights: None };
                add(&name, Role::Item, Kind::Bag(Pooling::Mean), known.len(), column);
            }
            Column::Sequence(_) => unreachable!("items have no behaviour sequences"),
            Column::Real(values) => {
                add(&name, Role::Item, Kind::Real, 0, Column::Real(standardised(values, fit)));
            }
        }
    }
    add(FREQUENCY, Role::Context, Kind::Real, 0, Column::Real(frequency(&items.count, fit)));
    let rows = items.len();
    let data = Dataset {
        name: items.file.display().to_string(),
        provenance: Provenance::Real,
        note: String::new(),
        schema,
        columns: Columns::Resident(columns),
        labels: vec![vec![0; rows]],
        scenario: vec![0; rows],
        time: None,
        session: None,
        part: None,
        item_vocabulary: None,
        click_probability: None,
        fingerprint: String::new(),
    };
    let valid = data.schema.validate();
    ensure!(valid.is_ok(), "{}: {}", data.name, valid.unwrap_err());
    scenarec_train::feed::check(&data)?;
    Ok(Arc::new(data))
}

/// New numbers for the values that enough items have: from 1 on, 0 for all others.
struct Known(Vec<u32>, usize);

impl Known {
    fn new<'a>(seen: impl Iterator<Item = &'a u32>, min_count: usize) -> Self {
        let mut count: Vec<usize> = Vec::new();
        for id in seen {
            count.resize(count.len().max(*id as usize + 1), 0);
            count[*id as usize] += 1;
        }
        let mut next = 0;
        let number = |(id, n): (usize, &usize)| {
            let known = id > 0 && *n >= min_count.max(1);
            next += u32::from(known);
            if known { next } else { 0 }
        };
        let ids = count.iter().enumerate().map(number).collect();
        Self(ids, next as usize + 1)
    }

    fn id(&self, id: u32) -> u32 {
        self.0.get(id as usize).copied().unwrap_or(0)
    }

    /// Number of ids, 0 included.
    fn len(&self) -> usize {
        self.1
    }
}

/// Mean 0 and deviation 1 over `fit`; all 0 where the values there are equal.
fn standardised(values: &[f32], fit: &[u32]) -> Vec<f32> {
    let n = fit.len() as f64;
    let at = |i: &u32| f64::from(values[*i as usize]);
    let mean = fit.iter().map(at).sum::<f64>() / n;
    let deviation = (fit.iter().map(|i| (at(i) - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    values.iter().map(|v| ((f64::from(*v) - mean) * scale) as f32).collect()
}

/// ln(1 + count), scaled so that `fit` has 0 to 1, and no item more or less: a new item counts as one of the rarest that
/// were learned from. What the generator does beyond the counts it saw would be a guess.
fn frequency(count: &[f64], fit: &[u32]) -> Vec<f32> {
    let logs: Vec<f64> = count.iter().map(|c| c.ln_1p()).collect();
    let fitted = fit.iter().map(|i| logs[*i as usize]);
    let (lo, hi) = fitted.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let scale = if hi > lo { 1.0 / (hi - lo) } else { 0.0 };
    logs.iter().map(|v| ((v - lo) * scale).clamp(0.0, 1.0) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warm::Key;

    fn items(side: Column, count: &[f64]) -> Items {
        Items {
            file: "items.parquet".into(),
            keys: (0..count.len() as i64).map(Key::Number).collect(),
            count: count.to_vec(),
            new: vec![false; count.len()],
            side: vec![("x".into(), side)],
        }
    }

    fn ids(data: &Dataset) -> &[u32] {
        match data.column("side.x") {
            Some(Column::Id(ids)) => ids,
            Some(Column::Ragged { values, .. }) => values,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_that_too_few_items_have_are_one() {
        // Rows 5 and 6 are not learned from: their 2s do not count, and 9 was never seen.
        let column = Column::Id(vec![1, 1, 2, 0, 0, 2, 9]);
        let of = |min| dataset(&items(column.clone(), &[1.0; 7]), &[0, 1, 2, 3, 4], min).unwrap();
        assert_eq!(ids(&of(1)), [1, 1, 2, 0, 0, 2, 0]);
        assert_eq!(ids(&of(2)), [1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(of(2).schema.table("side.x").unwrap().1.rows, 2);
        let bags = Column::Ragged { offsets: vec![0, 2, 3], values: vec![5, 6, 6], weights: None };
        assert_eq!(ids(&dataset(&items(bags, &[1.0; 2]), &[0, 1], 2).unwrap()), [0, 1, 1]);
    }

    #[test]
    fn numbers_are_scaled_by_what_is_learned_from() {
        let column = Column::Real(vec![1.0, 3.0, 5.0]);
        let e = std::f64::consts::E;
        let data = dataset(&items(column, &[e - 1.0, e * e * e - 1.0, 0.0]), &[0, 1], 1).unwrap();
        assert_eq!(data.column("side.x"), Some(&Column::Real(vec![-1.0, 1.0, 3.0])));
        // ln(1 + count) is 1, 3 and 0; what is rarer than all that was learned from counts as the rarest.
        assert_eq!(data.column(FREQUENCY), Some(&Column::Real(vec![0.0, 1.0, 0.0])));
        let equal = dataset(&items(Column::Real(vec![2.0; 3]), &[4.0; 3]), &[0, 1, 2], 1).unwrap();
        assert_eq!(equal.column("side.x"), Some(&Column::Real(vec![0.0; 3])));
        assert_eq!(equal.column(FREQUENCY), Some(&Column::Real(vec![0.0; 3])));
    }
}
