//! CVAR (Zhao et al., SIGIR 2022): a conditional variational autoencoder between item-id embeddings and side information,
//! trained with the click loss.
//!
//! Shapes: B rows, d width of embeddings (16), D_s width of side information.
use anyhow::{Result, ensure};
use scenarec_data::Schema;
use scenarec_train::{
    Batch, Build, Embedded, Init, InitScheme, Net, ParamSet, Params, Weights, bce,
    cold::{Generated, Generator, GeneratorBatch, Schedule, Side, SideChoice},
    config::check,
    nn::Linear,
    rng::{Stream, normal, stream},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Spread of the sampled latent around its mean, a constant of the released program.
const LATENT_SPREAD: f64 = 1e-4;
/// Weight of the distance between posterior and prior, summed over the batch.
const DISTANCE_WEIGHT: f64 = 1e-4;
/// Encoders and decoder start in U(-0.01, 0.01), biases included.
const SMALL: Init = Init::Uniform(0.01);

/// CVAR's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CvarConfig {
    /// The registry's name, `cvar`.
    pub name: String,
    /// Real field that is the item's frequency.
    pub frequency: String,
    /// Which fields are side information.
    pub side: SideChoice,
    /// Optimiser steps per batch.
    pub iters: usize,
    /// Passes over the old items' rows.
    pub epochs: usize,
    /// Passes over a warm phase's rows.
    pub warm_epochs: usize,
}

impl CvarConfig {
    /// Refuses values under which nothing is trained.
    pub fn check(&self) -> Result<()> {
        check(self.iters > 0, "iters", || "0: the generator would never be trained".into())
    }

    /// The method for a net whose embeddings have width `dim`.
    pub fn method(&self, schema: &Schema, dim: usize, build: Build) -> Result<Generated<Cvar>> {
        let &Self { epochs, warm_epochs, iters, .. } = self;
        let schedule = Schedule { epochs, warm_epochs, iters, keep_finetuned: false };
        Ok(Generated::new(Cvar::new(self, schema, dim, build)?, schedule))
    }
}

/// A Gaussian's mean and log-variance from one input.
#[derive(Debug)]
struct Encoder {
    mean: Linear,
    log_var: Linear,
}

impl Encoder {
    fn new(mut p: Params<'_>, inputs: i64, d: i64) -> Self {
        let mut linear = |name: &str| Linear::with_init(&mut p.sub(name), inputs, d, SMALL, SMALL);
        Self { mean: linear("mean"), log_var: linear("log_var") }
    }

    /// Mean and standard deviation, each `[B, d]`.
    fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        (self.mean.forward(x), (self.log_var.forward(x) * 0.5).exp())
    }
}

/// The generator. Parameters `side.<table>`, `posterior.*`, `prior.*`, `decode.*`.
#[derive(Debug)]
pub struct Cvar {
    weights: Weights,
    side: Side,
    posterior: Encoder,
    prior: Encoder,
    decode: Linear,
    noise: Stream,
}

/// The random numbers of one loss: standard normal, each `[B, d]`.
#[derive(Debug)]
pub struct CvarDraws {
    /// For the posterior's latent.
    pub posterior: Tensor,
    /// For the prior's latent.
    pub prior: Tensor,
}

impl Cvar {
    /// Encoders and decoder for embeddings of width `dim`.
    pub fn new(config: &CvarConfig, schema: &Schema, dim: usize, build: Build) -> Result<Self> {
        config.check()?;
        let (side, tables) = Side::new(schema, config.side, &config.frequency, dim, build)?;
        let mut params = ParamSet::new(build.device, build.seed, InitScheme::Torch);
        let (d, mut p) = (dim as i64, params.root());
        let posterior = Encoder::new(p.sub("posterior"), d, d);
        let prior = Encoder::new(p.sub("prior"), side.width(), d);
        let decode = Linear::with_init(&mut p.sub("decode"), d + 1, d, SMALL, SMALL);
        let noise = params.keep("noise", stream(build.seed, "cvar.noise"));
        Ok(Self { weights: Weights { tables, params }, side, posterior, prior, decode, noise })
    }

    /// Fresh draws for a batch of `rows`.
    pub fn draw(&mut self, rows: usize) -> CvarDraws {
        let shape = [rows as i64, self.weights.tables.dim() as i64];
        let device = self.weights.params.device();
        let noise = &mut self.noise.borrow_mut();
        CvarDraws {
            posterior: normal(&shape, noise).to_device(device),
            prior: normal(&shape, noise).to_device(device),
        }
    }

    /// Latent -> item-id embedding, `[B, d]`.
    fn decode(&self, (mean, std): &(Tensor, Tensor), noise: &Tensor, frequency: &Tensor) -> Tensor {
        let z = mean + std * noise * LATENT_SPREAD;
        self.decode.forward(&Tensor::cat(&[&z, frequency], 1))
    }

    fn prior(&mut self, batch: &Batch, track: bool) -> (Tensor, Tensor) {
        let s = self.side.vector(&mut self.weights.tables, batch, track);
        self.prior.forward(&s)
    }

    /// Loss, logits `[B, 1]` and generated embeddings `[B, d]` for given draws.
    pub fn loss_with(
        &mut self,
        net: &Net,
        batch: &GeneratorBatch<'_>,
        draws: &CvarDraws,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        ensure!(draws.prior.size()[0] == batch.batch.rows as i64, "one draw per row is needed");
        let e = batch.item_embedding();
        let frequency = self.side.frequency(&batch.embedded.reals);
        let posterior = self.posterior.forward(&e);
        let prior = self.prior(batch.batch, true);
        let reconstructed = self.decode(&posterior, &draws.posterior, &frequency);
        let generated = self.decode(&prior, &draws.prior, &frequency);
        let logits = batch.logits_with(net, &generated);
        let distance = (posterior.0 - prior.0).square() + (posterior.1 - prior.1).square();
        // A squared error per row, its mean over rows; the distance is a sum over rows, as released.
        let reconstruction = (reconstructed - e).square().sum(Kind::Float) / batch.batch.rows as f64;
        let loss = bce(&logits, batch.labels) + reconstruction + distance.sum(Kind::Float) * DISTANCE_WEIGHT;
        Ok((loss, logits, generated))
    }
}

impl Generator for Cvar {
    fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    fn loss(&mut self, net: &Net, batch: &GeneratorBatch<'_>) -> Result<Tensor> {
        let draws = self.draw(batch.batch.rows);
        Ok(self.loss_with(net, batch, &draws)?.0)
    }

    fn generate(&mut self, batch: &Batch, embedded: &Embedded) -> Result<Tensor> {
        let draws = self.draw(batch.rows);
        let prior = self.prior(batch, false);
        let frequency = self.side.frequency(&embedded.reals);
        Ok(self.decode(&prior, &draws.prior, &frequency))
    }
}
