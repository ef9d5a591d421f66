//! The reverse process: from noise, or from somewhere on the way, to rows.
use super::{process::Objective, schedule::NoiseSchedule};
use anyhow::{Result, ensure};
use scenarec_train::config::check;
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, ops::Range};
use tch::Tensor;

/// Which steps are taken, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerConfig {
    /// Every step, with fresh noise (Ho et al., 2020): the paper's.
    Ddpm,
    /// Few steps without noise (Song et al., 2021, η = 0): many times faster, and not the paper's.
    Ddim {
        /// Steps from pure noise. From a step in between as many are taken as lie below it, and that step itself.
        steps: usize,
    },
}

/// What the reverse process needs of a network: its prediction for rows that are all at step t, z [B, C, d] -> [B,
/// C, d].
pub type Denoiser<'a> = dyn Fn(&Tensor, usize) -> Tensor + 'a;

/// Noise for some rows, given by their places, after step t: N(0, I) [B, C, d].
pub type Noise<'a> = dyn FnMut(usize, &[i64]) -> Tensor + 'a;

/// The reverse process of a schedule.
#[derive(Clone, Debug)]
pub struct Sampler {
    schedule: NoiseSchedule,
    objective: Objective,
    clamp: bool,
    config: SamplerConfig,
    /// The steps that every row takes once it is there, ascending from 0 to T - 1.
    grid: Vec<usize>,
}

impl Sampler {
    /// `clamp` keeps each estimate of a row within [-1, 1], as the released program does; the paper does not speak
    /// of it.
    pub fn new(
        schedule: &NoiseSchedule,
        objective: Objective,
        clamp: bool,
        config: SamplerConfig,
    ) -> Result<Self> {
        let timesteps = schedule.timesteps();
        let grid = match config {
            SamplerConfig::Ddpm => (0..timesteps).collect(),
            SamplerConfig::Ddim { steps } => {
                check((2..=timesteps).contains(&steps), "sampler.ddim.steps", || {
                    format!("{steps} is not between 2 and the {timesteps} time steps")
                })?;
                let place = |i: usize| (i * (timesteps - 1)) as f64 / (steps - 1) as f64;
                (0..steps).map(|i| place(i).round() as usize).collect()
            }
        };
        Ok(Self { schedule: schedule.clone(), objective, clamp, config, grid })
    }

    /// Takes rows to step "before 0". Row i enters at step `starts[i]`, as z_t; rows that are at the same step are
    /// one batch, and rows that have not begun are in none.
    ///
    /// # Shapes
    /// z [n, C, d], `starts` of length n -> [n, C, d]
    pub fn run(
        &self,
        z: &Tensor,
        starts: &[usize],
        denoiser: &Denoiser<'_>,
        noise: &mut Noise<'_>,
    ) -> Result<Tensor> {
        let (rows, timesteps) = (z.size()[0], self.schedule.timesteps());
        ensure!(rows == starts.len() as i64, "{rows} rows, but {} steps to start from", starts.len());
        if let Some(beyond) = starts.iter().find(|t| **t >= timesteps) {
            anyhow::bail!("a row starts from step {beyond}, but there are {timesteps} steps");
        }
        let _guard = tch::no_grad_guard();
        // In descending order of starts, the rows at a step stand together.
        let mut order: Vec<i64> = (0..rows).collect();
        order.sort_by_key(|i| Reverse(starts[*i as usize]));
        let sorted: Vec<usize> = order.iter().map(|i| starts[*i as usize]).collect();
        let z = z.index_select(0, &Tensor::from_slice(&order).to_device(z.device()));
        for t in self.visited(&sorted) {
            let Range { start, end } = self.present(&sorted, t);
            let mut part = z.narrow(0, start as i64, (end - start) as i64);
            let next = self.step(t, &part, denoiser, &mut |t| noise(t, &order[start..end]));
            part.copy_(&next);
        }
        let mut places = vec![0i64; order.len()];
        order.iter().enumerate().for_each(|(place, row)| places[*row as usize] = place as i64);
        Ok(z.index_select(0, &Tensor::from_slice(&places).to_device(z.device())))
    }

    /// The steps at which some row is, descending: where rows start, and the grid below.
    fn visited(&self, starts: &[usize]) -> Vec<usize> {
        let most = starts.first().copied().unwrap_or_default();
        let below = self.grid.iter().copied().filter(|t| *t < most && !starts.is_empty());
        let mut all: Vec<usize> = below.chain(starts.iter().copied()).collect();
        all.sort_by_key(|t| Reverse(*t));
        all.dedup();
        all
    }

