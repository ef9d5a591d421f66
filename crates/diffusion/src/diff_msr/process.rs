//! The forward process on rows, and what the network is asked for.
use super::schedule::NoiseSchedule;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// What the network predicts from a noised row (Diff-MSR, Figure 4b).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// v = √C̄ ε - √(1 - C̄) z_0 (Salimans and Ho, 2022).
    V,
    /// The row itself.
    X0,
    /// The noise.
    Noise,
}

impl Objective {
    /// The target for rows at `level`.
    ///
    /// # Shapes
    /// z0, noise [B, C, d] -> [B, C, d]
    pub fn target(self, level: &Level, z0: &Tensor, noise: &Tensor) -> Tensor {
        match self {
            Self::V => &level.signal * noise - &level.noise * z0,
            Self::X0 => z0.shallow_clone(),
            Self::Noise => noise.shallow_clone(),
        }
    }

    /// The row that a prediction stands for, where z_t = `signal` z_0 + `noise` ε.
    ///
    /// # Shapes
    /// z, predicted [B, C, d] -> [B, C, d]
    pub fn clean(self, signal: f64, noise: f64, z: &Tensor, predicted: &Tensor) -> Tensor {
        match self {
            Self::V => z * signal - predicted * noise,
            Self::X0 => predicted.shallow_clone(),
            Self::Noise => (z - predicted * noise) / signal,
        }
    }
}

/// The distance between prediction and target, mean over all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossNorm {
    /// Squared differences: the paper's Eq. 6.
    L2,
    /// Absolute differences: the released program's.
    L1,
}

impl LossNorm {
    /// # Shapes
    /// predicted, target [B, C, d] -> scalar
    pub fn loss(self, predicted: &Tensor, target: &Tensor) -> Tensor {
        let difference = predicted - target;
        match self {
            Self::L2 => difference.square().mean(Kind::Float),
            Self::L1 => difference.abs().mean(Kind::Float),
        }
    }
}

/// How much of a row and how much noise there is at each row's step, [B, 1, 1] both.
#[derive(Debug)]
pub struct Level {
    /// √C̄_t.
    pub signal: Tensor,
    /// √(1 - C̄_t).
    pub noise: Tensor,
}

impl Level {
    /// z_t = √C̄_t z_0 + √(1 - C̄_t) ε (Eq. 3).
    ///
    /// # Shapes
    /// z0, noise [B, C, d] -> [B, C, d]
    pub fn noised(&self, z0: &Tensor, noise: &Tensor) -> Tensor {
        z0 * &self.signal + noise * &self.noise
    }
}

/// The forward process: the schedule's coefficients where the rows are.
#[derive(Debug)]
pub struct Process {
    schedule: NoiseSchedule,
    /// √C̄ and √(1 - C̄), `[T]` each.
    signal: Tensor,
    noise: Tensor,
}

impl Process {
    /// Computed in f64, kept in f32.
    pub fn new(schedule: &NoiseSchedule, device: Device) -> Self {
        let all = |of: &dyn Fn(usize) -> f64| {
            let values: Vec<f32> = (0..schedule.timesteps()).map(|t| of(t) as f32).collect();
            Tensor::from_slice(&values).to_device(device)
        };
        let (signal, noise) = (all(&|t| schedule.signal(t)), all(&|t| schedule.noise(t)));
        Self { schedule: schedule.clone(), signal, noise }
    }

    /// The schedule.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// The level of rows at steps of their own.
    ///
    /// # Shapes
    /// t i64 `[B]` -> [B, 1, 1]
    pub fn level(&self, t: &Tensor) -> Level {
        let at = |all: &Tensor| all.index_select(0, t).view([-1, 1, 1]);
        Level { signal: at(&self.signal), noise: at(&self.noise) }
    }

    /// z_t of rows that are all at step `t`.
    ///
    /// # Shapes
    /// z0, noise [B, C, d] -> [B, C, d]
    pub fn noised(&self, z0: &Tensor, noise: &Tensor, t: usize) -> Tensor {
        z0 * self.schedule.signal(t) + noise * self.schedule.noise(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff_msr::Schedule;
    use scenarec_train::{
        rng::{normal, stream},
        testing::distance,
    };

    fn process() -> Process {
        Process::new(&NoiseSchedule::new(Schedule::PieceWise, 100).unwrap(), Device::Cpu)
    }

    fn rows() -> [Tensor; 2] {
        ["z0", "noise"].map(|name| normal(&[4, 2, 6], &mut stream(1, name)))
    }

    #[test]
    fn a_right_prediction_gives_back_the_row() {
        let (process, [z0, noise]) = (process(), rows());
        for t in [0, 49, 50, 99] {
            let level = process.level(&Tensor::from_slice(&[t as i64; 4]));
            let z = level.noised(&z0, &noise);
            assert!(distance(&z, &process.noised(&z0, &noise, t)) < 1e-6);
            let (signal, share) = (process.schedule.signal(t), process.schedule.noise(t));
            for objective in [Objective::V, Objective::X0, Objective::Noise] {
                let target = objective.target(&level, &z0, &noise);
                let clean = objective.clean(signal, share, &z, &target);
                assert!(distance(&clean, &z0) < 1e-5, "{objective:?} at {t}");
                // What is predicted counts.
                let other = objective.clean(signal, share, &z, &(target + 1.0));
                assert!(distance(&other, &z0) > 1e-2, "{objective:?} at {t}");
            }
        }
    }

    /// v and z_t are a rotation of ε and z_0: √C̄ v + √(1 - C̄) z_t = ε, and their squares sum to the same.
    #[test]
    fn v_completes_the_state_to_a_rotation() {
        let (process, [z0, noise]) = (process(), rows());
        let level = process.level(&Tensor::from_slice(&[0i64, 20, 60, 99]));
        let (z, v) = (level.noised(&z0, &noise), Objective::V.target(&level, &z0, &noise));
        assert!(distance(&(&level.signal * &v + &level.noise * &z), &noise) < 1e-6);
        assert!(distance(&(v.square() + z.square()), &(z0.square() + noise.square())) < 1e-5);
    }

    #[test]
    fn rows_have_levels_of_their_own() {
        let (process, [z0, noise]) = (process(), rows());
        let steps = [3usize, 99, 0, 50];
        let mixed = process.level(&Tensor::from_slice(&steps.map(|t| t as i64))).noised(&z0, &noise);
        for (i, t) in steps.into_iter().enumerate() {
            let alone = process.noised(&z0, &noise, t).get(i as i64);
            assert!(distance(&mixed.get(i as i64), &alone) < 1e-6);
        }
    }

    #[test]
    fn norms_are_means_over_all_numbers() {
        let a = Tensor::from_slice(&[1.0f32, -2.0, 0.5, 0.0]).view([2, 1, 2]);
        let b = a.zeros_like();
        assert_eq!(LossNorm::L2.loss(&a, &b).double_value(&[]), (1.0 + 4.0 + 0.25) / 4.0);
        assert_eq!(LossNorm::L1.loss(&a, &b).double_value(&[]), 3.5 / 4.0);
    }
}
