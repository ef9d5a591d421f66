//! How fast rows turn into noise: variance schedules and what follows from them (Diff-MSR, sections 2.3 and 3.3).
use anyhow::Result;
use scenarec_train::config::check;
use serde::{Deserialize, Serialize};

/// Steps that the piece-wise schedule begins with at its least variance.
const FLAT: usize = 50;
/// Variances between which the piece-wise schedule rises.
const PIECE_WISE: (f64, f64) = (2e-4, 0.05);
/// Variances between which the linear schedule rises where there are 1000 steps; with fewer they are as much
/// larger.
const LINEAR: (f64, f64) = (1e-4, 0.02);
/// Keeps the cosine schedule's first variances from being too small.
const OFFSET: f64 = 0.008;
/// Upper end of the cosine schedule's variances.
const MOST: f64 = 0.999;

/// The variances β of the steps, by name (Diff-MSR, Figure 4a). Where the paper is silent the numbers are those of
/// the released program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The paper's own: 2e-4 for 50 steps, from there in equal steps to 0.05.
    PieceWise,
    /// In equal steps from 0.1/T to 20/T (Ho et al., 2020).
    Linear,
    /// C̄ falls as cos² (Nichol and Dhariwal, 2021).
    Cosine,
}

impl Schedule {
    fn betas(self, timesteps: usize) -> Vec<f64> {
        let rise = |(from, to): (f64, f64), steps: usize| {
            (0..steps).map(move |i| from + (to - from) * i as f64 / (steps as f64 - 1.0))
        };
        match self {
            Self::PieceWise => {
                let flat = std::iter::repeat_n(PIECE_WISE.0, FLAT.min(timesteps));
                flat.chain(rise(PIECE_WISE, timesteps.saturating_sub(FLAT))).collect()
            }
            Self::Linear => {
                let scale = 1000.0 / timesteps as f64;
                rise((LINEAR.0 * scale, LINEAR.1 * scale), timesteps).collect()
            }
            Self::Cosine => {
                let remaining = |t: usize| {
                    let angle = (t as f64 / timesteps as f64 + OFFSET) / (1.0 + OFFSET);
                    (angle * std::f64::consts::FRAC_PI_2).cos().powi(2)
                };
                (0..timesteps).map(|t| (1.0 - remaining(t + 1) / remaining(t)).clamp(0.0, MOST)).collect()
            }
        }
    }
}

/// β and C̄ of every step. Steps are counted from 0: index i is the paper's t = i + 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseSchedule {
    beta: Vec<f64>,
    cumulative: Vec<f64>,
}

/// q(z_{t-1} | z_t, z_0) = N(`clean` z_0 + `state` z_t, `sigma`² I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Coefficient of z_0.
    pub clean: f64,
    /// Coefficient of z_t.
    pub state: f64,
    /// √β̃_t.
    pub sigma: f64,
}

impl NoiseSchedule {
    /// The schedule of `timesteps` steps. Errors name the key `timesteps`: the piece-wise schedule has a part that
    /// rises from the 51st step on, and the linear one reaches a variance of 1 where there are 20 steps or fewer.
    pub fn new(schedule: Schedule, timesteps: usize) -> Result<Self> {
        let least = match schedule {
            Schedule::PieceWise => FLAT + 2,
            Schedule::Linear => 21,
            Schedule::Cosine => 1,
        };
        check(timesteps >= least, "timesteps", || {
            format!("{timesteps} are too few for this schedule, which needs {least}")
        })?;
        let beta = schedule.betas(timesteps);
        let product = |kept: &mut f64, beta: &f64| {
            *kept *= 1.0 - beta;
            Some(*kept)
        };
        let cumulative = beta.iter().scan(1.0, product).collect();
        Ok(Self { beta, cumulative })
    }

    /// T.
    pub fn timesteps(&self) -> usize {
        self.beta.len()
    }

    /// β_t.
    pub fn beta(&self, t: usize) -> f64 {
        self.beta[t]
    }

    /// C̄_t = Π_{s≤t} (1 - β_s).
    pub fn cumulative(&self, t: usize) -> f64 {
        self.cumulative[t]
    }

    /// √C̄_t, the coefficient of z_0 in z_t.
    pub fn signal(&self, t: usize) -> f64 {
        self.cumulative[t].sqrt()
    }

    /// √(1 - C̄_t), the coefficient of the noise in z_t.
    pub fn noise(&self, t: usize) -> f64 {
        (1.0 - self.cumulative[t]).sqrt()
    }

