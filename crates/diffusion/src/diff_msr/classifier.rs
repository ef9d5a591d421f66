//! The classifier that tells the cold scenario's rows from those of rich ones, noised or not (Diff-MSR, section
//! 3.4).
use super::{process::Process, schedule::NoiseSchedule, tables::no_tables};
use anyhow::{Context, Result, ensure};
use scenarec_train::{
    Batch, Build, Carrier, Epochs, Feed, InitScheme, Net, OptimSpec, Optimizer, ParamSet, Progress,
    Resumable, Stopping, Trained, Weights, bce,
    config::check,
    fit, metrics,
    nn::{Mlp, MlpConfig, Norm},
    rng::{Rng, below, normal, stream},
    rows::vectors,
    to_vec,
};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// What the training is called in progress and errors.
const NAME: &str = "classifier";
/// Rows that are embedded or scored at once.
const PIECE: i64 = 16_384;

/// The classifier's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Widths of the hidden layers (the paper: 64, 64 on Douban, 128, 128 on Amazon).
    pub hidden: Vec<i64>,
    /// Rows are noised to steps below this one (the released program: 70; the paper does not say).
    pub t_max: usize,
    /// Whether each batch has as many cold rows as rich ones, which the paper asks for and the released program
    /// does not do. Then a pass is one over the rich rows, and cold ones are drawn with replacement.
    pub balanced: bool,
    /// The optimiser: Adam with the paper's learning rate, 2e-3 on Douban and 1e-3 on Amazon; the released
    /// program's instructions say 1e-3.
    pub optim: OptimSpec,
    /// Rows per batch, each seen clean and noised (the released program: 2048).
    pub batch: usize,
    /// Passes over the rows at most (the released program: 100).
    pub epochs: usize,
    /// Epochs without a better AUC of the validation rows, clean and noised, after which training stops (the
    /// released program: 10); the best epoch's weights are kept.
    pub patience: usize,
}

impl ClassifierConfig {
    /// Refuses values under which nothing can be learned, or noise that the schedule does not have.
    pub fn check(&self, timesteps: usize) -> Result<()> {
        let &Self { ref hidden, t_max, balanced, optim: OptimSpec { lr, .. }, batch, epochs, patience } =
            self;
        check(hidden.iter().all(|w| *w > 0), "hidden", || format!("{hidden:?} are no widths"))?;
        check((1..=timesteps).contains(&t_max), "t_max", || {
            format!("{t_max} is not between 1 and the {timesteps} time steps")
        })?;
        check(lr > 0.0 && lr.is_finite(), "optim.lr", || format!("{lr} is not above 0"))?;
        let least = if balanced { 2 } else { 1 };
        check(batch >= least, "batch", || format!("{batch} is not at least {least}"))?;
        check(epochs > 0, "epochs", || "0: the classifier would never be trained".into())?;
        check(patience > 0, "patience", || "0: training would stop before it begins".into())
    }
}

/// What the classifier is trained on: rows of all scenarios, seen through a net's tables, which stay as they are.
pub struct ClassifierRows<'a> {
    /// Its tables embed the rows.
    pub net: &'a mut Net,
    /// Places of the generated fields, ascending: C of them.
    pub slots: &'a [usize],
    /// Number of the cold scenario.
    pub cold: u16,
    /// The rows to learn from.
    pub train: &'a Feed,
    /// The rows by which training is stopped.
    pub valid: &'a Feed,
    /// Seed of the classifier's own streams.
    pub seed: u64,
    /// Told how far the classifier is.
    pub progress: &'a dyn Progress,
}

impl ClassifierRows<'_> {
    /// The rows of a feed whose scenario is the cold one, or is not.
    fn part(&self, feed: &Feed, cold: bool) -> Result<Feed> {
        let own = |r: &u32| (feed.data().scenario[*r as usize] == self.cold) == cold;
        let rows: Vec<u32> = feed.rows().iter().copied().filter(own).collect();
        let kind = if cold { "of the cold scenario" } else { "of rich scenarios" };
        ensure!(!rows.is_empty(), "{NAME}: there are no rows {kind}");
        Ok(Feed::new(feed.data().clone(), rows))
    }

    /// # Shapes
    /// -> [n, C, d]
    fn embedded(&mut self, feed: &Feed) -> Result<Tensor> {
        let embed = |batch: Result<Batch>| Ok(vectors(self.net, self.slots, &batch?));
        let parts = feed.in_order(PIECE as usize).map(embed).collect::<Result<Vec<Tensor>>>()?;
        Ok(Tensor::cat(&parts, 0))
    }
}

