//! A batch of rows as plain numbers.
use scenarec_data::Dataset;
use std::sync::Arc;

/// The ids of one field for every row of a batch: row b's vector is the weighted sum of the table's rows
/// `ids[offsets[b]..offsets[b + 1]]`.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    /// The ids of all rows.
    pub ids: Vec<u32>,
    /// Where each row's ids begin, `[B + 1]`; absent where every row has exactly one id.
    pub offsets: Option<Vec<u32>>,
    /// A weight per id; absent where all are 1.
    pub weights: Option<Vec<f32>>,
    /// Whence the ids come, where they are those of a dataset's rows, one of each: on a GPU they are found there.
    pub source: Option<ColumnRows>,
}

impl PartialEq for Ids {
    /// Wherever they come from.
    fn eq(&self, other: &Self) -> bool {
        (&self.ids, &self.offsets, &self.weights) == (&other.ids, &other.offsets, &other.weights)
    }
}

/// Some rows of a dataset's column in memory.
#[derive(Clone)]
pub struct ColumnRows {
    /// Whose column.
    pub data: Arc<Dataset>,
    /// The place of the field in the schema.
    pub field: usize,
    /// The rows, which all fields of a batch share, `[B]`.
    pub rows: Arc<[u32]>,
}

impl std::fmt::Debug for ColumnRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of field {} of {}", self.rows.len(), self.field, self.data.name)
    }
}

/// The tokens of one sequence field, row behind row: the most recent ones of each in time order. N tokens of all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceIds {
    /// The ids of each token, `[N]` or a bag of them each.
    pub ids: Ids,
    /// How many tokens every row has, `[B]`; their sum is N.
    pub lens: Vec<u32>,
}

/// Rows of a dataset, gathered. Fields stand in the schema's order within their kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Number of rows B.
    pub rows: usize,
    /// One entry per field that embeds to a vector.
    pub ids: Vec<Ids>,
    /// One entry per sequence field.
    pub sequences: Vec<SequenceIds>,
    /// Real fields, `[B * R]`, row-major.
    pub reals: Vec<f32>,
    /// Labels, `[B * T]`, row-major; T tasks of the feed's scope.
    pub labels: Vec<f32>,
    /// Scenarios, `[B]`, numbered as in the feed's scope.
    pub scenario: Vec<i64>,
}

impl Batch {
    /// The batch in pieces of `size` rows (the last may be smaller), each with its rows' places in the batch. Rows whose
    /// sequences are about as long go together, so that a model which pads them computes little for padding; without sequences
    /// pieces are the batch's rows in order.
    ///
    /// # Panics
    /// Where `size` is 0.
    pub fn split(&self, size: usize) -> Vec<(Vec<usize>, Batch)> {
        assert!(size > 0, "a piece needs at least one row");
        let mut order: Vec<usize> = (0..self.rows).collect();
        if self.rows <= size {
            return vec![(order, self.clone())];
        }
        order.sort_by_key(|b| self.sequences.iter().map(|s| s.lens[*b]).sum::<u32>());
        let pieces = order.chunks_mut(size).map(|rows| {
            // Within a piece as in the batch, where rows of a scenario stand together.
            rows.sort_unstable();
            (rows.to_vec(), self.select(rows))
        });
        pieces.collect()
    }

    /// Some of the rows, as plain numbers: what is cut into pieces stays on the CPU.
    fn select(&self, rows: &[usize]) -> Batch {
        let part = |values: &[f32]| -> Vec<f32> {
            let width = values.len() / self.rows;
            rows.iter().flat_map(|b| &values[b * width..(b + 1) * width]).copied().collect()
        };
        Batch {
            rows: rows.len(),
            ids: self.ids.iter().map(|ids| ids.select(rows.iter().copied())).collect(),
            sequences: self.sequences.iter().map(|s| s.select(rows)).collect(),
            reals: part(&self.reals),
            labels: part(&self.labels),
            scenario: rows.iter().map(|b| self.scenario[*b]).collect(),
        }
    }
}

impl SequenceIds {
    fn select(&self, rows: &[usize]) -> SequenceIds {
        let mut start = vec![0; self.lens.len()];
        for b in 1..start.len() {
            start[b] = start[b - 1] + self.lens[b - 1] as usize;
        }
        let tokens = rows.iter().flat_map(|b| start[*b]..start[*b] + self.lens[*b] as usize);
        SequenceIds { ids: self.ids.select(tokens), lens: rows.iter().map(|b| self.lens[*b]).collect() }
    }
}

impl Ids {
    /// Those of some rows.
    fn select(&self, rows: impl Iterator<Item = usize>) -> Ids {
        let Some(offsets) = &self.offsets else {
            let rows: Vec<usize> = rows.collect();
            let weights = self.weights.as_ref().map(|w| rows.iter().map(|b| w[*b]).collect());
            return Ids { ids: rows.iter().map(|b| self.ids[*b]).collect(), weights, ..Ids::default() };
        };
        let mut out = Ids { weights: self.weights.as_ref().map(|_| Vec::new()), ..Ids::default() };
        let mut ends = vec![0];
        for b in rows {
            let range = offsets[b] as usize..offsets[b + 1] as usize;
            out.ids.extend_from_slice(&self.ids[range.clone()]);
            if let (Some(out), Some(weights)) = (&mut out.weights, &self.weights) {
                out.extend_from_slice(&weights[range]);
            }
            ends.push(out.ids.len() as u32);
        }
        Ids { offsets: Some(ends), ..out }
    }
}
