//! Comparing measurements over seeds, and orders of methods.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The arithmetic mean; `None` without values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, with `n - 1` in the denominator; `None` for fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    variance(values).map(f64::sqrt)
}

fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// A t-test's outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TTest {
    /// The statistic; positive if the first sample's mean is larger.
    pub t: f64,
    /// Degrees of freedom.
    pub degrees: f64,
    /// The chance of a statistic at least as far from 0, on either side, if the means are equal.
    pub p: f64,
}

impl TTest {
    /// `difference` of means with a standard error. Without any spread, equal means are certain to be equal, and
    /// different ones to differ.
    fn new(difference: f64, error: f64, degrees: f64) -> Self {
        let t = if difference == 0.0 { 0.0 } else { difference / error };
        let p = if t.is_infinite() { 0.0 } else { (2.0 * student(degrees).sf(t.abs())).min(1.0) };
        Self { t, degrees, p }
    }
}

fn student(degrees: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, degrees).expect("degrees of freedom are positive")
}

/// The two-sided paired t-test: `a[i]` and `b[i]` were measured under the same conditions (the same seed). `None` for
/// fewer than two pairs.
///
/// # Panics
/// If the samples differ in length.
pub fn paired_t_test(a: &[f64], b: &[f64]) -> Option<TTest> {
    assert_eq!(a.len(), b.len(), "paired samples have the same length");
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let n = differences.len() as f64;
    let error = deviation(&differences)? / n.sqrt();
    Some(TTest::new(mean(&differences)?, error, n - 1.0))
}

/// The two-sided t-test of Welch: independent samples that may differ in size and spread. `None` for fewer than two
/// values on either side.
pub fn welch_t_test(a: &[f64], b: &[f64]) -> Option<TTest> {
    let (na, nb) = (a.len() as f64, b.len() as f64);
    let (ea, eb) = (variance(a)? / na, variance(b)? / nb);
    let total = ea + eb;
    // Welch-Satterthwaite; without spread, any number will do.
    let degrees = if total > 0.0 {
        total.powi(2) / (ea.powi(2) / (na - 1.0) + eb.powi(2) / (nb - 1.0))
    } else {
        na + nb - 2.0
    };
    Some(TTest::new(mean(a)? - mean(b)?, total.sqrt(), degrees))
}

/// The two-sided p of the Mann-Whitney U test of independent samples: the chance of ranks at least as unequal if both come from
/// one distribution. Exact where there are no ties and one sample has at most eight values, else by the normal approximation
/// with corrections for ties and continuity (as scipy's `auto`). `None` if a sample is empty.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (na, nb) = (a.len() as f64, b.len() as f64);
    let wins: f64 = a
        .iter()
        .flat_map(|x| b.iter().map(move |y| f64::from(u8::from(x > y)) + 0.5 * f64::from(u8::from(x == y))))
        .sum();
    let u = wins.max(na * nb - wins);
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let ties: Vec<f64> = all.chunk_by(|x, y| x == y).map(|tied| tied.len() as f64).collect();
    if ties.len() == all.len() && a.len().min(b.len()) <= 8 {
        let counts = u_counts(a.len(), b.len());
        let above: f64 = counts[u as usize..].iter().sum();
        return Some((2.0 * above / counts.iter().sum::<f64>()).min(1.0));
    }
    let n = na + nb;
    let tied: f64 = ties.iter().map(|t| t.powi(3) - t).sum();
    let variance = na * nb / 12.0 * (n + 1.0 - tied / (n * (n - 1.0)));
    if variance == 0.0 {
        return Some(1.0); // All values are the same.
    }
    let z = (u - na * nb / 2.0 - 0.5) / variance.sqrt();
    Some((2.0 * Normal::standard().sf(z)).min(1.0))
}

/// How many of the orders of `m` and `n` different values have each U, 0 to m n.
fn u_counts(m: usize, n: usize) -> Vec<f64> {
    // Orders of m and n values: the largest is one of the m, above all n, or one of the n. In place, by n for each m.
    let mut by_n: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for m in 1..=m {
        let mut row: Vec<Vec<f64>> = vec![vec![1.0]];
        for n in 1..=n {
            let mut counts = vec![0.0; m * n + 1];
            by_n[n].iter().enumerate().for_each(|(u, c)| counts[u + n] += c);
            row[n - 1].iter().enumerate().for_each(|(u, c)| counts[u] += c);
            row.push(counts);
        }
        by_n = row;
    }
    by_n.swap_remove(n)
}

/// The confidence interval of the mean of normal values, by Student's t, as `(low, high)`; `confidence` as in 0.95.
/// `None` for fewer than two values.
///
/// # Panics
/// If `confidence` is not between 0 and 1.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<(f64, f64)> {
    assert!(0.0 < confidence && confidence < 1.0, "a confidence of {confidence}");
    let (n, mean) = (values.len() as f64, mean(values)?);
    let half = deviation(values)? / n.sqrt() * student(n - 1.0).inverse_cdf(0.5 + confidence / 2.0);
    Some((mean - half, mean + half))
}

