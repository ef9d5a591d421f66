//! CSDM (Zhu, Wang, Wu, AAAI 2025): a supervised diffusion model between item-id embeddings and side information.
//!
//! Shapes: B rows, d width of embeddings (16), D_s width of side information, T diffusion steps (100).
mod denoiser;
mod reverse;
mod schedule;

use anyhow::{Result, ensure};
use scenarec_data::Schema;
use scenarec_train::{
    Batch, Build, Embedded, Init, InitScheme, Mode, Net, ParamSet, Weights, bce,
    cold::{Generated, Generator, GeneratorBatch, Schedule as Training, Side, SideChoice},
    config::{check, check_dropout},
    net::Frozen,
    nn::{Dropout, Linear},
    rng::{Stream, below, normal, stream},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use denoiser::{Denoiser, TimeOffsets};
pub use schedule::{Coefficient, ReverseStep, Schedule};

/// Encoders and decoder start in U(-0.01, 0.01), biases included.
const SMALL: Init = Init::Uniform(0.01);

/// CSDM's configuration; `configs/methods/csdm.yaml` says what each profile sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsdmConfig {
    /// The registry's name, `csdm`.
    pub name: String,
    /// What multiplies h in the forward process.
    pub coefficient: Coefficient,
    /// Without it, an ablation of ours, h goes straight to the decoder and the loss is the click loss alone.
    pub diffusion: bool,
    /// T.
    pub timesteps: usize,
    /// β of Eq. 11.
    pub beta: f64,
    /// s: every s-th step is visited in the reverse pass.
    pub stride: usize,
    /// ρ: weight of the diffusion loss (Eq. 9).
    pub rho: f64,
    /// Whether the noise predictor is trained; the released program leaves it at its random start.
    pub train_denoiser: bool,
    /// Dropout probability on the noise predictor's state.
    pub denoiser_dropout: f64,
    /// Dropout probability on h in the forward process (Eq. 13).
    pub side_dropout: f64,
    /// Whether dropout stays on while embeddings are generated for writing back, as in the released program.
    pub dropout_at_generation: bool,
    /// Which fields are side information.
    pub side: SideChoice,
    /// Real field that is the item's frequency.
    pub frequency: String,
    /// Optimiser steps per batch.
    pub iters: usize,
    /// Passes over the old items' rows.
    pub epochs: usize,
    /// Passes over a warm phase's rows.
    pub warm_epochs: usize,
    /// Leaves the new items' rows as the warm fine-tune made them.
    pub keep_finetuned: bool,
}

impl CsdmConfig {
    /// Refuses values under which the process is not defined.
    pub fn check(&self) -> Result<()> {
        let &Self { stride, timesteps, beta, rho, denoiser_dropout, side_dropout, iters, .. } = self;
        let within = (1..=timesteps).contains(&stride);
        check(within, "stride", || format!("{stride} is not between 1 and the {timesteps} time steps"))?;
        check(beta > 0.0 && beta < 1.0, "beta", || format!("{beta} is not in (0, 1)"))?;
        check(rho >= 0.0 && rho.is_finite(), "rho", || format!("{rho} is not a number from 0 on"))?;
        check_dropout(denoiser_dropout, "denoiser_dropout")?;
        check_dropout(side_dropout, "side_dropout")?;
        check(iters > 0, "iters", || "0: the generator would never be trained".into())
    }

    /// The method for a net whose embeddings have width `dim`.
    pub fn method(&self, schema: &Schema, dim: usize, build: Build) -> Result<Generated<Csdm>> {
        let &Self { epochs, warm_epochs, iters, keep_finetuned, .. } = self;
        let training = Training { epochs, warm_epochs, iters, keep_finetuned };
        Ok(Generated::new(Csdm::new(self, schema, dim, build)?, training))
    }
}

