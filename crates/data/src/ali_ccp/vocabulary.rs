//! Numbers of their own for ids that occur often, and buckets for values.
use rayon::prelude::*;

/// Numbers of ids: from 1 in the order of the ids for those that occur often enough, 0 for all others and for a missing one.
pub(super) struct Vocabulary {
    /// By id.
    number: Vec<u32>,
    /// How many numbers there are, 0 included.
    pub size: usize,
}

impl Vocabulary {
    /// Counts ids, each so many times; 0 is none.
    pub fn new(ids: impl Iterator<Item = (u32, u32)> + Clone, min_count: u32) -> Vocabulary {
        // Fresh zeros cost no memory until they are touched: ids may be far from dense.
        let mut number = vec![0u32; ids.clone().map(|(id, _)| id as usize + 1).max().unwrap_or(0)];
        for (id, times) in ids {
            let count = &mut number[id as usize];
            *count = count.saturating_add(times);
        }
        let mut size = 1;
        for (id, count) in number.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            let often = id > 0 && *count >= min_count;
            *count = if often { size } else { 0 };
            size += u32::from(often);
        }
        Vocabulary { number, size: size as usize }
    }

    /// Puts numbers in place of ids.
    pub fn apply(&self, ids: &mut [u32]) {
        ids.par_iter_mut().for_each(|id| *id = self.number.get(*id as usize).copied().unwrap_or(0));
    }
}

/// How many buckets values are put in.
pub(super) const BUCKETS: usize = 10;

/// Buckets with about as many values each; equal values share one, so that some may be empty.
pub(super) struct Buckets {
    /// The smallest value of every bucket but the first.
    edges: Vec<f32>,
}

impl Buckets {
    pub fn new(mut values: Vec<f32>) -> Buckets {
        values.par_sort_unstable_by(f32::total_cmp);
        let edge = |k| values.get(k * values.len() / BUCKETS).copied();
        Buckets { edges: (1..BUCKETS).filter_map(edge).collect() }
    }

    /// Below [`BUCKETS`].
    pub fn of(&self, value: f32) -> u32 {
        self.edges.partition_point(|edge| *edge <= value) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_ids_that_occur_often() {
        let times = [(70, 1), (9, 2), (0, 5), (70, 1), (8, 1), (300, 3)];
        let vocabulary = Vocabulary::new(times.into_iter(), 2);
        assert_eq!(vocabulary.size, 4);
        let mut ids = [300, 70, 9, 8, 0, 5000];
        vocabulary.apply(&mut ids);
        assert_eq!(ids, [3, 2, 1, 0, 0, 0]);
        assert_eq!(Vocabulary::new([].into_iter(), 1).size, 1);
    }

    #[test]
    fn buckets() {
        let buckets = Buckets::new((0..100).rev().map(|v| v as f32).collect());
        assert_eq!([-1.0, 0.0, 9.0, 10.0, 55.0, 99.0, 1e9].map(|v| buckets.of(v)), [0, 0, 0, 1, 5, 9, 9]);
        let lumps = Buckets::new([[1.0; 8], [2.0; 8]].concat());
        assert_eq!([0.5, 1.0, 1.5, 2.0].map(|v| lumps.of(v)), [0, 4, 4, 9]);
        assert_eq!(Buckets::new(Vec::new()).of(3.0), 0);
    }
}