    /// Which of the rows, sorted by their starts, are at step `t`: on the grid all that have begun, elsewhere
    /// those that start there.
    fn present(&self, starts: &[usize], t: usize) -> Range<usize> {
        let end = starts.partition_point(|s| *s >= t);
        let begun_before = starts.partition_point(|s| *s > t);
        if self.grid.binary_search(&t).is_ok() { 0..end } else { begun_before..end }
    }

    /// From step `t` to the next lower one of the grid, or out of the process.
    fn step(
        &self,
        t: usize,
        z: &Tensor,
        denoiser: &Denoiser<'_>,
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (signal, share) = (self.schedule.signal(t), self.schedule.noise(t));
        let clean = self.objective.clean(signal, share, z, &denoiser(z, t));
        let clean = if self.clamp { clean.clamp(-1.0, 1.0) } else { clean };
        let Some(next) = self.grid[..self.grid.partition_point(|g| *g < t)].last() else {
            return clean;
        };
        match self.config {
            SamplerConfig::Ddpm => {
                let posterior = self.schedule.posterior(t);
                clean * posterior.clean + z * posterior.state + noise(t) * posterior.sigma
            }
            SamplerConfig::Ddim { .. } => {
                // The noise that leads from the estimated row to z.
                let implied = (z - &clean * signal) / share;
                clean * self.schedule.signal(*next) + implied * self.schedule.noise(*next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff_msr::Schedule;
    use scenarec_train::{
        rng::{normal, stream},
        testing::{distance, magnitude},
    };
    use std::cell::RefCell;
    use tch::{Device, Kind};

    const SHAPE: [i64; 2] = [2, 4];

    fn schedule() -> NoiseSchedule {
        NoiseSchedule::new(Schedule::PieceWise, 60).unwrap()
    }

    fn sampler(clamp: bool, config: SamplerConfig) -> Sampler {
        Sampler::new(&schedule(), Objective::V, clamp, config).unwrap()
    }

    fn rows(n: i64, name: &str) -> Tensor {
        normal(&[n, SHAPE[0], SHAPE[1]], &mut stream(1, name))
    }

    /// v of a network that thinks that a row is a fixed function of its state.
    fn network(z: &Tensor, t: usize) -> Tensor {
        let s = schedule();
        let clean = (z * 0.7).tanh();
        (z * s.signal(t) - clean) / s.noise(t)
    }

    /// The same noise for a row at a step, whatever the batch.
    fn noise(t: usize, rows: &[i64]) -> Tensor {
        let of = |row: &i64| normal(&SHAPE, &mut stream(7, &format!("{t}.{row}")));
        Tensor::stack(&rows.iter().map(of).collect::<Vec<_>>(), 0)
    }

    #[test]
    fn whoever_knows_the_row_finds_it() {
        let s = schedule();
        let z0 = rows(5, "z0") * 0.3;
        for config in
            [SamplerConfig::Ddpm, SamplerConfig::Ddim { steps: 60 }, SamplerConfig::Ddim { steps: 4 }]
        {
            for objective in [Objective::V, Objective::X0, Objective::Noise] {
                let sampler = Sampler::new(&s, objective, true, config).unwrap();
                // From pure noise all rows are at the same step: their own row is at their place.
                let oracle = |z: &Tensor, t: usize| {
                    let noise = (z - &z0 * s.signal(t)) / s.noise(t);
                    match objective {
                        Objective::V => noise * s.signal(t) - &z0 * s.noise(t),
                        Objective::X0 => z0.shallow_clone(),
                        Objective::Noise => noise,
                    }
                };
                let found = sampler.run(&rows(5, "z"), &[59; 5], &oracle, &mut noise).unwrap();
                assert_eq!(found.size(), [5, 2, 4]);
                assert!(distance(&found, &z0) < 1e-4, "{config:?}, {objective:?}");
            }
        }
    }

    #[test]
    fn rows_that_start_anywhere_end_as_each_would_alone() {
        let (z, starts) = (rows(6, "z"), [37usize, 0, 59, 12, 37, 20]);
        for config in [SamplerConfig::Ddpm, SamplerConfig::Ddim { steps: 7 }] {
            for clamp in [true, false] {
                let sampler = sampler(clamp, config);
                let together = sampler.run(&z, &starts, &network, &mut noise).unwrap();
                for (i, start) in starts.into_iter().enumerate() {
                    let mut own = |t: usize, _: &[i64]| noise(t, &[i as i64]);
                    let alone = sampler.run(&z.narrow(0, i as i64, 1), &[start], &network, &mut own).unwrap();
                    let found = together.narrow(0, i as i64, 1);
                    assert!(distance(&found, &alone) < 1e-6, "{config:?}, row {i}");
                }
            }
        }
    }

    #[test]
    fn no_row_is_computed_before_it_starts_or_oftener_than_it_must() {
        let calls = RefCell::new(Vec::new());
        let counting = |z: &Tensor, t: usize| {
            calls.borrow_mut().push((t, z.size()[0]));
            network(z, t)
        };
        let run = |config, starts: &[usize]| {
            let z = rows(starts.len() as i64, "z");
            let found = sampler(true, config).run(&z, starts, &counting, &mut noise).unwrap();
            assert_eq!(found.size()[0] as usize, starts.len());
            calls.take()
        };
        assert_eq!(run(SamplerConfig::Ddpm, &[1, 3, 1]), [(3, 1), (2, 1), (1, 3), (0, 3)]);
        // A grid of 0, 20, 39 and 59.
        let ddim = SamplerConfig::Ddim { steps: 4 };
        assert_eq!(run(ddim, &[59, 59]), [(59, 2), (39, 2), (20, 2), (0, 2)]);
        let expected = [(37, 1), (36, 2), (25, 1), (20, 5), (0, 6)];
        assert_eq!(run(ddim, &[36, 20, 25, 0, 37, 36]), expected);
        assert_eq!(run(ddim, &[]), []);
    }

    /// Without noise and with all steps: z_{t-1} = √C̄_{t-1} ẑ_0 + √(1 - C̄_{t-1}) ε̂, written out.
    #[test]
    fn ddim_with_all_steps_is_the_deterministic_chain() {
        let (s, start) = (schedule(), rows(3, "z"));
        let mut z = start.copy();
        for t in (0..60).rev() {
            let clean = &z * s.signal(t) - network(&z, t) * s.noise(t);
            let implied = (&z - &clean * s.signal(t)) / s.noise(t);
            z = if t == 0 { clean } else { clean * s.signal(t - 1) + implied * s.noise(t - 1) };
        }
        let ddim = sampler(false, SamplerConfig::Ddim { steps: 60 });
        let mut none = |_: usize, _: &[i64]| -> Tensor { panic!("no noise is drawn") };
        let found = ddim.run(&start, &[59; 3], &network, &mut none).unwrap();
        assert!(distance(&found, &z) < 1e-6);
    }

    /// The released program's steps, written out.
    #[test]
    fn ddpm_is_the_ancestral_chain() {
        let (s, start) = (schedule(), rows(3, "z"));
        let mut z = start.copy();
        for t in (0..60).rev() {
            let clean = (&z * s.signal(t) - network(&z, t) * s.noise(t)).clamp(-1.0, 1.0);
            let before = if t == 0 { 1.0 } else { s.cumulative(t - 1) };
            let (beta, rest) = (s.beta(t), 1.0 - s.cumulative(t));
            let mean =
                clean * (beta * before.sqrt() / rest) + &z * ((1.0 - before) * (1.0 - beta).sqrt() / rest);
            let spread = (beta * (1.0 - before) / rest).sqrt();
            z = if t == 0 { mean } else { mean + noise(t, &[0, 1, 2]) * spread };
        }
        let found = sampler(true, SamplerConfig::Ddpm).run(&start, &[59; 3], &network, &mut noise).unwrap();
        assert!(distance(&found, &z) < 1e-5);
    }

    #[test]
    fn the_clamp_keeps_rows_within_one() {
        let wide = |z: &Tensor, _: usize| z.ones_like() * 3.0;
        let run = |clamp| {
            let sampler = Sampler::new(&schedule(), Objective::X0, clamp, SamplerConfig::Ddpm).unwrap();
            sampler.run(&rows(2, "z"), &[59, 30], &wide, &mut noise).unwrap()
        };
        assert_eq!(magnitude(&run(true)), 1.0);
        assert_eq!(magnitude(&run(false)), 3.0);
    }

    #[test]
    fn what_cannot_be_sampled_is_refused() {
        let z = Tensor::zeros([2, 2, 4], (Kind::Float, Device::Cpu));
        let sampler = sampler(true, SamplerConfig::Ddpm);
        let error = sampler.run(&z, &[3], &network, &mut noise).unwrap_err().to_string();
        assert_eq!(error, "2 rows, but 1 steps to start from");
        let error = sampler.run(&z, &[3, 60], &network, &mut noise).unwrap_err().to_string();
        assert_eq!(error, "a row starts from step 60, but there are 60 steps");
        for steps in [0, 1, 61] {
            let config = SamplerConfig::Ddim { steps };
            let error = Sampler::new(&schedule(), Objective::V, true, config).unwrap_err().to_string();
            assert!(error.starts_with("sampler.ddim.steps: "), "{error}");
        }
    }
}
