//! A dataset in memory: columns, labels and where they come from.
use crate::{Part, Schema, Sequence};
use serde::{Deserialize, Serialize};

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
    /// How many items each scenario's raw files know, those included of which no row was kept; none where these are the
    /// items of the rows.
    pub item_vocabulary: Option<Vec<usize>>,
    /// The true probability of label 0 being 1; simulated data only.
    pub click_probability: Option<Vec<f32>>,
    /// Hash of the raw files' contents, the dataset's configuration and the loader's version, in hexadecimal.
    pub fingerprint: String,
}

impl Dataset {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.scenario.len()
    }

    /// The column of the field called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.schema.field(name).map(|(i, _)| &self.columns[i])
    }

    /// The ids of the item-id field. Panics where the schema has none.
    pub fn item_ids(&self) -> &[u32] {
        let name = self.schema.item_id.as_deref().expect("the schema names no item-id field");
        match self.column(name) {
            Some(Column::Id(v)) => v,
            _ => panic!("the item-id field {name:?} is not an id column"),
        }
    }
}