    /// The distribution of the state before step `t`. Its variance is β̃_t, as in the released program; the paper
    /// writes β_t², and cites the paper that has β_t or β̃_t.
    pub fn posterior(&self, t: usize) -> Posterior {
        let before = if t == 0 { 1.0 } else { self.cumulative[t - 1] };
        let (beta, rest) = (self.beta[t], 1.0 - self.cumulative[t]);
        Posterior {
            clean: beta * before.sqrt() / rest,
            state: (1.0 - before) * (1.0 - beta).sqrt() / rest,
            sigma: (beta * (1.0 - before) / rest).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(schedule: Schedule) -> NoiseSchedule {
        NoiseSchedule::new(schedule, 500).unwrap()
    }

    #[test]
    fn values_are_those_of_the_released_program() {
        let values = [
            (Schedule::PieceWise, 0, 2e-4, 0.9998),
            (Schedule::PieceWise, 29, 2e-4, 0.994017),
            (Schedule::PieceWise, 49, 2e-4, 0.990049),
            (Schedule::PieceWise, 50, 2e-4, 0.989851),
            (Schedule::PieceWise, 99, 5.635e-3, 0.855433),
            (Schedule::PieceWise, 199, 0.016726, 0.276204),
            (Schedule::PieceWise, 499, 0.05, 1.0147e-5),
            (Schedule::Linear, 0, 2e-4, 0.9998),
            (Schedule::Linear, 29, 2.513e-3, 0.960088),
            (Schedule::Linear, 49, 4.108e-3, 0.897758),
            (Schedule::Linear, 50, 4.188e-3, 0.893998),
            (Schedule::Linear, 99, 8.096e-3, 0.659720),
            (Schedule::Linear, 199, 0.016072, 0.194753),
            (Schedule::Linear, 499, 0.04, 3.766e-5),
            (Schedule::Cosine, 0, 8.742e-5, 0.999913),
            (Schedule::Cosine, 29, 6.530e-4, 0.988967),
            (Schedule::Cosine, 49, 1.0485e-3, 0.972093),
            (Schedule::Cosine, 50, 1.0685e-3, 0.971054),
            (Schedule::Cosine, 99, 2.081e-3, 0.898706),
            (Schedule::Cosine, 199, 4.575e-3, 0.647478),
            (Schedule::Cosine, 499, 0.999, 9.7e-9),
        ];
        for (schedule, t, beta, cumulative) in values {
            let found = (of(schedule).beta(t), of(schedule).cumulative(t));
            // As many digits as are given.
            assert!((found.0 / beta - 1.0).abs() < 2e-4, "{schedule:?}, {t}: beta {}", found.0);
            let near = if cumulative < 1e-6 { 1e-2 } else { 1e-4 };
            assert!((found.1 / cumulative - 1.0).abs() < near, "{schedule:?}, {t}: {}", found.1);
        }
    }

    #[test]
    fn the_piece_wise_schedule_is_flat_and_then_straight() {
        let s = of(Schedule::PieceWise);
        assert!((0..=50).all(|t| s.beta(t) == 2e-4));
        let rise = s.beta(52) - s.beta(51);
        assert!((51..500).all(|t| (s.beta(t) - s.beta(t - 1) - rise).abs() < 1e-15));
        assert!((s.beta(499) - 0.05).abs() < 1e-15);
    }

    /// Mean and variance of z_{t-1} that is drawn from the posterior are those of the forward process.
    #[test]
    fn the_posterior_keeps_the_marginal() {
        for schedule in [Schedule::PieceWise, Schedule::Linear, Schedule::Cosine] {
            let s = of(schedule);
            for t in [1, 2, 30, 49, 50, 250, 499] {
                let Posterior { clean, state, sigma } = s.posterior(t);
                let mean = clean + state * s.signal(t);
                assert!((mean - s.signal(t - 1)).abs() < 1e-9, "{schedule:?}, {t}: {mean}");
                let variance = (state * s.noise(t)).powi(2) + sigma * sigma;
                assert!((variance - s.noise(t - 1).powi(2)).abs() < 1e-9, "{schedule:?}, {t}: {variance}");
            }
            let Posterior { clean, state, sigma } = s.posterior(0);
            assert!((clean - 1.0).abs() < 1e-9 && state == 0.0 && sigma == 0.0, "{schedule:?}");
        }
    }

    #[test]
    fn too_few_steps_are_refused() {
        for (schedule, least) in [(Schedule::PieceWise, 52), (Schedule::Linear, 21), (Schedule::Cosine, 1)] {
            let error = NoiseSchedule::new(schedule, least - 1).unwrap_err().to_string();
            assert!(error.starts_with("timesteps: "), "{error}");
            let s = NoiseSchedule::new(schedule, least).unwrap();
            assert!((0..least).all(|t| s.beta(t) > 0.0 && s.beta(t) < 1.0), "{s:?}");
        }
    }
}
