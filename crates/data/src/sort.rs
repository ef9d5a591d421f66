//! Sorting many rows by a number.

use rayon::prelude::*;

/// Rows per task in parallel passes, and below which nothing is worth a second thread.
const CHUNK: usize = 1 << 16;
/// Bits per radix pass: 2048 counters fit the first-level cache.
const BITS: u32 = 11;
const BUCKETS: usize = 1 << BITS;

/// Sorts pairs of a 32-bit key (the upper half) and a payload by key alone. Stable, and so deterministic, whatever
/// the number of threads: a least-significant-digit radix sort whose chunks write to places counted beforehand.
pub fn sort_by_key(pairs: &mut Vec<u64>) {
    if pairs.len() < CHUNK {
        // Ties in the order of payloads: where these are row numbers in order, as below.
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

/// The numbers of the rows in order of `time`, equal ones in their own order.
pub(crate) fn by_time(time: &[i64]) -> Vec<u32> {
    let least = time.iter().copied().min().unwrap_or(0);
    let span = time.iter().copied().max().unwrap_or(0).checked_sub(least);
    let rows = 0..u32::try_from(time.len()).expect("rows have 32-bit numbers");
    if span.is_none_or(|span| span > i64::from(u32::MAX)) {
        let mut rows: Vec<u32> = rows.collect();
        rows.sort_by_key(|r| time[*r as usize]);
        return rows;
    }
    let pair = |row: u32| ((time[row as usize] - least) as u64) << 32 | u64::from(row);
    let mut pairs: Vec<u64> = rows.into_par_iter().map(pair).collect();
    sort_by_key(&mut pairs);
    pairs.into_par_iter().map(|pair| pair as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::by_time;
    use rand::RngExt;
    use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

    #[test]
    fn rows_in_order_of_time() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for (rows, span) in [(0, 10), (5, 10), (200_000, 1000), (200_000, i64::MAX / 2), (100, i64::MAX)] {
            let time: Vec<i64> = (0..rows).map(|_| rng.random_range(-span..=span)).collect();
            let mut wanted: Vec<u32> = (0..rows).collect();
            wanted.sort_by_key(|r| time[*r as usize]);
            assert_eq!(by_time(&time), wanted, "{rows} rows, {span}");
        }
    }
}
