//! Sorting rows by score.

use rayon::prelude::*;

/// Rows per task in parallel passes, and below which nothing is worth a second thread.
const CHUNK: usize = 1 << 16;
/// Bits per radix pass: 2048 counters fit the first-level cache.
const BITS: u32 = 11;
const BUCKETS: usize = 1 << BITS;

/// An unsigned key in the order of the floats: -inf < ... < -0 = 0 < ... < inf.
#[inline]
pub(super) fn order_key(score: f32) -> u32 {
    // Adding 0 turns -0 into 0.
    let bits = (score + 0.0).to_bits();
    // Negative floats: greater bits are smaller numbers. Positive ones: above all negative ones.
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// Sorts pairs of a 32-bit key (the upper half) and a payload by key alone. Stable, and so deterministic, whatever
/// the number of threads: a least-significant-digit radix sort whose chunks write to places counted beforehand.
pub(super) fn sort_by_key(pairs: &mut Vec<u64>) {
    if pairs.len() < CHUNK {
        // Ties in the order of payloads: as deterministic, and as good for a sum over ties.
        pairs.sort_unstable();
        return;
    }
    let mut other = vec![0u64; pairs.len()];
    for shift in [32, 32 + BITS, 32 + 2 * BITS] {
        pass(pairs, &mut other, shift);
        std::mem::swap(pairs, &mut other);
    }
}

fn digit(pair: u64, shift: u32) -> usize {
    (pair >> shift) as usize & (BUCKETS - 1)
}

/// Moves pairs from `from` to `to` in the order of one digit.
fn pass(from: &[u64], to: &mut [u64], shift: u32) {
    let threads = rayon::current_num_threads().min(from.len().div_ceil(CHUNK)).max(1);
    let chunk = from.len().div_ceil(threads);
    let mut counts: Vec<Vec<usize>> = from
        .par_chunks(chunk)
        .map(|pairs| {
            let mut counts = vec![0; BUCKETS];
            pairs.iter().for_each(|&pair| counts[digit(pair, shift)] += 1);
            counts
        })
        .collect();
    // Split `to` into one run per (bucket, chunk); each is written by its chunk only.
    let mut runs: Vec<Vec<&mut [u64]>> = counts.iter().map(|_| Vec::with_capacity(BUCKETS)).collect();
    let mut rest = to;
    for bucket in 0..BUCKETS {
        for (counts, runs) in counts.iter_mut().zip(&mut runs) {
            let (run, after) = std::mem::take(&mut rest).split_at_mut(counts[bucket]);
            runs.push(run);
            rest = after;
            counts[bucket] = 0;
        }
    }
    from.par_chunks(chunk).zip(&mut runs).zip(&mut counts).for_each(|((pairs, runs), filled)| {
        for &pair in pairs {
            let bucket = digit(pair, shift);
            runs[bucket][filled[bucket]] = pair;
            filled[bucket] += 1;
        }
    });
}
