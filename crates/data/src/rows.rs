//! Some rows of a dataset, in memory.
use crate::{Column, Field, Kind, Part, Schema};
use rayon::prelude::*;

/// Rows with everything that is known of them. All parts have as many entries as there are rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// One column per field of the schema.
    pub columns: Vec<Column>,
    /// Labels 0 or 1, `[task][row]`.
    pub labels: Vec<Vec<u8>>,
    /// Scenario of every row.
    pub scenario: Vec<u16>,
    /// Time of every row, in the dataset's own unit; used for order only.
    pub time: Option<Vec<i64>>,
    /// Session of every row.
    pub session: Option<Vec<u32>>,
    /// Part of every row where the raw files or a rule of the loader split them (`SplitPlan::Given`).
    pub part: Option<Vec<Part>>,
    /// The true probability of label 0 being 1; simulated data only.
    pub click_probability: Option<Vec<f32>>,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.scenario.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.scenario.is_empty()
    }
}

/// Whether columns are what a schema says: of the right kinds and as many rows, ids inside their tables, sequences inside their
/// tokens, finite numbers. The message says what is wrong.
///
/// # Errors
/// The first field that does not fit, and why.
pub fn check(schema: &Schema, columns: &[Column], rows: usize) -> Result<(), String> {
    if schema.fields.len() != columns.len() {
        return Err(format!("{} fields but {} columns", schema.fields.len(), columns.len()));
    }
    let checked = schema.fields.par_iter().zip(columns).map(|(field, column)| {
        check_field(schema, field, column, rows).map_err(|e| format!("field {:?}: {e}", field.name))
    });
    checked.find_first(Result::is_err).unwrap_or(Ok(()))
}

fn check_field(schema: &Schema, field: &Field, column: &Column, rows: usize) -> Result<(), String> {
    if column.rows() != rows {
        return Err(format!("{} rows of {rows}", column.rows()));
    }
    let ids = match (field.kind, column) {
        (Kind::Id, Column::Id(v)) => v,
        (Kind::Bag(_), Column::Ragged { values, .. }) => values,
        (Kind::Sequence { .. }, Column::Sequence(s)) => {
            let tokens = s.tokens.len();
            let outside = |(start, end): (&u32, &u32)| start > end || *end as usize > tokens;
            match s.spans.start.iter().zip(&s.spans.end).position(outside) {
                Some(row) => {
                    return Err(format!("the sequence of row {row} lies outside its {tokens} tokens"));
                }
                None => &s.tokens.values,
            }
        }
        (Kind::Real, Column::Real(v)) => {
            let finite = v.iter().all(|x| x.is_finite());
            return if finite { Ok(()) } else { Err("NaN or infinity".into()) };
        }
        (kind, _) => return Err(format!("it is {kind:?}, but its column is of another kind")),
    };
    let table = field.table.as_deref().and_then(|t| schema.table(t)).map_or(0, |(_, t)| t.rows);
    match ids.iter().max() {
        Some(max) if *max as usize >= table => Err(format!("id {max}, but its table has {table} rows")),
        _ => Ok(()),
    }
}
