//! What every loader makes of its raw tables: fields and columns side by side, labels and times.
use crate::{Column, Field, Kind, Role, Schema, Table};
use rayon::prelude::*;

/// A dataset without its name and origin.
pub(crate) struct View {
    pub schema: Schema,
    pub columns: Vec<Column>,
    /// Label of the one task.
    pub label: Vec<u8>,
    pub time: Vec<i64>,
}

/// Fields, tables (one per id field, of the same name) and columns, side by side.
#[derive(Default)]
pub(crate) struct Builder {
    tables: Vec<Table>,
    fields: Vec<Field>,
    columns: Vec<Column>,
}

impl Builder {
    pub fn ids(&mut self, name: &str, role: Role, kind: Kind, rows: usize, column: Column) {
        self.tables.push(Table { name: name.into(), rows });
        self.fields.push(Field { name: name.into(), role, kind, table: Some(name.into()) });
        self.columns.push(column);
    }

    pub fn real(&mut self, name: &str, role: Role, values: Vec<f32>) {
        self.fields.push(Field { name: name.into(), role, kind: Kind::Real, table: None });
        self.columns.push(Column::Real(values));
    }

    /// The view with fields `item_id` and `user_id`, one task and no scenarios.
    pub fn view(self, task: &str, side: &[&str], label: Vec<u8>, time: Vec<i64>) -> View {
        debug_assert!(self.columns.iter().all(|c| c.rows() == label.len()));
        let schema = Schema {
            tables: self.tables,
            fields: self.fields,
            tasks: vec![task.into()],
            scenarios: vec!["all".into()],
            item_id: Some("item_id".into()),
            user_id: Some("user_id".into()),
            side: side.iter().map(|s| s.to_string()).collect(),
        };
        View { schema, columns: self.columns, label, time }
    }
}

/// `values[i]` for every `i`.
pub(crate) fn gather<T: Copy + Send + Sync>(values: &[T], indices: &[u32]) -> Vec<T> {
    indices.par_iter().map(|i| values[*i as usize]).collect()
}

/// Scales to [0, 1]; all zero where all values are equal.
pub(crate) fn min_max(values: impl Iterator<Item = f64> + Clone) -> Vec<f32> {
    let (lo, hi) = values.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let scale = if hi > lo { 1.0 / (hi - lo) } else { 0.0 };
    values.map(|v| ((v - lo) * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling() {
        assert_eq!(min_max([3.0, 1.0, 2.0].into_iter()), [1.0, 0.0, 0.5]);
        assert_eq!(min_max([7.0, 7.0].into_iter()), [0.0, 0.0]);
    }
}
