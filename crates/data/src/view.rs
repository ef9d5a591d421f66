//! What every loader makes of its raw tables: fields and columns side by side, labels, scenarios and times.
use crate::sequence::Earlier;
use crate::{Column, Field, Kind, Part, Pooling, Result, Role, Rows, Schema, Sequence, Table, Tokens};
use rayon::prelude::*;
use std::sync::Arc;

/// A dataset without its name and origin.
pub(crate) struct View {
    pub schema: Schema,
    pub rows: Rows,
    /// How many items each scenario's raw files know, where these are more than the rows'.
    pub item_vocabulary: Option<Vec<usize>>,
    /// Which raw rows these are; none where they are all of them, in file order.
    pub chosen: Option<Chosen>,
}

/// What a loader makes of raw files.
pub(crate) enum Loaded<'a> {
    /// All rows.
    View(View),
    /// Rows as they come, where the files are too large for memory.
    Stream(Stream<'a>),
}

/// Reads rows and gives them away.
pub(crate) type Read<'a> = dyn FnOnce(&mut Take) -> Result<()> + 'a;

/// Takes some rows, and which raw rows they are.
pub(crate) type Take<'a> = dyn FnMut(Rows, &[u32]) -> Result<()> + 'a;

/// Rows in order, some at a time; what they have in common is known beforehand.
pub(crate) struct Stream<'a> {
    pub schema: Schema,
    /// How many raw rows there are.
    pub of: usize,
    /// Reads the rows. All pieces have the same kinds of columns, and the very same tokens of sequences.
    pub rows: Box<Read<'a>>,
}

/// Some of the raw rows, in any order.
pub(crate) struct Chosen {
    /// How many raw rows there are.
    pub of: usize,
    /// The raw row of every row.
    pub rows: Vec<u32>,
}

impl View {
    /// Names the fields that are side information, in order.
    pub fn with_side(mut self, names: &[&str]) -> View {
        self.schema.side = names.iter().map(|s| s.to_string()).collect();
        self
    }

    pub fn with_time(mut self, time: Vec<i64>) -> View {
        self.rows.time = Some(time);
        self
    }

    pub fn with_session(mut self, session: Vec<u32>) -> View {
        self.rows.session = Some(session);
        self
    }

    /// A part for every row, as the raw files or the loader's settings split them.
    pub fn with_part(mut self, part: Vec<Part>) -> View {
        self.rows.part = Some(part);
        self
    }

    /// Puts every row into one of the scenarios called `names`.
    pub fn with_scenarios(mut self, names: Vec<String>, scenario: Vec<u16>) -> View {
        debug_assert!(scenario.len() == self.rows.len());
        self.schema.scenarios = names;
        self.rows.scenario = scenario;
        self
    }
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

    /// A table that no field of one id has.
    pub fn table(&mut self, name: &str, rows: usize) {
        self.tables.push(Table { name: name.into(), rows });
    }

    /// A behaviour sequence in a table that is there already.
    pub fn sequence(&mut self, name: &str, table: &str, max_len: u32, sequence: Sequence) {
        debug_assert!(self.tables.iter().any(|t| t.name == table));
        let kind = Kind::Sequence { max_len };
        self.fields.push(Field { name: name.into(), role: Role::User, kind, table: Some(table.into()) });
        self.columns.push(Column::Sequence(sequence));
    }

    /// Sequences of the fields called `names`: behaviours are rows, and have these fields' values.
    pub fn behaviours(&mut self, names: &[&str], earlier: Earlier, max_len: u32) {
        let spans = Arc::new(earlier.spans);
        for name in names {
            let at = self.fields.iter().position(|f| f.name == *name).expect("a field that was added before");
            let tokens = tokens(&self.columns[at], self.fields[at].kind, &earlier.rows);
            let table = self.fields[at].table.clone().expect("a field of ids names its table");
            self.sequence(
                &format!("behaviours.{name}"),
                &table,
                max_len,
                Sequence { spans: spans.clone(), tokens: Arc::new(tokens) },
            );
        }
    }

    pub fn real(&mut self, name: &str, role: Role, values: Vec<f32>) {
        self.fields.push(Field { name: name.into(), role, kind: Kind::Real, table: None });
        self.columns.push(Column::Real(values));
    }

