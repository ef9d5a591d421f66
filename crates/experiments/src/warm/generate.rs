//! Training CSDM's generator on trained embeddings, and generating the new items'.
use super::{
    embeddings::Embeddings,
    features::{FREQUENCY, dataset},
    items::Items,
    report::{HeldOut, Report},
};
use anyhow::{Result, ensure};
use clap::Args;
use rand::seq::SliceRandom;
use scenarec_diffusion::{Csdm, CsdmConfig, csdm::Coefficient};
use scenarec_train::{
    Build, Epochs, Feed, OptimSpec, Optimizer, Progress, Stopping,
    cold::{Generator, SideChoice},
    config::check,
    fit, rng, to_vec,
};
use tch::{Device, Kind, Tensor};

/// The share of old items that is held out to decide when to stop, and as much again to report on.
const HELD_OUT: f64 = 0.1;
/// Items per batch while nothing is trained; no result depends on it.
const GENERATION_BATCH: usize = 4096;

/// How the generator is made and trained.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct WarmOptions {
    /// Most passes over the old items.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub epochs: usize,
    /// Passes without a smaller error on held-out items after which training stops.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub patience: usize,
    /// Items per batch.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub batch: usize,
    /// Adam's learning rate.
    #[arg(long, value_name = "N", default_value_t = 1e-3)]
    pub lr: f64,
    /// L2 penalty.
    #[arg(long, value_name = "N", default_value_t = 1e-6)]
    pub weight_decay: f64,
    /// ρ: weight of the diffusion loss (Eq. 9).
    #[arg(long, value_name = "N", default_value_t = 1e-3)]
    pub rho: f64,
    /// s: every s-th of the 100 steps is visited in the reverse pass.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub stride: usize,
    /// Dropout probability on h in the forward process and on the noise predictor's state.
    #[arg(long, value_name = "N", default_value_t = 0.5)]
    pub dropout: f64,
    /// Standard deviation of the side tables' initial values.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub side_std: f64,
    /// Side values that fewer old items have count as unknown.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub min_count: usize,
    /// Decides everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl WarmOptions {
    fn check(&self) -> Result<()> {
        let &Self { epochs, patience, batch, lr, weight_decay, .. } = self;
        check(epochs > 0, "epochs", || "0: nothing would be learned".into())?;
        check(patience > 0, "patience", || "0: training could not begin".into())?;
        check(batch > 0, "batch", || "0 items".into())?;
        check(lr > 0.0 && lr.is_finite(), "lr", || format!("{lr} is not above 0"))?;
        check(weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", || {
            format!("{weight_decay} is not a number from 0 on")
        })
    }

    fn csdm(&self) -> CsdmConfig {
        CsdmConfig {
            name: "csdm".into(),
            coefficient: Coefficient::SqrtC,
            diffusion: true,
            timesteps: 100,
            beta: 1e-5,
            stride: self.stride,
            rho: self.rho,
            train_denoiser: true,
            denoiser_dropout: self.dropout,
            side_dropout: self.dropout,
            dropout_at_generation: false,
            side: SideChoice::FeaturesOnly,
            frequency: FREQUENCY.into(),
            iters: 1,
            epochs: self.epochs,
            warm_epochs: 0,
            keep_finetuned: false,
        }
    }
}

/// What [`warm`] made.
#[derive(Clone, Debug, PartialEq)]
pub struct Warmed {
    /// The new items' embeddings `[new, d]`, row-major, in the items' order.
    pub vectors: Vec<f32>,
    /// How well held-out old items' embeddings were met.
    pub report: Report,
}

/// Generates the new items' embeddings. A first generator, which does not learn from the held-out items, decides how many
/// epochs are best and gives the report; a second one learns from all old items for as long.
pub fn warm(
    items: &Items,
    embeddings: &Embeddings,
    options: &WarmOptions,
    progress: &dyn Progress,
) -> Result<Warmed> {
    options.check()?;
    let trained = Trained::new(items, embeddings)?;
    let mut old = items.which(false);
    ensure!(
        old.len() >= 10,
        "{}: {} old items are too few to learn from: at least 10 are needed",
        items.file.display(),
        old.len()
    );
    old.shuffle(&mut rng::stream(options.seed, "warm.hold_out"));
    let held = (old.len() as f64 * HELD_OUT).ceil() as usize;
    let (test, rest) = old.split_at(held);
    let (stop, learn) = rest.split_at(held);

    let mut first = Learner::new(items, &trained, learn, options)?;
    let (epochs, passes) = first.train("choose the epochs", learn, options, Some(stop), progress)?;
    let made = first.generate(test)?;
    let held_out = HeldOut::new(&made, &trained.values(test), &trained.values(learn), embeddings.dim);
    let mut last = Learner::new(items, &trained, &old, options)?;
    let until = WarmOptions { epochs, ..options.clone() };
    last.train("train on all", &old, &until, None, progress)?;
    let new = items.which(true);
    let vectors = last.generate(&new)?;
    let report = Report { old: old.len(), new: new.len(), epochs, passes, held_out };
    Ok(Warmed { vectors, report })
}