/// Kendall's tau-b of two scores of the same things, in `[-1, 1]`: 1 if they order them alike. Pairs tied in one score
/// are no evidence either way. `None` if all are tied in one of them, or there are fewer than two. Compares all
/// pairs: for the methods of a table, not for rows of data.
///
/// # Panics
/// If the lists differ in length.
pub fn kendall_tau_b(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "two scores of the same things");
    let sign = |x: f64| f64::from(i8::from(x > 0.0) - i8::from(x < 0.0));
    let (mut agree, mut differ_a, mut differ_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let (x, y) = (sign(a[i] - a[j]), sign(b[i] - b[j]));
            agree += x * y;
            differ_a += x * x;
            differ_b += y * y;
        }
    }
    (differ_a > 0.0 && differ_b > 0.0).then(|| agree / f64::sqrt(differ_a * differ_b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 6] = [0.712, 0.718, 0.709, 0.722, 0.715, 0.711];
    const B: [f64; 6] = [0.708, 0.715, 0.710, 0.716, 0.709, 0.707];

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-3), "{a} is not {b}");
    }

    /// Values of scipy.stats 1.x: ttest_rel, ttest_ind(equal_var=False).
    #[test]
    fn t_tests_equal_scipy() {
        let paired = paired_t_test(&A, &B).unwrap();
        close(paired.t, 3.4785054261852175);
        close(paired.degrees, 5.0);
        close(paired.p, 0.01768708843172233);
        let shifted: Vec<f64> = A.iter().map(|x| x + 0.1).collect();
        close(paired_t_test(&shifted, &B).unwrap().p, 2.060729302114007e-09);
        let welch = welch_t_test(&A, &B[..4]).unwrap();
        close(welch.t, 0.8137108458165214);
        close(welch.degrees, 7.588483193545601);
        close(welch.p, 0.4405931812080374);
    }

    /// numpy.mean and std(ddof=1); scipy.stats.t.interval with scipy.stats.sem.
    #[test]
    fn intervals_equal_scipy() {
        close(mean(&A).unwrap(), 0.7145);
        close(deviation(&A).unwrap(), 0.004847679857416333);
        for (confidence, low, high) in [
            (0.90, 0.7105121043821857, 0.7184878956178143),
            (0.95, 0.7094126719868215, 0.7195873280131786),
            (0.99, 0.7065201591449026, 0.7224798408550974),
        ] {
            let interval = mean_interval(&A, confidence).unwrap();
            close(interval.0, low);
            close(interval.1, high);
        }
        let two = mean_interval(&[0.4, 0.6], 0.95).unwrap();
        close(two.0, -0.7706204736174691);
        close(two.1, 1.770620473617469);
    }

    /// scipy.stats.kendalltau.
    #[test]
    fn kendall_equals_scipy() {
        close(kendall_tau_b(&A, &B).unwrap(), 0.6);
        close(kendall_tau_b(&[1., 2., 2., 3., 4.], &[1., 3., 2., 2., 5.]).unwrap(), 0.6666666666666666);
        close(kendall_tau_b(&[12., 2., 1., 12., 2.], &[1., 4., 7., 1., 0.]).unwrap(), -0.4714045207910316);
    }

    /// scipy.stats.mannwhitneyu.
    #[test]
    fn mann_whitney_equals_scipy() {
        // Three against three cannot be significant; four and five can.
        close(mann_whitney(&[4., 5., 6.], &[1., 2., 3.]).unwrap(), 0.1);
        close(mann_whitney(&[5., 6., 7., 8.], &[1., 2., 3., 4.]).unwrap(), 0.02857142857142857);
        close(mann_whitney(&[1., 2., 3., 4., 5.], &[6., 7., 8., 9., 10.]).unwrap(), 0.007936507936507936);
        close(mann_whitney(&[1., 2., 4., 6.], &[3., 5., 7., 8., 9.]).unwrap(), 0.1111111111111111);
        // Ties.
        close(mann_whitney(&A, &B).unwrap(), 0.17197868192455812);
        close(mann_whitney(&[1., 2., 2., 3.], &[2., 3., 4.]).unwrap(), 0.2663799233424825);
        assert_eq!(mann_whitney(&[1., 1.], &[1., 1.]), Some(1.0));
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }

    #[test]
    fn no_spread_and_too_few() {
        assert_eq!(paired_t_test(&[1.0, 2.0], &[1.0, 2.0]).unwrap().p, 1.0);
        let sure = paired_t_test(&[3.0, 4.0], &[1.0, 2.0]).unwrap();
        assert_eq!((sure.t, sure.p), (f64::INFINITY, 0.0));
        assert_eq!(welch_t_test(&[1.0, 1.0], &[1.0, 1.0]).unwrap().p, 1.0);
        assert_eq!(paired_t_test(&[1.0], &[2.0]), None);
        assert_eq!(welch_t_test(&[1.0], &[2.0, 3.0]), None);
        assert_eq!((mean(&[]), deviation(&[1.0]), mean_interval(&[1.0], 0.95)), (None, None, None));
        assert_eq!(kendall_tau_b(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau_b(&[1.0], &[1.0]), None);
    }

    #[test]
    fn orders() {
        assert_eq!(kendall_tau_b(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), Some(1.0));
        assert_eq!(kendall_tau_b(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
    }
}
