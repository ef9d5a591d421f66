//! Numbers of their own for ids that occur often, and buckets for values.
use crate::ids::Pages;
use rayon::prelude::*;
use std::collections::HashMap;

/// How often ids occur; 0 is none.
#[derive(Default)]
pub(super) struct Counts(Pages);

impl Counts {
    /// An id that occurs so many times more.
    pub fn add(&mut self, id: u32, times: u32) {
        let count = self.0.slot(id);
        *count = count.saturating_add(times);
    }

    /// Numbers for the ids that occur at least so many times.
    pub fn vocabulary(mut self, min_count: u32) -> Vocabulary {
        let mut size = 1;
        for (id, count) in self.0.known() {
            let often = id > 0 && *count >= min_count;
            *count = if often { size } else { 0 };
            size += u32::from(often);
        }
        Vocabulary { number: self.0, size: size as usize }
    }
}

/// Numbers of ids: from 1 in the order of the ids for those that occur often enough, 0 for all others and for a missing one.
pub(super) struct Vocabulary {
    number: Pages,
    /// How many numbers there are, 0 included.
    pub size: usize,
}

impl Vocabulary {
    /// The number of an id.
    pub fn of(&self, id: u32) -> u32 {
        self.number.get(id)
    }

    /// Numbers in place of ids.
    pub fn numbers(&self, ids: &[u32]) -> Vec<u32> {
        ids.par_iter().map(|id| self.of(*id)).collect()
    }
}

/// How often values occur.
#[derive(Default)]
pub(super) struct Values(HashMap<u32, u64>);

impl Values {
    pub fn add(&mut self, value: f32) {
        *self.0.entry(value.to_bits()).or_default() += 1;
    }

    /// Buckets of about as many of them each.
    pub fn buckets(self) -> Buckets {
        let mut values: Vec<(f32, u64)> =
            self.0.into_iter().map(|(bits, times)| (f32::from_bits(bits), times)).collect();
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let n: u64 = values.iter().map(|v| v.1).sum();
        let edge = |k: u64| {
            let mut before = 0;
            let at = values.iter().find(|(_, times)| {
                before += times;
                before > k * n / BUCKETS as u64
            });
            at.map(|(value, _)| *value)
        };
        Buckets { edges: (1..BUCKETS as u64).filter_map(edge).collect() }
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
        let mut counts = Counts::default();
        for (id, times) in [(70, 1), (9, 2), (0, 5), (70, 1), (8, 1), (300_000_000, 3)] {
            counts.add(id, times);
        }
        let vocabulary = counts.vocabulary(2);
        assert_eq!(vocabulary.size, 4);
        assert_eq!(vocabulary.numbers(&[300_000_000, 70, 9, 8, 0, 5000, u32::MAX]), [3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(Counts::default().vocabulary(1).size, 1);
    }

    #[test]
    fn buckets() {
        let of = |all: Vec<f32>| {
            let mut values = Values::default();
            all.into_iter().for_each(|value| values.add(value));
            values.buckets()
        };
        let buckets = of((0..100).rev().map(|v| v as f32).collect());
        assert_eq!([-1.0, 0.0, 9.0, 10.0, 55.0, 99.0, 1e9].map(|v| buckets.of(v)), [0, 0, 0, 1, 5, 9, 9]);
        let lumps = of([[1.0; 8], [2.0; 8]].concat());
        assert_eq!([0.5, 1.0, 1.5, 2.0].map(|v| lumps.of(v)), [0, 4, 4, 9]);
        assert_eq!(of(Vec::new()).of(3.0), 0);
    }
}
