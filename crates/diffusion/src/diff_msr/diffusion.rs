//! A diffusion model of rows of one label (Diff-MSR, sections 2.3 and 3.3, Eqs. 2-6): its training, rows from
//! noise, and noised rows made clean.
use super::{
    process::{LossNorm, Objective, Process},
    sampler::{Sampler, SamplerConfig},
    schedule::{NoiseSchedule, Schedule},
    tables::no_tables,
    unet::{Unet, UnetConfig},
};
use anyhow::{Result, ensure};
use scenarec_train::{
    Batch, Build, Carrier, Epochs, Feed, Fitting, InitScheme, Net, OptimSpec, Optimizer, ParamSet, Resumable,
    RowSource, Stopping, Trained, Weights,
    config::check,
    fit,
    rng::{Rng, Stream, below, normal, stream},
    rows::vectors,
};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// What the training is called in progress and errors.
const NAME: &str = "diffusion";

/// A diffusion model's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffusionConfig {
    /// T (500).
    pub timesteps: usize,
    /// The variance schedule (`piece_wise`).
    pub schedule: Schedule,
    /// What the network predicts (`v`).
    pub objective: Objective,
    /// The distance to it: the paper's is `l2`, the released program's `l1`.
    pub loss: LossNorm,
    /// The network.
    pub unet: UnetConfig,
    /// Keeps every estimate of a row within [-1, 1] while rows are generated, as the released program does.
    pub clamp: bool,
    /// How rows are generated: the paper's is `ddpm`, every step.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub sampler: SamplerConfig,
    /// The optimiser: Adam with the paper's learning rate of 2e-3; the released program's instructions say 1e-3.
    pub optim: OptimSpec,
    /// Rows per batch (the paper: 512 on Douban, 2048 on Amazon).
    pub batch: usize,
    /// Passes over the rows at most (the released program: 100); `min_steps` may ask for more.
    pub epochs: usize,
    /// Epochs without a better validation loss after which training stops (the released program: 5); the best
    /// epoch's network is kept.
    pub patience: usize,
    /// Training goes on until it has taken so many steps, and only then begins to watch the validation loss. 0 as
    /// in the released program, which may so end after very few: a scenario's rows of one label are few batches.
    pub min_steps: usize,
}

impl DiffusionConfig {
    /// Refuses values under which the process is not defined; `d` is the width of the rows' vectors.
    pub fn check(&self, d: i64) -> Result<()> {
        let &Self { batch, epochs, patience, optim: OptimSpec { lr, .. }, .. } = self;
        self.sampler()?;
        self.unet.check(d)?;
        check(lr > 0.0 && lr.is_finite(), "optim.lr", || format!("{lr} is not above 0"))?;
        check(batch > 0, "batch", || "a batch needs a row".into())?;
        check(epochs > 0, "epochs", || "0: the network would never be trained".into())?;
        check(patience > 0, "patience", || "0: training would stop before it begins".into())
    }

    /// The variances.
    pub fn noise_schedule(&self) -> Result<NoiseSchedule> {
        NoiseSchedule::new(self.schedule, self.timesteps)
    }

    fn sampler(&self) -> Result<Sampler> {
        Sampler::new(&self.noise_schedule()?, self.objective, self.clamp, self.sampler)
    }
}

/// The random numbers of one loss.
#[derive(Debug)]
pub struct DiffusionDraws {
    /// Step of every row, i64 `[B]`.
    pub t: Tensor,
    /// ε, standard normal [B, C, d].
    pub noise: Tensor,
}

/// The model. Its parameters are those of the [`Unet`].
#[derive(Debug)]
pub struct Diffusion {
    weights: Weights,
    unet: Unet,
    process: Process,
    sampler: Sampler,
    config: DiffusionConfig,
    shape: [i64; 2],
    draws: Stream,
}

impl Diffusion {
    /// For rows of `shape` [C, d], not yet trained.
    pub fn new(config: &DiffusionConfig, shape: [i64; 2], build: Build) -> Result<Self> {
        config.check(shape[1])?;
        let mut params = ParamSet::new(build.device, build.seed, InitScheme::Torch);
        let unet = Unet::new(&mut params.root(), &config.unet, shape, config.timesteps);
        let draws = params.keep("draws", stream(build.seed, "diffusion.draws"));
        Ok(Self {
            weights: Weights { tables: no_tables(build)?, params },
            unet,
            process: Process::new(&config.noise_schedule()?, build.device),
            sampler: config.sampler()?,
            config: config.clone(),
            shape,
            draws,
        })
    }

    /// The forward process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The training loss with given draws: the distance of the prediction at z_t from its target (Eq. 6).
    ///
    /// # Shapes
    /// z0 [B, C, d] -> scalar
    pub fn loss(&self, z0: &Tensor, draws: &DiffusionDraws) -> Tensor {
        let DiffusionDraws { t, noise } = draws;
        let level = self.process.level(t);
        let predicted = self.unet.ready().forward(&level.noised(z0, noise), t);
        self.config.loss.loss(&predicted, &self.config.objective.target(&level, z0, noise))
    }

