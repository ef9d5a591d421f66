//! Behaviour sequences. Rows share them: a user's rows are stretches of one list, and all rows of a moment are the same one.
use std::sync::Arc;

/// A sequence for every row: a stretch of a list of tokens, oldest first. Sequences of one behaviour list (its items, their
/// brands, their prices) have the same stretches.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Which tokens each row's sequence consists of.
    pub spans: Arc<Spans>,
    /// What the tokens are.
    pub tokens: Tokens,
}

/// Row r's sequence are the tokens `start[r]..end[r]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// The oldest token of every row.
    pub start: Vec<u32>,
    /// The token after the most recent one of every row.
    pub end: Vec<u32>,
}

/// Token t stands for the ids `values[offsets[t]..offsets[t + 1]]`, which are summed; without offsets for `values[t]` alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    /// Where each token's ids begin; one more entry than tokens, the first 0.
    pub offsets: Option<Vec<u32>>,
    /// The ids of all tokens.
    pub values: Vec<u32>,
    /// A factor per id; absent where all are 1.
    pub weights: Option<Vec<f32>>,
}

impl Sequence {
    /// Lists of plain ids that no rows share.
    pub fn of_lists(lists: &[Vec<u32>]) -> Self {
        let ends: Vec<u32> = lists
            .iter()
            .scan(0, |end, list| {
                *end += list.len() as u32;
                Some(*end)
            })
            .collect();
        let start = ends.iter().zip(lists).map(|(end, list)| end - list.len() as u32).collect();
        let tokens = Tokens { offsets: None, values: lists.concat(), weights: None };
        Self { spans: Arc::new(Spans { start, end: ends }), tokens }
    }
}

impl Spans {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.start.len()
    }
}

impl Tokens {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.offsets.as_ref().map_or(self.values.len(), |offsets| offsets.len() - 1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places of a token's ids among the values.
    pub fn range(&self, token: usize) -> std::ops::Range<usize> {
        match &self.offsets {
            None => token..token + 1,
            Some(offsets) => offsets[token] as usize..offsets[token + 1] as usize,
        }
    }
}
