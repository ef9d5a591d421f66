//! What the adversarial generators have in common: a generator and a critic that take turns.
use super::{
    NetworksConfig, TrainingConfig,
    networks::{Critic, Decoder, weights, width},
    wgan_gp::gradient_penalty,
};
use anyhow::{Context, Result};
use rand::RngExt;
use scenarec_train::{
    Build, Carrier, Fitting, Optimizer, Resumable, RowSource, Trained, Weights,
    config::check,
    rng::{Rng, stream},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// The network that tells real rows from generated ones: a critic or a discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriticConfig {
    /// Slope of its LeakyReLUs below 0.
    pub slope: f64,
    /// Its steps, each on another batch, to each step of the generator.
    pub steps: usize,
}

impl CriticConfig {
    pub(super) fn check(&self) -> Result<()> {
        let &Self { slope, steps } = self;
        check((0.0..1.0).contains(&slope), "critic.slope", || format!("{slope} is not in [0, 1)"))?;
        check(steps > 0, "critic.steps", || "0: the critic would never be trained".into())
    }
}

/// The two losses, each of the critic's scores of real rows and of generated ones, [B, 1] -> scalar.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    /// What the critic minimises.
    pub critic: fn(&Tensor, &Tensor) -> Tensor,
    /// What the generator minimises.
    pub generator: fn(&Tensor, &Tensor) -> Tensor,
}

/// What keeps the critic from growing steep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constraint {
    /// Nothing.
    None,
    /// After every step its parameters are cut off at this distance from 0.
    Clip(f64),
    /// Its loss has this multiple of the [`gradient_penalty`](super::losses::gradient_penalty) added.
    GradientPenalty(f64),
}

/// The random numbers of one of the critic's losses.
#[derive(Debug)]
pub struct CriticDraws {
    /// Of the generated rows, [B, z].
    pub latent: Tensor,
    /// u of x̂ = u x + (1 − u) G(z), uniform in [0, 1), [B, 1]; for a gradient penalty only.
    pub mix: Option<Tensor>,
}

/// A generator and its critic. Parameters `generator.*` and `critic.*`.
#[derive(Debug)]
pub struct Adversarial {
    name: &'static str,
    weights: Weights,
    generator: Decoder,
    critic: Critic,
    critic_steps: usize,
    objective: Objective,
    constraint: Constraint,
    training: TrainingConfig,
}

impl Adversarial {
    /// A pair of networks for rows of `shape` [C, d].
    pub(super) fn new(
        name: &'static str,
        networks: &NetworksConfig,
        critic: CriticConfig,
        training: TrainingConfig,
        objective: Objective,
        constraint: Constraint,
        shape: [i64; 2],
        build: Build,
    ) -> Result<Self> {
        let CriticConfig { slope, steps } = critic;
        let (weights, (generator, critic)) = weights(build, |p| {
            let generator = Decoder::new(&mut p.sub("generator"), networks, shape);
            Ok((generator, Critic::new(&mut p.sub("critic"), width(shape), &networks.hidden, slope)))
        })?;
        Ok(Self { name, weights, generator, critic, critic_steps: steps, objective, constraint, training })
    }

    /// The critic's loss on real rows and as many generated ones, which have no gradient.
    ///
    /// # Shapes
    /// real [B, N] -> scalar
    pub fn critic_loss(&self, real: &Tensor, draws: &CriticDraws) -> Result<Tensor> {
        let generated = {
            let _guard = tch::no_grad_guard();
            self.generator.forward(&draws.latent)
        };
        let (of_real, of_generated) = self.scores(real, &generated);
        let loss = (self.objective.critic)(&of_real, &of_generated);
        let Constraint::GradientPenalty(weight) = self.constraint else { return Ok(loss) };
        let mix = draws.mix.as_ref().context("a gradient penalty needs numbers to mix rows by")?;
        let between = real * mix + generated * (1.0 - mix);
        Ok(loss + gradient_penalty(|rows| self.critic.forward(rows), &between)? * weight)
    }