/// The generator. Parameters `side.<table>`, `encode_side.*` (W_h), `encode_item.*` (W_z), `decode.*` (W_d), `denoiser.*`.
#[derive(Debug)]
pub struct Csdm {
    weights: Weights,
    side: Side,
    encode_side: Linear,
    encode_item: Linear,
    decode: Linear,
    denoiser: Denoiser,
    /// Keeps the noise predictor out of training where the configuration says so.
    frozen: Option<Frozen>,
    side_dropout: Dropout,
    forward: Tensor,
    /// Indices of the steps of the reverse pass.
    indices: Vec<i64>,
    /// What multiplies z, h and the predicted noise in each of them, `[n, 3]`.
    reverse: Tensor,
    diffusion: bool,
    rho: f64,
    timesteps: i64,
    dropout_at_generation: bool,
    random: Stream,
}

/// The random numbers of one loss.
#[derive(Debug)]
pub struct CsdmDraws {
    /// Diffusion index of every row, i64 `[B]`, 0 for t = 1.
    pub t: Tensor,
    /// ε, standard normal `[B, d]`.
    pub noise: Tensor,
}

impl Csdm {
    /// The generator for embeddings of width `dim`.
    pub fn new(config: &CsdmConfig, schema: &Schema, dim: usize, build: Build) -> Result<Self> {
        config.check()?;
        let (side, tables) = Side::new(schema, config.side, &config.frequency, dim, build)?;
        let mut params = ParamSet::new(build.device, build.seed, InitScheme::Torch);
        let (d, mut p) = (dim as i64, params.root());
        let encode_side = Linear::with_init(&mut p.sub("encode_side"), side.width(), d, SMALL, SMALL);
        let encode_item = Linear::with_init(&mut p.sub("encode_item"), d, d, SMALL, SMALL);
        let decode = Linear::with_init(&mut p.sub("decode"), d + 1, d, SMALL, SMALL);
        let denoiser = Denoiser::new(&mut p.sub("denoiser"), d, config.timesteps, config.denoiser_dropout);
        let side_dropout = Dropout::new(&p, "side_dropout", config.side_dropout);
        let random = params.keep("draws", stream(build.seed, "csdm.draws"));
        let weights = Weights { tables, params };
        let frozen =
            if config.train_denoiser { None } else { Some(weights.freeze(&["denoiser.*"], Mode::Train)?) };
        let schedule = Schedule::new(config.timesteps, config.beta, config.coefficient);
        let reverse = schedule.reverse(config.stride);
        let table = |numbers: Vec<f32>| Tensor::from_slice(&numbers).reshape([-1, 3]).to_device(build.device);
        let forward = (1..=config.timesteps).flat_map(|t| {
            let (signal, side, noise) = schedule.forward(t);
            [signal as f32, side as f32, noise as f32]
        });
        Ok(Self {
            weights,
            side,
            encode_side,
            encode_item,
            decode,
            denoiser,
            frozen,
            side_dropout,
            forward: table(forward.collect()),
            indices: reverse.iter().map(|s| s.index as i64).collect(),
            reverse: table(reverse.iter().flat_map(|s| [s.z, s.side, s.noise].map(|c| c as f32)).collect()),
            diffusion: config.diffusion,
            rho: config.rho,
            timesteps: config.timesteps as i64,
            dropout_at_generation: config.dropout_at_generation,
            random,
        })
    }

    /// Whether the noise predictor stays at its start.
    pub fn denoiser_is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Fresh draws for a batch of `rows`.
    pub fn draw(&mut self, rows: usize) -> CsdmDraws {
        let device = self.weights.params.device();
        let shape = [rows as i64, self.weights.tables.dim() as i64];
        let random = &mut self.random.borrow_mut();
        CsdmDraws {
            t: below(self.timesteps, rows, random).to_device(device),
            noise: normal(&shape, random).to_device(device),
        }
    }

    /// h = W_h s + b_h, `[B, d]`.
    fn hidden_side(&mut self, batch: &Batch, track: bool) -> Tensor {
        let s = self.side.vector(&mut self.weights.tables, batch, track);
        self.encode_side.forward(&s)
    }