    /// Rows that are noised to steps of their own, made clean (section 3.5): row i is z_t at t = `steps[i]` and
    /// takes `steps[i]` + 1 steps.
    ///
    /// # Shapes
    /// z [n, C, d], `steps` of length n -> [n, C, d]
    pub fn denoise(&mut self, z: &Tensor, steps: &[usize]) -> Result<Tensor> {
        let [c, d] = self.shape;
        let wanted = [steps.len() as i64, c, d];
        ensure!(z.size() == wanted, "rows {:?}, where {wanted:?} are needed", z.size());
        let (net, device, draws) = (self.unet.inference(), z.device(), &self.draws);
        let mut noise = |_: usize, rows: &[i64]| {
            normal(&[rows.len() as i64, c, d], &mut draws.borrow_mut()).to_device(device)
        };
        self.sampler.run(z, steps, &|z, t| net.forward(z, t), &mut noise)
    }

    fn device(&self) -> Device {
        self.weights.params.device()
    }

    /// Uniform steps and noise for some rows.
    fn random(&self, rows: i64, rng: &mut Rng) -> DiffusionDraws {
        let [c, d] = self.shape;
        DiffusionDraws {
            t: below(self.config.timesteps as i64, rows as usize, rng).to_device(self.device()),
            noise: normal(&[rows, c, d], rng).to_device(self.device()),
        }
    }
}

/// What the loop trains, and what it needs besides batches.
struct Session<'a> {
    diffusion: &'a mut Diffusion,
    optimizer: Optimizer,
    net: &'a mut Net,
    slots: &'a [usize],
    valid: &'a Feed,
    draws: Rng,
    valid_draws: Rng,
}

impl Resumable for Session<'_> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("diffusion", &mut self.diffusion.weights)?;
        carrier.part("optimizer", &mut self.optimizer)?;
        carrier.part("draws", &mut self.draws)?;
        carrier.part("valid_draws", &mut self.valid_draws)
    }
}

impl Session<'_> {
    fn step(&mut self, batch: &Batch) -> Result<Tensor> {
        let z0 = vectors(self.net, self.slots, batch);
        let draws = self.diffusion.random(z0.size()[0], &mut self.draws);
        let loss = self.diffusion.loss(&z0, &draws);
        self.optimizer.step(&loss, &mut self.diffusion.weights)?;
        Ok(loss)
    }

    /// The sum of the validation batches' losses, with steps and noise drawn anew each time, as in the released
    /// program.
    fn valid_loss(&mut self) -> Result<f64> {
        let _guard = tch::no_grad_guard();
        let mut sum = 0.0;
        for batch in self.valid.in_order(self.diffusion.config.batch) {
            let z0 = vectors(self.net, self.slots, &batch?);
            let draws = self.diffusion.random(z0.size()[0], &mut self.valid_draws);
            sum += self.diffusion.loss(&z0, &draws).double_value(&[]);
        }
        Ok(sum)
    }
}

impl RowSource for Diffusion {
    fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    fn fit(&mut self, fitting: &mut Fitting<'_>) -> Result<Trained> {
        let &mut Fitting { ref mut net, slots, train, valid, seed, progress } = fitting;
        let found = [slots.len() as i64, net.weights.tables.dim() as i64];
        ensure!(found == self.shape, "{NAME}: the rows are [C, d] = {found:?}, not {:?}", self.shape);
        ensure!(!train.rows().is_empty(), "{NAME}: there are no rows to train on");
        ensure!(!valid.rows().is_empty(), "{NAME}: there are no validation rows to stop by");
        let DiffusionConfig { optim, batch, epochs, patience, min_steps, .. } = self.config;
        let optimizer = Optimizer::new(optim, &mut self.weights);
        let [draws, valid_draws, mut order] =
            ["train", "valid", "shuffle"].map(|name| stream(seed, &format!("{NAME}.{name}")));
        let mut session = Session { diffusion: self, optimizer, net, slots, valid, draws, valid_draws };
        // Whole passes that take the least number of steps; what is left of the passes may stop early.
        let unwatched = min_steps.div_ceil(train.batches(batch) as usize);
        let mut done = Trained::default();
        for (epochs, watched) in [(unwatched, false), (epochs.saturating_sub(unwatched), true)] {
            if epochs == 0 {
                continue;
            }
            let mut score = |s: &mut Session<'_>| Ok(-s.valid_loss()?);
            let stopping = watched.then_some(Stopping {
                patience,
                keep_last: false,
                score: &mut score,
                snapshot: |s: &mut Session<'_>| s.diffusion.weights.state(),
                restore: |s: &mut Session<'_>, state| s.diffusion.weights.load(state, ""),
            });
            let epochs = Epochs { epochs, batch, iters: 1 };
            let step = |s: &mut Session<'_>, batch: &Batch, _| s.step(batch);
            let part = fit(NAME, &mut session, train, epochs, &mut order, progress, step, stopping)?;
            done.steps += part.steps;
            done.samples += part.samples;
            done.seconds += part.seconds;
            done.losses.extend(part.losses);
            done.scores.extend(part.scores);
        }
        Ok(done)
    }

    fn draw(&mut self, n: usize) -> Result<Tensor> {
        let [c, d] = self.shape;
        let z = normal(&[n as i64, c, d], &mut self.draws.borrow_mut()).to_device(self.device());
        self.denoise(&z, &vec![self.config.timesteps - 1; n])
    }
}
