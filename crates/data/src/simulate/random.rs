//! What simulated worlds draw: streams of random numbers, tastes, traits, orders, choices and ids.
use crate::view::gather;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// Latent tastes.
pub(super) const D: usize = 8;
pub(super) type Taste = [f64; D];

/// Every kind of thing draws from generators of its own, one per thing where they are made side by side.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Vocabulary,
    Items,
    Users,
    Rows,
    FileOrder,
    Labels,
}

pub(super) fn rng(seed: u64, stream: Stream, index: u64) -> Xoshiro256PlusPlus {
    // The finaliser of SplitMix64: neighbouring seeds and indices give unrelated states.
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let golden = 0x9e37_79b9_7f4a_7c15u64;
    let z =
        mix(mix(mix(seed.wrapping_add(golden)) ^ (stream as u64 + 1).wrapping_mul(golden))
            .wrapping_add(index));
    Xoshiro256PlusPlus::seed_from_u64(z)
}

pub(super) fn normal(r: &mut impl Rng) -> f64 {
    StandardNormal.sample(r)
}

pub(super) fn taste(r: &mut impl Rng) -> Taste {
    std::array::from_fn(|_| normal(r))
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Something with a quality and a taste: a genre, a word.
pub(super) struct Trait {
    pub quality: f64,
    pub taste: Taste,
    pub drift: f64,
}

impl Trait {
    pub fn new(r: &mut impl Rng) -> Trait {
        Trait { quality: normal(r), taste: taste(r), drift: normal(r) }
    }
}

/// Mean 0, standard deviation 1.
pub(super) fn standardise(values: &mut [f64]) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-9);
    values.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
}

pub(super) fn standardise_tastes(tastes: &mut [Taste]) {
    for d in 0..D {
        let mut component: Vec<f64> = tastes.iter().map(|t| t[d]).collect();
        standardise(&mut component);
        tastes.iter_mut().zip(component).for_each(|(t, c)| t[d] = c);
    }
}

/// A taste whose variance is explained by `side` to the given share.
pub(super) fn blend(side: &Taste, explained: f64, r: &mut impl Rng) -> Taste {
    std::array::from_fn(|d| explained.sqrt() * side[d] + (1.0 - explained).sqrt() * normal(r))
}

/// Whole numbers from `least` to `most` that sum to `total`; what is above `least` is in proportion to `share` as far as
/// `most` allows. The callers grant that there is room.
pub(super) fn shared_out(share: &[f64], total: usize, least: usize, most: usize) -> Vec<usize> {
    let sum: f64 = share.iter().sum();
    let rest = (total - least * share.len()) as f64;
    let mut out: Vec<usize> = share.iter().map(|s| (least + (rest * s / sum) as usize).min(most)).collect();
    // What rounding and the limit left over goes around, one each.
    let mut left = total - out.iter().sum::<usize>();
    while left > 0 {
        for n in out.iter_mut().filter(|n| **n < most) {
            if left == 0 {
                break;
            }
            *n += 1;
            left -= 1;
        }
    }
    out
}

/// Puts values in random order.
pub(super) fn shuffle<T>(values: &mut [T], r: &mut impl Rng) {
    for i in (1..values.len()).rev() {
        values.swap(i, r.random_range(0..=i));
    }
}

/// Which share a number from 0 to 1 falls into; the last one where the shares sum to less.
pub(super) fn draw(shares: impl Iterator<Item = f64>, number: f64) -> usize {
    let mut sum = 0.0;
    let mut last = 0;
    for (i, share) in shares.enumerate() {
        sum += share;
        last = i;
        if number < sum {
            break;
        }
    }
    last
}

/// `n` values below `size`, the first ones the most frequent (Zipf's law, its head cut off).
pub(super) fn skewed(size: usize, n: usize, r: &mut impl Rng) -> Vec<u32> {
    let mut sums = Vec::with_capacity(size);
    let mut sum = 0.0;
    for rank in 0..size {
        sum += 1.0 / (rank as f64 + 20.0);
        sums.push(sum);
    }
    (0..n).map(|_| sums.partition_point(|s| *s <= sum * r.random::<f64>()).min(size - 1) as u32).collect()
}

/// Each value's own choice in the given share of cases, else any value at random.
pub(super) fn mostly(choice: &[u32], of: &[u32], share: f64, size: usize, r: &mut impl Rng) -> Vec<u32> {
    let mut values = gather(choice, of);
    for value in &mut values {
        if r.random::<f64>() >= share {
            *value = r.random_range(0..size as u32);
        }
    }
    values
}

/// `n` increasing ids from 1, with gaps: raw ids are not dense.
pub(super) fn sparse_ids(n: usize, r: &mut impl Rng) -> Vec<u32> {
    let mut id = 0;
    (0..n)
        .map(|_| {
            id += r.random_range(1..=3);
            id
        })
        .collect()
}
