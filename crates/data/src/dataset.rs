//! A dataset: columns, labels and where they come from.
use crate::cache::Header;
use crate::view::gather;
use crate::{Part, Result, Rows, Schema, Sequence, Spans, Stored};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// How far the rows are the official data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The official files, whole.
    Real,
    /// A part of the official files, every value exact.
    Partial,
    /// The official files with some values estimated.
    Approximated,
    /// Made by a simulator of this crate.
    Simulated,
}

impl Provenance {
    /// How far from the official data: 0 for `Real`, more for each weaker kind.
    pub fn distance(self) -> u8 {
        match self {
            Provenance::Real => 0,
            Provenance::Partial => 1,
            Provenance::Approximated => 2,
            Provenance::Simulated => 3,
        }
    }
}

impl std::fmt::Display for Provenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Provenance::Real => "real",
            Provenance::Partial => "partial",
            Provenance::Approximated => "approximated",
            Provenance::Simulated => "simulated",
        })
    }
}

/// One column, in row order.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// One id per row.
    Id(Vec<u32>),
    /// A list of ids per row.
    Ragged {
        /// Row r's ids are `values[offsets[r]..offsets[r + 1]]`; one more entry than rows, the first 0.
        offsets: Vec<u64>,
        /// The ids of all rows.
        values: Vec<u32>,
        /// A weight per id, where the raw data has one.
        weights: Option<Vec<f32>>,
    },
    /// A behaviour sequence per row.
    Sequence(Sequence),
    /// One number per row.
    Real(Vec<f32>),
}

impl Column {
    /// Some of the rows, one after the other.
    pub(crate) fn part(&self, rows: Range<u32>) -> Column {
        let range = rows.start as usize..rows.end as usize;
        match self {
            Column::Id(v) => Column::Id(v[range].to_vec()),
            Column::Real(v) => Column::Real(v[range].to_vec()),
            Column::Ragged { .. } | Column::Sequence(_) => self.take(&rows.collect::<Vec<u32>>()),
        }
    }

    /// Some of the rows, in any order.
    fn take(&self, rows: &[u32]) -> Column {
        match self {
            Column::Id(v) => Column::Id(gather(v, rows)),
            Column::Real(v) => Column::Real(gather(v, rows)),
            Column::Ragged { offsets, values, weights } => {
                let own = |r: &u32| offsets[*r as usize] as usize..offsets[*r as usize + 1] as usize;
                let ends = rows.iter().scan(0, |sum, r| {
                    *sum += own(r).len() as u64;
                    Some(*sum)
                });
                Column::Ragged {
                    offsets: std::iter::once(0).chain(ends).collect(),
                    values: rows.iter().flat_map(|r| values[own(r)].iter().copied()).collect(),
                    weights: weights.as_ref().map(|w| rows.iter().flat_map(|r| w[own(r)].to_vec()).collect()),
                }
            }
            Column::Sequence(Sequence { spans, tokens }) => {
                let spans = Spans { start: gather(&spans.start, rows), end: gather(&spans.end, rows) };
                Column::Sequence(Sequence { spans: Arc::new(spans), tokens: tokens.clone() })
            }
        }
    }

    /// Appends another column of the same field. Panics where it is of another kind.
    fn append(&mut self, next: Column) {
        match (self, next) {
            (Column::Id(own), Column::Id(mut next)) => own.append(&mut next),
            (Column::Real(own), Column::Real(mut next)) => own.append(&mut next),
            (
                Column::Ragged { offsets, values, weights },
                Column::Ragged { offsets: ends, values: mut next, weights: next_weights },
            ) => {
                let before = values.len() as u64;
                offsets.extend(ends[1..].iter().map(|end| before + end));
                values.append(&mut next);
                if let (Some(own), Some(mut next)) = (weights, next_weights) {
                    own.append(&mut next);
                }
            }
            (Column::Sequence(own), Column::Sequence(next)) => {
                let own = Arc::make_mut(&mut own.spans);
                own.start.extend(&next.spans.start);
                own.end.extend(&next.spans.end);
            }
            _ => panic!("columns of two kinds"),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Column::Id(v) => v.len(),
            Column::Ragged { offsets, .. } => offsets.len().saturating_sub(1),
            Column::Sequence(s) => s.spans.rows(),
            Column::Real(v) => v.len(),
        }
    }
}

/// Where the columns are.
#[derive(Clone, Debug)]
pub enum Columns {
    /// In memory, one per field of the schema.
    Resident(Vec<Column>),
    /// In the cache file, of which a few row groups are in memory at a time.
    Streamed(Arc<Streamed>),
}

/// Columns in a file.
#[derive(Debug)]
pub struct Streamed {
    stored: Stored,
    /// Columns that are in memory, by field: those that are needed in any order, and those that depend on the split.
    resident: Vec<(usize, Column)>,
    /// The first row of every row group, and the number of rows.
    starts: Vec<u32>,
}

impl Streamed {
    pub(crate) fn new(stored: Stored, resident: Vec<(usize, Column)>) -> Self {
        let starts = std::iter::once(0).chain(stored.group_rows()).scan(0, |sum, n| {
            *sum += n as u32;
            Some(*sum)
        });
        Self { starts: starts.collect(), stored, resident }
    }

    /// How many row groups there are.
    pub fn groups(&self) -> usize {
        self.stored.groups()
    }

    /// The row group of a row, and its place there.
    pub fn place(&self, row: u32) -> (usize, u32) {
        let group = self.starts.partition_point(|start| *start <= row) - 1;
        (group, row - self.starts[group])
    }

    /// The rows of a row group.
    pub fn rows(&self, group: usize) -> Range<u32> {
        self.starts[group]..self.starts[group + 1]
    }

