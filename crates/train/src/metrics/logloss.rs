//! Binary cross-entropy.

use rayon::prelude::*;

use super::errors::{MetricError, check};

/// Rows summed one after the other; a constant, so that the result does not depend on the number of threads.
const CHUNK: usize = 1 << 14;

/// The mean negative log-likelihood, in nats per row, of `labels` `[n]` of 0 and 1 under `sigmoid(logits)`, `[n]`.
/// Computed from logits, `max(x, 0) - x y + ln(1 + exp(-|x|))`, so nothing saturates. `None` without rows.
///
/// # Errors
/// Scores that are NaN, labels other than 0 and 1, lists of different lengths.
pub fn logloss(logits: &[f32], labels: &[u8]) -> Result<Option<f64>, MetricError> {
    check(logits, labels, |label| label <= 1)?;
    if logits.is_empty() {
        return Ok(None);
    }
    let row = |(&x, &y): (&f32, &u8)| {
        let x = f64::from(x);
        // Not `x * y`: infinity times zero is not a number.
        let wrong_way = if y == 1 { -x } else { x };
        wrong_way.max(0.0) + (-x.abs()).exp().ln_1p()
    };
    let chunks: Vec<f64> = logits
        .par_chunks(CHUNK)
        .zip(labels.par_chunks(CHUNK))
        .map(|(logits, labels)| logits.iter().zip(labels).map(row).sum())
        .collect();
    Ok(Some(chunks.iter().sum::<f64>() / logits.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let half = 2f64.ln();
        assert!((logloss(&[0.0, 0.0], &[0, 1]).unwrap().unwrap() - half).abs() < 1e-15);
        // -ln(sigmoid(1)) = ln(1 + e^-1), -ln(1 - sigmoid(1)) = 1 + ln(1 + e^-1)
        let one = (-1f64).exp().ln_1p();
        assert!((logloss(&[1.0, 1.0], &[1, 0]).unwrap().unwrap() - (one + 0.5)).abs() < 1e-15);
        // sklearn.metrics.log_loss of the probabilities
        let sklearn = logloss(&[-2.5, 0.3, 4.0, -7.0, 0.01], &[0, 1, 1, 1, 0]).unwrap().unwrap();
        assert!((sklearn - 1.6700932107281048).abs() < 1e-8, "{sklearn}");
        assert_eq!(logloss(&[], &[]), Ok(None));
        assert!(logloss(&[f32::NAN], &[0]).is_err());
    }

    #[test]
    fn large_logits_do_not_saturate() {
        assert_eq!(logloss(&[1000.0], &[0]), Ok(Some(1000.0)));
        assert_eq!(logloss(&[-1000.0], &[1]), Ok(Some(1000.0)));
        assert_eq!(logloss(&[1000.0, f32::INFINITY], &[1, 1]), Ok(Some(0.0)));
        assert_eq!(logloss(&[f32::INFINITY], &[0]), Ok(Some(f64::INFINITY)));
    }
}