/// The trained embeddings by item number.
struct Trained {
    /// `[items, d]`; 0 for new items.
    matrix: Tensor,
}

impl Trained {
    fn new(items: &Items, embeddings: &Embeddings) -> Result<Self> {
        let vectors = embeddings.trained(items)?;
        let mut all = vec![0.0f32; items.len() * embeddings.dim];
        for (i, vector) in items.which(false).into_iter().zip(vectors.chunks(embeddings.dim)) {
            let at = i as usize * embeddings.dim;
            all[at..at + embeddings.dim].copy_from_slice(vector);
        }
        let matrix = Tensor::from_slice(&all).reshape([-1, embeddings.dim as i64]);
        Ok(Self { matrix })
    }

    fn rows(&self, items: &[u32]) -> Tensor {
        let ids: Vec<i64> = items.iter().map(|i| i64::from(*i)).collect();
        self.matrix.index_select(0, &Tensor::from_slice(&ids))
    }

    fn values(&self, items: &[u32]) -> Vec<f32> {
        to_vec(&self.rows(items))
    }
}

/// A generator with the data it sees, and the scale of the embeddings it learns.
struct Learner<'a> {
    csdm: Csdm,
    trained: &'a Trained,
    all: Feed,
    /// Mean of every dimension, `[d]`, and one deviation for all: a dimension that varies more matters more.
    mean: Tensor,
    deviation: f64,
}

impl<'a> Learner<'a> {
    fn new(items: &Items, trained: &'a Trained, learn: &[u32], options: &WarmOptions) -> Result<Self> {
        let data = dataset(items, learn, options.min_count)?;
        let rows = trained.rows(learn);
        let mean = rows.mean_dim([0].as_slice(), false, Kind::Float);
        let deviation = (&rows - &mean).square().mean(Kind::Double).double_value(&[]).sqrt();
        ensure!(deviation > 0.0, "the trained embeddings are all the same: there is nothing to learn");
        let dim = trained.matrix.size()[1] as usize;
        let mut csdm = Csdm::new(&options.csdm(), &data.schema, dim, Build::cpu(options.seed))?;
        let mut tables = csdm.weights().tables.state();
        tables.values_mut().for_each(|t| *t = &*t * options.side_std);
        csdm.weights().tables.load(&tables, "")?;
        Ok(Self { csdm: csdm, trained, all: Feed::new(data, Vec::new()), mean, deviation })
    }

    fn feed(&self, items: &[u32]) -> Feed {
        Feed::new(self.all.data().clone(), items.to_vec())
    }

    /// The epochs that were best for `stop` (all of them without it), and those that were tried.
    fn train(
        &mut self,
        what: &str,
        learn: &[u32],
        options: &WarmOptions,
        stop: Option<&[u32]>,
        progress: &dyn Progress,
    ) -> Result<(usize, usize)> {
        let mut optimizer =
            Optimizer::new(OptimSpec::adam(options.lr, options.weight_decay), self.csdm.weights());
        let mut shuffle = rng::stream(options.seed, "warm.shuffle");
        let epochs = Epochs { epochs: options.epochs, batch: options.batch, iters: 1 };
        let mut score = |learner: &mut &mut Self| match stop {
            Some(stop) => Ok(-learner.error(stop)?),
            None => Ok(0.0),
        };
        let stopping = Stopping {
            patience: options.patience,
            score: &mut score,
            snapshot: |learner| learner.csdm.weights().state(),
            restore: |learner, state| learner.csdm.weights().load(state, ""),
        };
        let feed = self.feed(learn);
        let done = fit(
            what,
            &mut &mut *self,
            &feed,
            epochs,
            &mut shuffle,
            progress,
            |learner, batch, _| {
                let target = (learner.trained.rows(&batch.ids[0].ids) - &learner.mean) / learner.deviation;
                let csdm = &mut learner.csdm;
                let embedded = csdm.weights().tables.embed(batch);
                let draws = csdm.draw(batch.rows);
                let loss = csdm.regression_loss(batch, &embedded, &target, &draws, true)?;
                optimizer.step(&loss, csdm.weights())?;
                Ok(loss)
            },
            stop.map(|_| stopping),
        )?;
        let best = done.scores.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
        Ok((best.map_or(options.epochs, |(epoch, _)| epoch + 1), done.losses.len()))
    }

    /// Mean squared error of generated embeddings, in their own units.
    fn error(&mut self, items: &[u32]) -> Result<f64> {
        Ok(super::report::squared_error(&self.generate(items)?, &self.trained.values(items)))
    }

    /// `[items, d]`, row-major.
    fn generate(&mut self, items: &[u32]) -> Result<Vec<f32>> {
        let _guard = tch::no_grad_guard();
        let mut out = Vec::new();
        for batch in self.feed(items).in_order(GENERATION_BATCH) {
            let csdm = &mut self.csdm;
            let embedded = csdm.weights().tables.embed(&batch);
            let made = csdm.generate(&batch, &embedded)? * self.deviation + &self.mean;
            out.extend(to_vec(&made.to_device(Device::Cpu)));
        }
        Ok(out)
    }
}