    /// The columns of some rows, in the given order, one per field of the schema.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn select(&self, rows: &[u32]) -> Result<Vec<Column>> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|place| rows[*place as usize]);
        let ascending = gather(rows, &order);
        let mut all: Option<Vec<Column>> = None;
        for own in ascending.chunk_by(|a, b| self.place(*a).0 == self.place(*b).0) {
            let (group, _) = self.place(own[0]);
            let local: Vec<u32> = own.iter().map(|row| self.place(*row).1).collect();
            let columns = self.read(group)?.into_iter().map(|column| column.take(&local));
            match &mut all {
                None => all = Some(columns.collect()),
                Some(all) => all.iter_mut().zip(columns).for_each(|(all, column)| all.append(column)),
            }
        }
        let mut places = vec![0; rows.len()];
        order.iter().enumerate().for_each(|(rank, place)| places[*place as usize] = rank as u32);
        Ok(all.unwrap_or_default().iter().map(|column| column.take(&places)).collect())
    }

    /// The columns of a row group, one per field of the schema.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn read(&self, group: usize) -> Result<Vec<Column>> {
        let mut columns = self.stored.group(group)?;
        for (at, column) in &self.resident {
            columns[*at] = column.part(self.rows(group));
        }
        Ok(columns)
    }
}

/// Columns with their meaning. Rows are in the raw file's order, unless the loader's settings name another one.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The dataset's name, as in `configs/datasets`.
    pub name: String,
    /// How far the rows are the official data.
    pub provenance: Provenance,
    /// What a reader of a number must know about the rows, for example which values are estimates; empty for `Real`.
    pub note: String,
    /// What the columns mean.
    pub schema: Schema,
    /// One column per field of the schema.
    pub columns: Columns,
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
    /// How many items each scenario's raw files know, those included of which no row was kept; none where these are the
    /// items of the rows.
    pub item_vocabulary: Option<Vec<usize>>,
    /// The true probability of label 0 being 1; simulated data only.
    pub click_probability: Option<Vec<f32>>,
    /// Hash of the raw files' contents, the dataset's configuration and the loader's version, in hexadecimal.
    pub fingerprint: String,
}

impl Dataset {
    pub(crate) fn new(header: Header, rows: Rows) -> Dataset {
        let Header { name, provenance, note, fingerprint, schema, item_vocabulary } = header;
        let Rows { columns, labels, scenario, time, session, part, click_probability } = rows;
        let columns = Columns::Resident(columns);
        Dataset {
            name,
            provenance,
            note,
            schema,
            columns,
            labels,
            scenario,
            time,
            session,
            part,
            item_vocabulary,
            click_probability,
            fingerprint,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.scenario.len()
    }

    /// The columns, where they are in memory.
    pub fn resident(&self) -> Option<&[Column]> {
        match &self.columns {
            Columns::Resident(columns) => Some(columns),
            Columns::Streamed(_) => None,
        }
    }

    /// The column of the field called `name`, where it is in memory.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let (at, _) = self.schema.field(name)?;
        match &self.columns {
            Columns::Resident(columns) => Some(&columns[at]),
            Columns::Streamed(s) => s.resident.iter().find(|c| c.0 == at).map(|c| &c.1),
        }
    }

    /// The ids of the field called `name`, read from the file where they are not in memory; none where there is no such
    /// field of one id per row.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn ids(&self, name: &str) -> Result<Option<Cow<'_, [u32]>>> {
        Ok(match (self.column(name), &self.columns, self.schema.field(name)) {
            (Some(Column::Id(ids)), ..) => Some(Cow::Borrowed(ids)),
            (None, Columns::Streamed(s), Some((_, field))) if field.kind == crate::Kind::Id => {
                Some(Cow::Owned(s.stored.ids(name)?))
            }
            _ => None,
        })
    }

    /// The ids of the item-id field, which are in memory. Panics where the schema has none.
    ///
    /// # Panics
    /// Where the schema names no item id, or one that is no field of one id per row.
    pub fn item_ids(&self) -> &[u32] {
        let name = self.schema.item_id.as_deref().expect("the schema names no item-id field");
        match self.column(name) {
            Some(Column::Id(v)) => v,
            _ => panic!("the item-id field {name:?} is not an id column"),
        }
    }

    /// The columns of some rows, in the given order, one per field of the schema.
    ///
    /// # Errors
    /// Where the file that they are in cannot be read or is damaged.
    pub fn select(&self, rows: &[u32]) -> Result<Vec<Column>> {
        match &self.columns {
            Columns::Resident(columns) => Ok(columns.iter().map(|column| column.take(rows)).collect()),
            Columns::Streamed(streamed) => streamed.select(rows),
        }
    }

    /// Hands over all columns: at once, or a row group at a time, with the rows that they are of.
    pub(crate) fn each_piece(&self, mut take: impl FnMut(Range<usize>, &[Column])) -> Result<()> {
        match &self.columns {
            Columns::Resident(columns) => take(0..self.rows(), columns),
            Columns::Streamed(streamed) => {
                for group in 0..streamed.groups() {
                    let rows = streamed.rows(group);
                    take(rows.start as usize..rows.end as usize, &streamed.read(group)?);
                }
            }
        }
        Ok(())
    }

    /// Puts a column in place of a field's.
    pub(crate) fn replace(&mut self, at: usize, column: Column) {
        match &mut self.columns {
            Columns::Resident(columns) => columns[at] = column,
            Columns::Streamed(streamed) => {
                let own = Arc::get_mut(streamed).expect("a dataset that nobody shares yet");
                own.resident.retain(|c| c.0 != at);
                own.resident.push((at, column));
            }
        }
    }
}
