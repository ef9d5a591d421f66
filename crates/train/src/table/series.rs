//! The moves of Adam without weight decay that a row missed, in constant time.
//!
//! A row with zero gradient after step `t0` moves in step `t0 + k` by `c_k m / (s r_k + eps)`, where `m` and
//! `s = sqrt(v)` are the row's moments after `t0` and the scalars are shared by all rows last seen in `t0`:
//!
//! ```text
//! c_k = lr_t / (1 - beta1^t) beta1^k          r_k = beta2^(k/2) / sqrt(1 - beta2^t)          t = t0 + k
//! ```
//!
//! `r_k` changes slowly compared with how fast `c_k` vanishes. With a centre `r`, `d_k = r_k / r - 1` and
//! `q = s r / (s r + eps)`, which lies in `[0, 1]`,
//!
//! ```text
//! sum_k c_k / (s r_k + eps) = 1 / (s r + eps) sum_k c_k / (1 + q d_k) = 1 / (s r + eps) sum_j (-q)^j M_j
//! M_j = sum_k c_k d_k^j
//! ```
//!
//! so all missed steps cost one root, one division and a polynomial per weight. The moments `M_j` of all recent `t0`
//! are kept up to date as steps go by (some 200 of them: after that the first moment has vanished). What the
//! polynomial leaves out is at most `sum_k c_k |d_k|^J / (1 - max |d_k|)`; where that is not negligible (in the first
//! 200 steps or so of an optimiser, whose bias correction makes `r_k` change fast, and for betas close to each
//! other), the sum is done term by term.

use std::collections::VecDeque;

/// Terms of the polynomial.
const TERMS: usize = 7;
/// The first moment has vanished when this is left of it.
const VANISHED: f64 = 1e-9;
/// The relative error allowed to the polynomial, below the resolution of a float (6e-8).
const TOLERANCE: f64 = 1e-8;

/// The missed moves of rows last seen in one step: everything that does not depend on the row.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Moves {
    /// `r`; 0 if the polynomial is not good enough.
    pub centre: f32,
    /// `(-1)^j M_j`.
    pub terms: [f32; TERMS],
}

/// Moments still being summed.
struct Partial {
    last: usize,
    centre: f64,
    moments: [f64; TERMS],
    rest: f64,
    /// Largest `|d_k|` so far.
    spread: f64,
}

/// The moves for every `t0` up to the latest step.
pub(super) struct Series {
    beta2: f64,
    /// `[beta1^k, beta2^(k/2)]` until the first moment has vanished.
    powers: Vec<[f64; 2]>,
    /// The same as floats, for sums term by term.
    pub factors: Vec<[f32; 2]>,
    recent: VecDeque<Partial>,
    /// By `t0`; entry 0 is not used.
    pub moves: Vec<Moves>,
}

impl Series {
    pub fn new(beta1: f64, beta2: f64) -> Self {
        let reach = if beta1 > 0.0 { (VANISHED.ln() / beta1.ln()).ceil() as usize } else { 0 };
        let power = |k: usize| [beta1.powf(k as f64), beta2.powf(k as f64 / 2.0)];
        let powers: Vec<_> = (0..=reach).map(power).collect();
        let factors = powers.iter().map(|p| p.map(|x| x as f32)).collect();
        let none = Moves { centre: 1.0, terms: [0.0; TERMS] };
        Self { beta2, powers, factors, recent: VecDeque::new(), moves: vec![none] }
    }

    /// Adds step `t` (from 1), with `rate = lr / (1 - beta1^t)` and `scale = 1 / sqrt(1 - beta2^t)`.
    pub fn push(&mut self, t: usize, rate: f64, scale: f64) {
        if self.recent.front().is_some_and(|oldest| t - oldest.last >= self.powers.len()) {
            self.recent.pop_front();
        }
        for partial in &mut self.recent {
            let [b1, b2] = self.powers[t - partial.last];
            let c = rate * b1;
            let d = scale * b2 / partial.centre - 1.0;
            let mut term = c;
            for moment in &mut partial.moments {
                *moment += term;
                term *= d;
            }
            partial.rest += term.abs();
            partial.spread = partial.spread.max(d.abs());
            self.moves[partial.last] = partial.moves();
        }
        // The mean of k under weights beta1^k: around it, the moments are smallest.
        let reach = self.powers.len() - 1;
        let typical = (1.0 / (1.0 - self.powers.get(1).map_or(0.0, |p| p[0]))).min(reach as f64);
        let centre = self.beta2.powf(typical / 2.0) / (1.0 - self.beta2.powf(t as f64 + typical)).sqrt();
        let partial = Partial { last: t, centre, moments: [0.0; TERMS], rest: 0.0, spread: 0.0 };
        self.moves.push(partial.moves());
        self.recent.push_back(partial);
    }
}

impl Partial {
    fn moves(&self) -> Moves {
        let left_out = self.rest / (1.0 - self.spread);
        let good = self.spread < 0.9 && left_out <= TOLERANCE * self.moments[0].abs();
        let mut sign = -1.0;
        let terms = self.moments.map(|moment| {
            sign = -sign;
            (sign * moment) as f32
        });
        Moves { centre: if good { self.centre as f32 } else { 0.0 }, terms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The polynomial against the sum that it stands for, for second moments far above, near and far below eps.
    #[test]
    fn polynomials_equal_sums() {
        let (beta1, beta2, eps) = (0.9f64, 0.999f64, 1e-8);
        let lr = |t: usize| if t.is_multiple_of(100) { 0.0 } else { 1e-3 * (1.0 + (t as f64 / 50.0).sin()) };
        let step = |t: usize| {
            let powers = [beta1.powf(t as f64), beta2.powf(t as f64)];
            [lr(t) / (1.0 - powers[0]), 1.0 / (1.0 - powers[1]).sqrt()]
        };
        let now = 3000;
        let mut series = Series::new(beta1, beta2);
        for t in 1..=now {
            let [rate, scale] = step(t);
            series.push(t, rate, scale);
        }
        let mut polynomials = 0;
        for last in (1..now).step_by(7).chain(now - 30..now) {
            let moves = series.moves[last];
            if moves.centre == 0.0 {
                continue;
            }
            polynomials += 1;
            for root in [0.0, 1e-12, 1e-9, 1e-8, 3e-8, 1e-6, 1.0] {
                let sum: f64 = (last + 1..=now)
                    .map(|t| {
                        let k = (t - last) as f64;
                        let [rate, scale] = step(t);
                        rate * beta1.powf(k) / (root * scale * beta2.powf(k / 2.0) + eps)
                    })
                    .sum();
                let x = root * f64::from(moves.centre) + eps;
                let q = root * f64::from(moves.centre) / x;
                let polynomial =
                    moves.terms.iter().rev().fold(0.0, |sum, &term| sum * q + f64::from(term)) / x;
                let error = (polynomial - sum).abs();
                assert!(error <= 2e-7 * sum, "from {last}, root {root}: {polynomial}, {sum}");
            }
        }
        // All but the first few hundred steps.
        assert!(polynomials > 380, "{polynomials} polynomials");
    }
}