/// An MLP on a row's vectors side by side, without normalisation or dropout, which is not told the step.
/// Parameters `<i>.linear.*` and `out.*`.
#[derive(Debug)]
pub struct Classifier {
    weights: Weights,
    mlp: Mlp,
    process: Process,
    config: ClassifierConfig,
    shape: [i64; 2],
}

impl Classifier {
    /// For rows of `shape` [C, d] and the diffusion models' schedule, not yet trained.
    pub fn new(
        config: &ClassifierConfig,
        schedule: &NoiseSchedule,
        shape: [i64; 2],
        build: Build,
    ) -> Result<Self> {
        config.check(schedule.timesteps())?;
        let mut params = ParamSet::new(build.device, build.seed, InitScheme::Torch);
        let mlp = MlpConfig { hidden: config.hidden.clone(), norm: Norm::None, dropout: 0.0 };
        let mlp = Mlp::new(&mut params.root(), shape[0] * shape[1], &mlp, Some(1));
        Ok(Self {
            weights: Weights { tables: no_tables(build)?, params },
            mlp,
            process: Process::new(schedule, build.device),
            config: config.clone(),
            shape,
        })
    }

    /// What is saved and loaded.
    pub fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    /// The forward process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// # Shapes
    /// z [B, C, d] -> [B, 1]
    fn logits(&self, z: &Tensor) -> Tensor {
        self.mlp.forward(&z.flatten(1, 2), true)
    }

    /// The chance that a row belongs to a rich scenario, without gradients.
    ///
    /// # Shapes
    /// z [n, C, d] -> `[n]`
    pub fn scores(&self, z: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        let parts: Vec<Tensor> = z.split(PIECE, 0).iter().map(|z| self.logits(z)).collect();
        Tensor::cat(&parts, 0).sigmoid().squeeze_dim(1)
    }

    /// Whether rows are taken for the cold scenario's: where the score is below 1/2.
    ///
    /// # Shapes
    /// z [n, C, d] -> bool `[n]`
    pub fn is_cold(&self, z: &Tensor) -> Tensor {
        self.scores(z).lt(0.5)
    }

    /// The AUC of telling rich rows (1) from cold ones (0) that are all noised to step `t` (Figure 5). `None`
    /// where the rows are all of one kind.
    ///
    /// # Shapes
    /// z0, noise [n, C, d], `rich` of length n
    pub fn auc_at(&self, z0: &Tensor, noise: &Tensor, rich: &[u8], t: usize) -> Result<Option<f64>> {
        let scores = self.scores(&self.process.noised(z0, noise, t));
        Ok(metrics::auc(&to_vec(&scores), rich)?)
    }

    /// The training loss: binary cross-entropy of rows, clean and noised, with target 1 for rich ones.
    ///
    /// # Shapes
    /// z0, noise [B, C, d], t i64 `[B]`, rich [B, 1] -> scalar
    pub fn loss(&self, z0: &Tensor, noise: &Tensor, t: &Tensor, rich: &Tensor) -> Tensor {
        let noised = self.process.level(t).noised(z0, noise);
        bce(&self.logits(&Tensor::cat(&[z0, &noised], 0)), &Tensor::cat(&[rich, rich], 0))
    }

