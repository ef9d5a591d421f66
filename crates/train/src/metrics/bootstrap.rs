//! How far an AUC could be off because the rows are few.
use super::{auc, errors::MetricError};
use crate::rng::Rng;
use rand::RngExt;

/// The percentile bootstrap interval of an AUC as `(low, high)`: rows are drawn with replacement `resamples` times,
/// and a share `confidence` of the resamples' AUCs lies between the two. Resamples of one class have no AUC and do not
/// count. `None` where no resample has both classes.
///
/// # Errors
/// Scores that are NaN, labels other than 0 and 1, lists of different lengths.
///
/// # Panics
/// If `confidence` is not between 0 and 1.
pub fn auc_interval(
    scores: &[f32],
    labels: &[u8],
    resamples: usize,
    confidence: f64,
    rng: &mut Rng,
) -> Result<Option<(f64, f64)>, MetricError> {
    assert!(0.0 < confidence && confidence < 1.0, "a confidence of {confidence}");
    let mut aucs = Vec::with_capacity(resamples);
    let (mut some_scores, mut some_labels) = (scores.to_vec(), labels.to_vec());
    for _ in 0..resamples {
        for i in 0..scores.len() {
            let row = rng.random_range(0..scores.len());
            (some_scores[i], some_labels[i]) = (scores[row], labels[row]);
        }
        aucs.extend(auc(&some_scores, &some_labels)?);
    }
    aucs.sort_by(f64::total_cmp);
    let Some(last) = aucs.len().checked_sub(1) else { return Ok(None) };
    let at = |share: f64| aucs[(share * last as f64).round() as usize];
    Ok(Some((at(0.5 - confidence / 2.0), at(0.5 + confidence / 2.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    /// Rows whose AUC is known: scores of positives are normal with a mean of `shift`.
    fn rows(n: usize, shift: f64) -> (Vec<f32>, Vec<u8>) {
        use rand_distr::StandardNormal;
        let mut rng = stream(1, "rows");
        let labels: Vec<u8> = (0..n).map(|i| u8::from(i % 4 > 0)).collect();
        let score = |l: &u8| (rng.sample::<f64, _>(StandardNormal) + shift * f64::from(*l)) as f32;
        (labels.iter().map(score).collect(), labels)
    }

    /// Hanley and McNeil's standard error at an AUC of a with p positives and n negatives.
    fn hanley_mcneil(a: f64, p: f64, n: f64) -> f64 {
        let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
        ((a * (1.0 - a) + (p - 1.0) * (q1 - a * a) + (n - 1.0) * (q2 - a * a)) / (p * n)).sqrt()
    }

    #[test]
    fn the_interval_is_as_wide_as_the_standard_error_says() {
        for n in [320usize, 2000] {
            let (scores, labels) = rows(n, 0.5);
            let a = auc(&scores, &labels).unwrap().unwrap();
            let (low, high) =
                auc_interval(&scores, &labels, 1000, 0.95, &mut stream(2, "bootstrap")).unwrap().unwrap();
            assert!(low < a && a < high, "{low} {a} {high}");
            let error = hanley_mcneil(a, 0.75 * n as f64, 0.25 * n as f64);
            let ratio = (high - low) / (2.0 * 1.96 * error);
            assert!((0.8..1.2).contains(&ratio), "{n} rows: {low} to {high}, standard error {error}");
        }
    }

    #[test]
    fn rows_of_one_class_have_no_interval() {
        let mut rng = stream(1, "bootstrap");
        assert_eq!(auc_interval(&[0.1, 0.2], &[1, 1], 10, 0.95, &mut rng).unwrap(), None);
        assert_eq!(auc_interval(&[], &[], 10, 0.95, &mut rng).unwrap(), None);
    }
}
