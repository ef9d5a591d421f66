//! The area under the ROC curve: the chance that a random positive scores above a random negative, ties half.

use rayon::prelude::*;

use super::errors::{MetricError, check};
use scenarec_data::sort_by_key;

/// The exact AUC of `scores` `[n]` (any increasing function of the prediction: logits will do) against `labels` `[n]`
/// of 0 and 1. Ties count half. `None` if a class is absent.
///
/// # Errors
/// Scores that are NaN, labels other than 0 and 1, lists of different lengths.
pub fn auc(scores: &[f32], labels: &[u8]) -> Result<Option<f64>, MetricError> {
    check(scores, labels, |label| label <= 1)?;
    let positives = labels.par_iter().filter(|&&label| label == 1).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return Ok(None);
    }
    let key = |(&score, &label): (&f32, &u8)| u64::from(order_key(score)) << 32 | u64::from(label);
    let mut pairs: Vec<u64> = scores.par_iter().zip(labels).map(key).collect();
    sort_by_key(&mut pairs);
    // Twice the number of (negative, positive) pairs in the right order: integers, so that sums are exact.
    let mut twice = 0u128;
    let mut below = 0u64;
    for ties in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
        let positive: u64 = ties.iter().map(|pair| pair & 1).sum();
        let negative = ties.len() as u64 - positive;
        twice += u128::from(positive) * u128::from(2 * below + negative);
        below += negative;
    }
    Ok(Some(twice as f64 / 2.0 / (positives as f64 * negatives as f64)))
}

/// The AUC of `scores` `[n]` where row `i` counts as `probabilities[i]` positives and `1 - probabilities[i]`
/// negatives: for simulated data, whose click probabilities are known. Pairs of a row with itself are left out, so
/// this is the ratio of the expected number of rightly ordered pairs to the expected number of pairs when labels are
/// drawn. Ties count half. `None` if there are no such pairs.
///
/// # Errors
/// Scores that are NaN, probabilities outside [0, 1], lists of different lengths.
pub fn expected_auc(scores: &[f32], probabilities: &[f32]) -> Result<Option<f64>, MetricError> {
    check(scores, probabilities, |p| (0.0..=1.0).contains(&p))?;
    let key = |(&score, &p): (&f32, &f32)| u64::from(order_key(score)) << 32 | u64::from(p.to_bits());
    let mut pairs: Vec<u64> = scores.par_iter().zip(probabilities).map(key).collect();
    sort_by_key(&mut pairs);
    let (mut right, mut below, mut above, mut own) = (0.0, 0.0, 0.0, 0.0);
    for ties in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
        let (mut positive, mut negative, mut both) = (0.0, 0.0, 0.0);
        for &pair in ties {
            let p = f64::from(f32::from_bits(pair as u32));
            positive += p;
            negative += 1.0 - p;
            both += p * (1.0 - p);
        }
        right += positive * below + 0.5 * (positive * negative - both);
        below += negative;
        above += positive;
        own += both;
    }
    let all = above * below - own;
    Ok((all > 1e-12 * above * below).then(|| right / all))
}

/// RelaImpr, in percent: `((auc - 0.5) / (base - 0.5) - 1) * 100`, the improvement over a base model relative to what
/// that is better than chance (Yan et al., ICML 2014).
pub fn rela_impr(auc: f64, base: f64) -> f64 {
    ((auc - 0.5) / (base - 0.5) - 1.0) * 100.0
}