    /// Trains it.
    pub fn fit(&mut self, rows: &mut ClassifierRows<'_>) -> Result<Trained> {
        let found = [rows.slots.len() as i64, rows.net.weights.tables.dim() as i64];
        ensure!(found == self.shape, "{NAME}: the rows are [C, d] = {found:?}, not {:?}", self.shape);
        let (cold, rich) = (rows.part(rows.train, true)?, rows.part(rows.train, false)?);
        let (valid_cold, valid_rich) = (rows.part(rows.valid, true)?, rows.part(rows.valid, false)?);
        let valid = [rows.embedded(&valid_rich)?, rows.embedded(&valid_cold)?];
        let ClassifierConfig { optim, balanced, batch, epochs, patience, .. } = self.config;
        let stock = balanced.then(|| rows.embedded(&cold)).transpose()?;
        let [draws, valid_draws, mut order] =
            ["train", "valid", "shuffle"].map(|name| stream(rows.seed, &format!("{NAME}.{name}")));
        let mut session = Session {
            optimizer: Optimizer::new(optim, &mut self.weights),
            classifier: self,
            net: rows.net,
            slots: rows.slots,
            number: rows.cold,
            stock,
            valid,
            draws,
            valid_draws,
        };
        // All scenarios with the numbers that the data give them.
        let all = Feed::new(rows.train.data().clone(), rows.train.rows().to_vec());
        let (feed, batch) = if balanced { (&rich, batch / 2) } else { (&all, batch) };
        let mut score = |s: &mut Session<'_>| s.valid_auc();
        let stopping = Stopping {
            patience,
            keep_last: false,
            score: &mut score,
            snapshot: |s: &mut Session<'_>| s.classifier.weights.state(),
            restore: |s: &mut Session<'_>, state| s.classifier.weights.load(state, ""),
        };
        let epochs = Epochs { epochs, batch, iters: 1 };
        let step = |s: &mut Session<'_>, batch: &Batch, _| s.step(batch);
        fit(NAME, &mut session, feed, epochs, &mut order, rows.progress, step, Some(stopping))
    }

    fn device(&self) -> Device {
        self.weights.params.device()
    }

    /// Noise, and uniform steps below t_max, for some rows.
    fn random(&self, rows: i64, rng: &mut Rng) -> (Tensor, Tensor) {
        let [c, d] = self.shape;
        let t = below(self.config.t_max as i64, rows as usize, rng).to_device(self.device());
        (normal(&[rows, c, d], rng).to_device(self.device()), t)
    }
}

/// What the loop trains, and what it needs besides batches.
struct Session<'a> {
    classifier: &'a mut Classifier,
    optimizer: Optimizer,
    net: &'a mut Net,
    slots: &'a [usize],
    /// Number of the cold scenario.
    number: u16,
    /// All cold rows, where batches are balanced.
    stock: Option<Tensor>,
    /// Rich and cold validation rows.
    valid: [Tensor; 2],
    draws: Rng,
    valid_draws: Rng,
}

impl Resumable for Session<'_> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("classifier", &mut self.classifier.weights)?;
        carrier.part("optimizer", &mut self.optimizer)?;
        carrier.part("draws", &mut self.draws)?;
        carrier.part("valid_draws", &mut self.valid_draws)
    }
}

impl Session<'_> {
    fn step(&mut self, batch: &Batch) -> Result<Tensor> {
        let z = vectors(self.net, self.slots, batch);
        let (z, rich) = match &self.stock {
            Some(stock) => {
                let places = below(stock.size()[0], batch.rows, &mut self.draws).to_device(z.device());
                let cold = stock.index_select(0, &places);
                (Tensor::cat(&[&z, &cold], 0), kinds(batch.rows, batch.rows))
            }
            None => {
                let rich = batch.scenario.iter().map(|s| f32::from(*s != i64::from(self.number)));
                (z, rich.collect())
            }
        };
        let rich = Tensor::from_slice(&rich).unsqueeze(1).to_device(z.device());
        let (noise, t) = self.classifier.random(z.size()[0], &mut self.draws);
        let loss = self.classifier.loss(&z, &noise, &t, &rich);
        self.optimizer.step(&loss, &mut self.classifier.weights)?;
        Ok(loss)
    }

    /// The AUC over all validation rows, clean and noised.
    fn valid_auc(&mut self) -> Result<f64> {
        let [rich, cold] = &self.valid;
        let labels: Vec<u8> = kinds(rich.size()[0] as usize, cold.size()[0] as usize);
        let z0 = Tensor::cat(&[rich, cold], 0);
        let (noise, t) = self.classifier.random(z0.size()[0], &mut self.valid_draws);
        let noised = self.classifier.process.level(&t).noised(&z0, &noise);
        let scores: Vec<f32> = [z0, noised].iter().flat_map(|z| to_vec(&self.classifier.scores(z))).collect();
        metrics::auc(&scores, &[&labels[..], &labels[..]].concat())?
            .context("the validation rows are of one kind")
    }
}

/// 1 for each rich row, then 0 for each cold one.
fn kinds<T: From<u8> + Clone>(rich: usize, cold: usize) -> Vec<T> {
    [vec![T::from(1); rich], vec![T::from(0); cold]].concat()
}
