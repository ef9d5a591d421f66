//! CSDM's coefficients (Eq. 6-12): a non-Markovian process between item-id embeddings z and side information h.
use serde::{Deserialize, Serialize};

/// What multiplies h in the forward process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coefficient {
    /// √c_t (Eq. 7).
    SqrtC,
    /// c_t, as the released program has it.
    C,
}

/// α_t and h's coefficient for t = 0..=T.
#[derive(Clone, Debug)]
pub struct Schedule {
    alpha: Vec<f64>,
    side: Vec<f64>,
}

/// z_{t'} = `z`·z_t + `side`·h + `noise`·ε̂: one reverse step with all constants folded (Eq. 8 in Eq. 10, σ = 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReverseStep {
    /// Diffusion index t - 1, which the noise predictor is given.
    pub index: usize,
    /// Coefficient of z_t.
    pub z: f64,
    /// Coefficient of h.
    pub side: f64,
    /// Coefficient of the predicted noise.
    pub noise: f64,
}

impl Schedule {
    /// α_t = (1-β)^t (Eq. 11); c_t = Σ_{k≤t} √(α_t/α_k) / Σ_{k≤T} √(α_T/α_k) (Eq. 12, with α_T in the denominator so that
    /// c_T = 1).
    pub fn new(timesteps: usize, beta: f64, coefficient: Coefficient) -> Self {
        let alpha: Vec<f64> = (0..=timesteps).map(|t| (1.0 - beta).powi(t as i32)).collect();
        let sum = |t: usize| (1..=t).map(|k| (alpha[t] / alpha[k]).sqrt()).sum::<f64>();
        let total = sum(timesteps);
        let side = |t: usize| match coefficient {
            Coefficient::SqrtC => (sum(t) / total).sqrt(),
            Coefficient::C => sum(t) / total,
        };
        let side = (0..=timesteps).map(side).collect();
        Self { alpha, side }
    }

    /// T.
    pub fn timesteps(&self) -> usize {
        self.alpha.len() - 1
    }

    /// (√α_t, h's coefficient, √(1-α_t)): z_t = √α_t z_0 + (…)h + √(1-α_t) ε (Eq. 7).
    pub fn forward(&self, t: usize) -> (f64, f64, f64) {
        (self.alpha[t].sqrt(), self.side[t], (1.0 - self.alpha[t]).sqrt())
    }

    /// (κ, λ, ν) of q(z_s | z_t, z_0, h) = N(κ z_t + λ z_0 + ν h, σ² I) for s < t; the marginal at s is Eq. 7's.
    pub fn posterior(&self, t: usize, s: usize, sigma: f64) -> (f64, f64, f64) {
        let kappa = ((1.0 - self.alpha[s] - sigma * sigma) / (1.0 - self.alpha[t])).sqrt();
        (kappa, self.alpha[s].sqrt() - self.alpha[t].sqrt() * kappa, self.side[s] - self.side[t] * kappa)
    }

    /// The reverse steps over every `stride`-th index, {0, s, 2s, …} below T from the top down; the last ends in ẑ_0.
    pub fn reverse(&self, stride: usize) -> Vec<ReverseStep> {
        let visited: Vec<usize> = (0..self.timesteps()).step_by(stride).collect();
        let step = |i: usize| {
            let index = visited[i];
            let (t, next) = (index + 1, if i == 0 { 0 } else { visited[i - 1] + 1 });
            let (signal, side, noise) = self.forward(t);
            let (kappa, lambda, nu) = self.posterior(t, next, 0.0);
            // ẑ_0 = (z_t - side·h - noise·ε̂) / signal takes the place of z_0.
            ReverseStep {
                index,
                z: kappa + lambda / signal,
                side: nu - lambda * side / signal,
                noise: -lambda * noise / signal,
            }
        };
        (0..visited.len()).rev().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (response to h, response to a constant ε̂) of the whole reverse pass that starts in h.
    fn response(coefficient: Coefficient, stride: usize) -> (f64, f64) {
        let run = |h: f64, eps: f64| {
            let steps = Schedule::new(100, 1e-5, coefficient).reverse(stride);
            steps.iter().fold(h, |z, s| s.z * z + s.side * h + s.noise * eps)
        };
        (run(1.0, 0.0), run(0.0, 1.0))
    }

    #[test]
    fn constants_are_those_of_the_sheet() {
        let s = Schedule::new(100, 1e-5, Coefficient::C);
        assert!((s.alpha[100] - 0.999_000_49).abs() < 1e-8);
        assert!(((1.0 - s.alpha[100]).sqrt() - 0.031_61).abs() < 1e-5);
        for (t, c) in [(1, 0.010_00), (10, 0.100_02), (50, 0.500_06), (91, 0.910_02), (100, 1.0), (0, 0.0)] {
            assert!((s.side[t] - c).abs() < 1e-5, "c_{t} = {}", s.side[t]);
        }
    }

    #[test]
    fn the_sampler_has_the_unit_responses_of_the_sheet() {
        for (coefficient, stride, h) in [
            (Coefficient::C, 10, 0.0900),
            (Coefficient::C, 5, 0.0400),
            (Coefficient::SqrtC, 10, 0.0461),
            (Coefficient::SqrtC, 5, 0.0202),
        ] {
            let (to_h, to_noise) = response(coefficient, stride);
            assert!((to_h - h).abs() < 6e-5, "{coefficient:?}, {stride}: {to_h}");
            let expected = if stride == 10 { -0.0302 } else { -0.0310 };
            assert!((to_noise - expected).abs() < 6e-5, "{coefficient:?}, {stride}: {to_noise}");
        }
    }

    #[test]
    fn ten_or_twenty_steps_from_the_largest_multiple() {
        let s = Schedule::new(100, 1e-5, Coefficient::C);
        let indices = |stride| s.reverse(stride).iter().map(|s| s.index).collect::<Vec<_>>();
        assert_eq!(indices(10), [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
        assert_eq!((indices(5).len(), indices(5)[0]), (20, 95));
    }

    /// Draws z_t by Eq. 7, then z_s by the posterior, and compares mean and variance with Eq. 7 at s.
    #[test]
    fn the_posterior_keeps_the_marginal() {
        use rand::RngExt;
        use rand_distr::StandardNormal;
        let schedule = Schedule::new(100, 1e-2, Coefficient::SqrtC);
        let mut rng = scenarec_train::rng::stream(1, "posterior");
        let (z0, h, n) = (0.7, -1.3, 200_000);
        for (t, s, sigma) in [(100, 90, 0.0), (60, 59, 0.05), (31, 11, 0.1), (2, 1, 0.0)] {
            let (a, b, c) = schedule.forward(t);
            let (kappa, lambda, nu) = schedule.posterior(t, s, sigma);
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..n {
                let e1: f64 = rng.sample(StandardNormal);
                let e2: f64 = rng.sample(StandardNormal);
                let zs = kappa * (a * z0 + b * h + c * e1) + lambda * z0 + nu * h + sigma * e2;
                sum += zs;
                squares += zs * zs;
            }
            let (mean, var) = (sum / n as f64, squares / n as f64 - (sum / n as f64).powi(2));
            let (a, b, c) = schedule.forward(s);
            let error = 5.0 * c / f64::from(n).sqrt() + 1e-12;
            assert!((mean - (a * z0 + b * h)).abs() < error, "t={t} s={s}: mean {mean}");
            assert!((var - c * c).abs() < 0.02 * c * c + 1e-12, "t={t} s={s}: variance {var}");
        }
    }
}
