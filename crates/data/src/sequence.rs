//! Behaviour sequences. Rows share them: a user's rows are stretches of one list, and all rows of a moment are the same one.
use std::sync::Arc;

/// A sequence for every row: a stretch of a list of tokens, oldest first. Sequences of one behaviour list (its items, their
/// brands, their prices) have the same stretches.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Which tokens each row's sequence consists of.
    pub spans: Arc<Spans>,
    /// What the tokens are.
    pub tokens: Arc<Tokens>,
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
        Self { spans: Arc::new(Spans { start, end: ends }), tokens: Arc::new(tokens) }
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

/// Rows that are behaviours of later rows: what a user did before.
pub(crate) struct Earlier {
    /// The behaviours, user by user, in order of time.
    pub rows: Vec<u32>,
    /// Which of them come before each row.
    pub spans: Spans,
}

impl Earlier {
    /// Every row's behaviours are the same user's rows with an earlier time for which `counts`. Of rows at one time none is a
    /// behaviour of another.
    pub fn new(user: &[u32], time: &[i64], counts: impl Fn(usize) -> bool) -> Self {
        let n = user.len();
        let mut rows = Vec::new();
        let (mut start, mut end) = (vec![0; n], vec![0; n]);
        let order = by_user(user, time);
        for own in order.chunk_by(|a, b| user[*a as usize] == user[*b as usize]) {
            let first = rows.len() as u32;
            for moment in own.chunk_by(|a, b| time[*a as usize] == time[*b as usize]) {
                for r in moment {
                    (start[*r as usize], end[*r as usize]) = (first, rows.len() as u32);
                }
                rows.extend(moment.iter().filter(|r| counts(**r as usize)));
            }
        }
        Self { rows, spans: Spans { start, end } }
    }
}

/// Rows user by user, each in order of time, the given order among equal times.
pub(crate) fn by_user(user: &[u32], time: &[i64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..user.len() as u32).collect();
    order.sort_by_key(|r| (user[*r as usize], time[*r as usize])); // Stable.
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviours_are_earlier_rows_of_the_same_user() {
        // User 0: rows 0, 2, 3, 5 at 10, 20, 20, 30; user 1: rows 1, 4 at 5, 1.
        let (user, time) = ([0, 1, 0, 0, 1, 0], [10, 5, 20, 20, 1, 30]);
        let earlier = Earlier::new(&user, &time, |r| r != 3);
        let of = |r: usize| {
            let (start, end) = (earlier.spans.start[r] as usize, earlier.spans.end[r] as usize);
            earlier.rows[start..end].to_vec()
        };
        let all: Vec<Vec<u32>> = (0..6).map(of).collect();
        assert_eq!(all, [vec![], vec![4], vec![0], vec![0], vec![], vec![0, 2]]);
    }
}