    /// The reverse pass from h (Eq. 10, σ = 0), `[B, d]`.
    fn denoise(&self, h: &Tensor, train: bool) -> Tensor {
        let offsets = self.denoiser.offsets(&self.indices);
        self.denoiser.reverse(h, &offsets, &self.reverse, train)
    }

    /// Item-id embeddings from h, `[B, d]`.
    fn decode(&self, h: &Tensor, frequency: &Tensor, train: bool) -> Tensor {
        let z = if self.diffusion { self.denoise(h, train) } else { h.shallow_clone() };
        self.decode.forward(&Tensor::cat(&[&z, frequency], 1))
    }

    /// Mean squared error of the predicted noise at z_t (Eq. 13), a scalar.
    fn diffusion_loss(&self, e: &Tensor, h: &Tensor, draws: &CsdmDraws, train: bool) -> Tensor {
        let z0 = self.encode_item.forward(e);
        let at = self.forward.index_select(0, &draws.t);
        let coefficient = |i: i64| at.narrow(1, i, 1);
        let h = self.side_dropout.forward(h, train);
        let zt = z0 * coefficient(0) + h * coefficient(1) + &draws.noise * coefficient(2);
        let predicted = self.denoiser.forward(&zt, &self.denoiser.all_offsets().rows(&draws.t), train);
        (predicted - &draws.noise).square().mean(Kind::Float)
    }

    /// Loss L_ctr + ρ L_diff (Eq. 9), logits `[B, 1]` and generated embeddings `[B, d]` for given draws. `train` switches
    /// the generator's own dropout.
    pub fn loss_with(
        &mut self,
        net: &Net,
        batch: &GeneratorBatch<'_>,
        draws: &CsdmDraws,
        train: bool,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let frequency = self.side.frequency(&batch.embedded.reals);
        let (generated, diffusion) =
            self.generated(batch.batch, &frequency, &batch.item_embedding(), draws, train)?;
        let logits = batch.logits_with(net, &generated);
        let loss = bce(&logits, batch.labels) + diffusion;
        Ok((loss, logits, generated))
    }

    /// Without a net: the squared error between generated embeddings and trained ones, `e` `[B, d]`, in the place of
    /// L_ctr. Ours, not the paper's: for embeddings whose net is not at hand.
    pub fn regression_loss(
        &mut self,
        batch: &Batch,
        embedded: &Embedded,
        e: &Tensor,
        draws: &CsdmDraws,
        train: bool,
    ) -> Result<Tensor> {
        let frequency = self.side.frequency(&embedded.reals);
        let (generated, diffusion) = self.generated(batch, &frequency, e, draws, train)?;
        Ok((generated - e).square().mean(Kind::Float) + diffusion)
    }

    /// Generated embeddings `[B, d]`, and ρ L_diff for the trained ones, `e` `[B, d]`.
    fn generated(
        &mut self,
        batch: &Batch,
        frequency: &Tensor,
        e: &Tensor,
        draws: &CsdmDraws,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        ensure!(draws.t.size()[0] == batch.rows as i64, "one draw per row is needed");
        let h = self.hidden_side(batch, true);
        let generated = self.decode(&h, frequency, train);
        let diffusion = if self.diffusion {
            self.diffusion_loss(e, &h, draws, train) * self.rho
        } else {
            Tensor::zeros([] as [i64; 0], (Kind::Float, generated.device()))
        };
        Ok((generated, diffusion))
    }
}

impl Generator for Csdm {
    fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    fn loss(&mut self, net: &Net, batch: &GeneratorBatch<'_>) -> Result<Tensor> {
        let draws = self.draw(batch.batch.rows);
        Ok(self.loss_with(net, batch, &draws, true)?.0)
    }

    fn generate(&mut self, batch: &Batch, embedded: &Embedded) -> Result<Tensor> {
        let h = self.hidden_side(batch, false);
        Ok(self.decode(&h, &self.side.frequency(&embedded.reals), self.dropout_at_generation))
    }
}