    /// The generator's loss against a critic that stays as it is.
    ///
    /// # Shapes
    /// real [B, N], latent [B, z] -> scalar
    pub fn generator_loss(&self, real: &Tensor, latent: &Tensor) -> Tensor {
        let (of_real, of_generated) = self.scores(real, &self.generator.forward(latent));
        (self.objective.generator)(&of_real, &of_generated)
    }

    /// The critic's scores of real and generated rows, [B, 1] each, by one pass: without normalisation no row's score
    /// depends on another row.
    fn scores(&self, real: &Tensor, generated: &Tensor) -> (Tensor, Tensor) {
        let n = real.size()[0];
        let scores = self.critic.forward(&Tensor::cat(&[real, generated], 0));
        (scores.narrow(0, 0, n), scores.narrow(0, n, generated.size()[0]))
    }

    fn critic_draws(&self, rows: i64, latent: &mut Rng, mix: &mut Rng) -> CriticDraws {
        let mixed = matches!(self.constraint, Constraint::GradientPenalty(_)).then(|| {
            let uniform: Vec<f32> = (0..rows).map(|_| mix.random()).collect();
            Tensor::from_slice(&uniform).unsqueeze(1).to_device(self.weights.params.device())
        });
        CriticDraws { latent: self.generator.latent(rows, latent), mix: mixed }
    }

    /// Cuts the critic's parameters off where they are to be clipped.
    fn clip(&self) {
        if let Constraint::Clip(most) = self.constraint {
            let _guard = tch::no_grad_guard();
            for (name, mut parameter) in self.weights.params.active() {
                if name.starts_with("critic.") {
                    let _ = parameter.clamp_(-most, most);
                }
            }
        }
    }
}

/// What steps change.
struct Game<'a> {
    pair: &'a mut Adversarial,
    of_critic: Optimizer,
    of_generator: Optimizer,
    latent: Rng,
    mix: Rng,
    batches: usize,
}

impl Resumable for Game<'_> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("weights", &mut self.pair.weights)?;
        carrier.part("of_critic", &mut self.of_critic)?;
        carrier.part("of_generator", &mut self.of_generator)?;
        carrier.part("latent", &mut self.latent)?;
        carrier.part("mix", &mut self.mix)?;
        carrier.count("batches", &mut self.batches)
    }
}

impl RowSource for Adversarial {
    fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    /// The losses that come back are the critic's.
    fn fit(&mut self, fitting: &mut Fitting<'_>) -> Result<Trained> {
        let optimizer = |globs: &[&str]| Optimizer::of_parameters(self.training.optim, &self.weights, globs);
        let (of_critic, of_generator) = (optimizer(&["critic.*"])?, optimizer(&["generator.*"])?);
        let random = |what: &str| stream(fitting.seed, &format!("{}.{what}", self.name));
        let (latent, mix) = (random("latent"), random("mix"));
        let (name, training, shape) = (self.name, self.training, self.generator.shape());
        let critic_steps = self.critic_steps;
        let mut game = Game { pair: self, of_critic, of_generator, latent, mix, batches: 0 };
        training.run(name, &mut game, fitting, shape, critic_steps, |game, real| {
            let Game { pair, of_critic, of_generator, latent, mix, batches } = game;
            let rows = real.size()[0];
            let loss = pair.critic_loss(real, &pair.critic_draws(rows, latent, mix))?;
            of_critic.step(&loss, &mut pair.weights)?;
            pair.clip();
            *batches += 1;
            if batches.is_multiple_of(critic_steps) {
                let loss = pair.generator_loss(real, &pair.generator.latent(rows, latent));
                of_generator.step(&loss, &mut pair.weights)?;
            }
            Ok(loss)
        })
    }

    fn draw(&mut self, n: usize) -> Result<Tensor> {
        Ok(self.generator.draw(n))
    }
}
