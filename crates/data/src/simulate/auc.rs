//! The AUC that nobody can beat.

/// AUC of the true probabilities themselves, each row counting as p positives and 1-p negatives, ties half: the
/// largest expected AUC that any scores can have on rows with these click probabilities. Sorts: O(n log n).
pub fn best_auc(click_probability: &[f32]) -> f64 {
    let mut p = click_probability.to_vec();
    p.sort_unstable_by(f32::total_cmp);
    let (mut positives, mut negatives, mut area) = (0.0f64, 0.0f64, 0.0f64);
    for tied in p.chunk_by(|a, b| a == b) {
        let here_positive = f64::from(tied[0]) * tied.len() as f64;
        let here_negative = tied.len() as f64 - here_positive;
        area += here_positive * (negatives + 0.5 * here_negative);
        positives += here_positive;
        negatives += here_negative;
    }
    area / (positives * negatives)
}

#[cfg(test)]
mod tests {
    use super::best_auc;

    #[test]
    fn against_all_pairs() {
        let p = [0.1f32, 0.9, 0.5, 0.5, 0.3, 0.1, 1.0, 0.0];
        let (mut area, mut total) = (0.0, 0.0);
        for a in p {
            for b in p {
                let weight = f64::from(a) * (1.0 - f64::from(b));
                total += weight;
                area += weight
                    * if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
            }
        }
        assert!((best_auc(&p) - area / total).abs() < 1e-12);
        assert!((best_auc(&[0.0, 1.0, 1.0]) - 1.0).abs() < 1e-12);
        assert!((best_auc(&[0.4, 0.4]) - 0.5).abs() < 1e-12);
    }
}
