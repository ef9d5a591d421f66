//! A batch of rows as plain numbers.

/// The ids of one field for every row of a batch: row b's vector is the weighted sum of the table's rows
/// `ids[offsets[b]..offsets[b + 1]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ids {
    /// The ids of all rows.
    pub ids: Vec<u32>,
    /// Where each row's ids begin, `[B + 1]`; absent where every row has exactly one id.
    pub offsets: Option<Vec<u32>>,
    /// A weight per id; absent where all are 1.
    pub weights: Option<Vec<f32>>,
}

/// The tokens of one sequence field: the most recent ones of each row in time order, padding behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceIds {
    /// The ids of all tokens, a bag each, `[B * len]`; padding is an empty bag.
    pub ids: Ids,
    /// Padded length: that of the batch's longest sequence, at least 1.
    pub len: usize,
    /// Length of every row's own sequence, `[B]`.
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
    /// The batch in pieces of `size` rows (the last may be smaller).
    pub fn split(&self, size: usize) -> Vec<Batch> {
        assert!(size > 0, "a piece needs at least one row");
        (0..self.rows).step_by(size).map(|from| self.narrow(from, size.min(self.rows - from))).collect()
    }

    fn narrow(&self, from: usize, rows: usize) -> Batch {
        let part = |values: &[f32]| {
            let width = values.len() / self.rows;
            values[from * width..(from + rows) * width].to_vec()
        };
        Batch {
            rows,
            ids: self.ids.iter().map(|ids| ids.narrow(from, rows)).collect(),
            sequences: (self.sequences.iter())
                .map(|s| SequenceIds {
                    ids: s.ids.narrow(from * s.len, rows * s.len),
                    len: s.len,
                    lens: s.lens[from..from + rows].to_vec(),
                })
                .collect(),
            reals: part(&self.reals),
            labels: part(&self.labels),
            scenario: self.scenario[from..from + rows].to_vec(),
        }
    }
}

impl Ids {
    fn narrow(&self, from: usize, rows: usize) -> Ids {
        let Some(offsets) = &self.offsets else {
            let part = from..from + rows;
            let weights = self.weights.as_ref().map(|w| w[part.clone()].to_vec());
            return Ids { ids: self.ids[part].to_vec(), offsets: None, weights };
        };
        let offsets = &offsets[from..=from + rows];
        let (start, end) = (offsets[0], offsets[rows]);
        let range = start as usize..end as usize;
        Ids {
            ids: self.ids[range.clone()].to_vec(),
            offsets: Some(offsets.iter().map(|o| o - start).collect()),
            weights: self.weights.as_ref().map(|w| w[range].to_vec()),
        }
    }
}