/// An unsigned key in the order of the floats: -inf < ... < -0 = 0 < ... < inf.
#[inline]
fn order_key(score: f32) -> u32 {
    // Adding 0 turns -0 into 0.
    let bits = (score + 0.0).to_bits();
    // Negative floats: greater bits are smaller numbers. Positive ones: above all negative ones.
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    /// All pairs, as in the definition.
    fn quadratic(scores: &[f32], p: &[f64]) -> Option<f64> {
        let (mut right, mut all) = (0.0, 0.0);
        for i in 0..scores.len() {
            for j in (0..scores.len()).filter(|&j| j != i) {
                let weight = p[i] * (1.0 - p[j]);
                all += weight;
                right += weight
                    * match scores[i].partial_cmp(&scores[j]).unwrap() {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
            }
        }
        (all > 0.0).then(|| right / all)
    }

    fn close(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (None, None) => true,
            _ => false,
        }
    }

    #[test]
    fn equals_the_quadratic_definition() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for case in 0..500 {
            let n = rng.random_range(0..60);
            // Few distinct values: many ties; both zeros and infinities among them.
            let values = [-1.0, -0.0, 0.0, 1e-40, 0.5, 2.0, f32::INFINITY, f32::NEG_INFINITY];
            let distinct = rng.random_range(1..=values.len());
            let scores: Vec<f32> = (0..n)
                .map(|_| {
                    if case % 3 == 0 {
                        rng.random_range(-1.0..1.0)
                    } else {
                        values[rng.random_range(0..distinct)]
                    }
                })
                .collect();
            let labels: Vec<u8> = (0..n).map(|_| rng.random_range(0..2)).collect();
            let p: Vec<f64> = labels.iter().map(|&label| label.into()).collect();
            assert!(close(auc(&scores, &labels).unwrap(), quadratic(&scores, &p)));
            let p: Vec<f32> = (0..n).map(|_| rng.random_range(0.0..1.0)).collect();
            let wide: Vec<f64> = p.iter().map(|&p| p.into()).collect();
            assert!(close(expected_auc(&scores, &p).unwrap(), quadratic(&scores, &wide)));
        }
    }

    /// Long enough for the parallel radix sort; the reference sorts with the standard library.
    #[test]
    fn long_inputs_equal_short_ones() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let n = 300_000;
        for resolution in [1e3, 1e9] {
            let scores: Vec<f32> = (0..n)
                .map(|_| ((rng.random_range(-8.0..8.0f64) * resolution).round() / resolution) as f32)
                .collect();
            let labels: Vec<u8> =
                scores.iter().map(|&s| u8::from(rng.random_range(-30.0..30.0) < s)).collect();
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&i, &j| scores[i].partial_cmp(&scores[j]).unwrap());
            let (mut right, mut below, mut positives) = (0.0, 0.0, 0.0);
            for ties in order.chunk_by(|&i, &j| scores[i] == scores[j]) {
                let positive = ties.iter().filter(|&&i| labels[i] == 1).count() as f64;
                let negative = ties.len() as f64 - positive;
                right += positive * (below + negative / 2.0);
                below += negative;
                positives += positive;
            }
            let expected = right / positives / below;
            assert!((auc(&scores, &labels).unwrap().unwrap() - expected).abs() < 1e-12);
            let p: Vec<f32> = labels.iter().map(|&label| label.into()).collect();
            assert!((expected_auc(&scores, &p).unwrap().unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn by_hand() {
        // scikit-learn's example: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.75
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]), Ok(Some(0.75)));
        let (scores, labels) =
            ([0.1, 0.4, 0.4, 0.4, 0.35, 0.8, 0.8, 0.9, 0.1, -0.5], [0, 1, 1, 0, 1, 0, 0, 1, 1, 0]);
        assert_eq!(auc(&scores, &labels), Ok(Some(0.54)));
        assert_eq!(auc(&[0.0, -0.0], &[0, 1]), Ok(Some(0.5)));
        assert_eq!(auc(&[1.0, 2.0], &[1, 1]), Ok(None));
        assert_eq!(auc(&[], &[]), Ok(None));
        assert_eq!(expected_auc(&[1.0], &[0.5]), Ok(None));
        assert_eq!(expected_auc(&[1.0, 2.0], &[0.0, 0.0]), Ok(None));
        assert!((rela_impr(0.75, 0.7) - 25.0).abs() < 1e-9);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(auc(&[1.0, f32::NAN], &[0, 1]), Err(MetricError::NanScore { row: 1 }));
        assert_eq!(auc(&[1.0, 2.0], &[0, 2]), Err(MetricError::BadLabel { row: 1, value: 2.0 }));
        assert_eq!(auc(&[1.0], &[]), Err(MetricError::Lengths { scores: 1, labels: 0 }));
        assert!(expected_auc(&[1.0], &[f32::NAN]).is_err());
    }

    /// Labels drawn many times: the mean of AUCs comes near the expected AUC.
    #[test]
    fn expected_auc_is_what_draws_come_near() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let scores: Vec<f32> = (0..400).map(|i| (i / 4) as f32).collect();
        let p: Vec<f32> = (0..400).map(|i| 0.2 + 0.5 * (i as f32 / 400.0)).collect();
        let draws = (0..2000).map(|_| {
            let labels: Vec<u8> = p.iter().map(|&p| u8::from(rng.random_range(0.0..1.0) < p)).collect();
            auc(&scores, &labels).unwrap().unwrap()
        });
        let mean = draws.sum::<f64>() / 2000.0;
        let expected = expected_auc(&scores, &p).unwrap().unwrap();
        assert!((mean - expected).abs() < 0.002, "{mean} against {expected}");
    }

    /// Prints the speed; asserts only that ten million rows go through.
    #[test]
    fn ten_million_rows() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let n = 10_000_000;
        let scores: Vec<f32> = (0..n).map(|_| rng.random_range(-5.0..5.0)).collect();
        let labels: Vec<u8> = scores.iter().map(|&s| u8::from(rng.random_range(-20.0..20.0) < s)).collect();
        let start = std::time::Instant::now();
        let auc = auc(&scores, &labels).unwrap().unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "AUC {auc:.6} of {n} rows in {seconds:.3} s: {:.0} million per second",
            n as f64 / seconds / 1e6
        );
        // Uniform scores in (-5, 5) with click probability (score + 20) / 40: 1/2 + 1/12 by integration.
        assert!((auc - (0.5 + 1.0 / 12.0)).abs() < 0.001, "{auc}");
    }
}
