//! Which rows of a table a batch reads, and how they are summed.

/// A batch's look-ups in one table: output row `b` is the sum of `weights[j] * row(ids[j])` over the `j` of bag `b`.
///
/// # Shapes
/// `B` output rows, `N` ids: `ids` `[N]`, `offsets` `[B + 1]`, `weights` `[N]`. Without offsets every id is a bag of
/// its own (`B = N`); without weights they are 1. A mean is a bag with weights `1 / length`.
#[derive(Clone, Copy, Debug)]
pub struct Bags<'a> {
    /// Row numbers.
    pub ids: &'a [u32],
    /// Bag `b` is `ids[offsets[b]..offsets[b + 1]]`; starts with 0 and ends with `N`.
    pub offsets: Option<&'a [u32]>,
    /// The factor of each id.
    pub weights: Option<&'a [f32]>,
}

impl<'a> Bags<'a> {
    /// One id per output row.
    pub fn ids(ids: &'a [u32]) -> Self {
        Self { ids, offsets: None, weights: None }
    }

    /// Plain sums of bags.
    pub fn sums(ids: &'a [u32], offsets: &'a [u32]) -> Self {
        Self { ids, offsets: Some(offsets), weights: None }
    }

    /// The number of output rows, `B`.
    pub fn len(&self) -> usize {
        self.offsets.map_or(self.ids.len(), |offsets| offsets.len().saturating_sub(1))
    }

    /// Whether there is no output row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The range of `ids` that bag `b` sums.
    #[inline(always)]
    pub(super) fn range(&self, b: usize) -> std::ops::Range<usize> {
        match self.offsets {
            None => b..b + 1,
            Some(offsets) => offsets[b] as usize..offsets[b + 1] as usize,
        }
    }

    /// The factor of `ids[j]`.
    #[inline(always)]
    pub(super) fn weight(&self, j: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[j])
    }

    /// Panics, naming the table, unless all ids are below `rows` and the shapes agree.
    pub(super) fn check(&self, table: &str, rows: usize) {
        // A maximum vectorises; a search for the offender does not, and is needed only for the message.
        if let Some(&max) = self.ids.iter().max()
            && max as usize >= rows
        {
            let bad = self.ids.iter().copied().enumerate().filter(|&(_, id)| id as usize >= rows);
            let some: Vec<_> = bad.clone().take(5).map(|(j, id)| format!("ids[{j}] = {id}")).collect();
            panic!(
                "table {table} has {rows} rows, but {} of {} ids are out of range: {}",
                bad.count(),
                self.ids.len(),
                some.join(", ")
            );
        }
        if let Some(weights) = self.weights {
            assert_eq!(weights.len(), self.ids.len(), "table {table}: one weight per id");
        }
        if let Some(offsets) = self.offsets {
            let ends = offsets.first() == Some(&0) && offsets.last() == Some(&(self.ids.len() as u32));
            assert!(
                ends && offsets.is_sorted(),
                "table {table}: offsets must rise from 0 to the number of ids, {}",
                self.ids.len()
            );
        }
    }
}