    /// The view with ids of items and users, where it has fields `item_id` and `user_id`, and these tasks with their labels. It
    /// has one scenario, no side information, no times, no split, and every raw row.
    pub fn view<const T: usize>(self, tasks: [(&str, Vec<u8>); T]) -> View {
        let names = tasks.each_ref().map(|t| t.0.to_string()).to_vec();
        let labels = tasks.map(|t| t.1).to_vec();
        let rows = labels[0].len();
        debug_assert!(
            self.columns.iter().map(Column::rows).chain(labels.iter().map(Vec::len)).all(|n| n == rows)
        );
        let id = |name: &str| self.fields.iter().any(|f| f.name == name).then(|| name.to_string());
        let (item_id, user_id) = (id("item_id"), id("user_id"));
        let schema = Schema {
            tables: self.tables,
            fields: self.fields,
            tasks: names,
            scenarios: vec!["all".into()],
            item_id,
            user_id,
            side: Vec::new(),
        };
        View {
            schema,
            rows: Rows { columns: self.columns, labels, scenario: vec![0; rows], ..Rows::default() },
            item_vocabulary: None,
            chosen: None,
        }
    }
}

/// `values[i]` for every `i`.
pub(crate) fn gather<T: Copy + Send + Sync>(values: &[T], indices: &[u32]) -> Vec<T> {
    indices.par_iter().map(|i| values[*i as usize]).collect()
}

/// `lists[r]` for every `r` of `rows`.
pub(crate) fn ragged(rows: &[u32], lists: &[Vec<u32>]) -> Column {
    let total = rows.iter().map(|r| lists[*r as usize].len()).sum();
    let mut values = Vec::with_capacity(total);
    let mut offsets = Vec::with_capacity(rows.len() + 1);
    offsets.push(0);
    for r in rows {
        values.extend_from_slice(&lists[*r as usize]);
        offsets.push(values.len() as u64);
    }
    Column::Ragged { offsets, values, weights: None }
}

/// Some rows' ids or bags as tokens.
pub(crate) fn tokens(column: &Column, kind: Kind, rows: &[u32]) -> Tokens {
    match (column, kind) {
        (Column::Id(ids), _) => Tokens { values: gather(ids, rows), ..Tokens::default() },
        (Column::Ragged { offsets, values, weights: None }, Kind::Bag(pooling)) => {
            bags(rows, offsets, values, pooling)
        }
        _ => panic!("a behaviour is no {kind:?}"),
    }
}

/// Some rows' bags as tokens, whose sum is the bag pooled.
fn bags(rows: &[u32], offsets: &[u64], values: &[u32], pooling: Pooling) -> Tokens {
    let mut out = Tokens { offsets: Some(vec![0]), values: Vec::new(), weights: Some(Vec::new()) };
    let (Some(ends), Some(weights)) = (&mut out.offsets, &mut out.weights) else { unreachable!("just set") };
    for r in rows {
        let own = &values[offsets[*r as usize] as usize..offsets[*r as usize + 1] as usize];
        let weight = match pooling {
            Pooling::Mean => 1.0 / own.len().max(1) as f32,
            Pooling::Sum => 1.0,
            Pooling::SumPadded { .. } => panic!("padding is no part of a behaviour"),
        };
        out.values.extend_from_slice(own);
        weights.extend(std::iter::repeat_n(weight, own.len()));
        ends.push(out.values.len() as u32);
    }
    out
}

/// Scales to [0, 1]; all zero where all values are equal.
pub(crate) fn min_max(values: impl Iterator<Item = f64> + Clone) -> Vec<f32> {
    let scale = MinMax::of(values.clone());
    values.map(|v| scale.scaled(v)).collect()
}

/// The smallest and the largest of some values.
#[derive(Clone, Copy)]
pub(crate) struct MinMax(f64, f64);

impl MinMax {
    pub fn of(values: impl Iterator<Item = f64>) -> MinMax {
        values.fold(MinMax(f64::INFINITY, f64::NEG_INFINITY), |MinMax(l, h), v| MinMax(l.min(v), h.max(v)))
    }

    /// Of both together.
    pub fn and(self, other: MinMax) -> MinMax {
        MinMax(self.0.min(other.0), self.1.max(other.1))
    }

    /// A value, the smallest one at 0 and the largest at 1; 0 where they are equal.
    pub fn scaled(self, value: f64) -> f32 {
        let MinMax(lo, hi) = self;
        let scale = if hi > lo { 1.0 / (hi - lo) } else { 0.0 };
        // Of numbers that are next to each other around 0 it is infinite.
        let scaled = if scale.is_finite() { (value - lo) * scale } else { (value - lo) / (hi - lo) };
        scaled as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling() {
        assert_eq!(min_max([3.0, 1.0, 2.0].into_iter()), [1.0, 0.0, 0.5]);
        assert_eq!(min_max([7.0, 7.0].into_iter()), [0.0, 0.0]);
        assert_eq!(min_max([0.0, 4e-320, 2e-320].into_iter()), [0.0, 1.0, 0.5]);
    }
}
