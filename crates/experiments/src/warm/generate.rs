//! Training CSDM's generator on trained embeddings, and generating the new items'.
use super::{
    embeddings::Embeddings,
    features::dataset,
    items::Items,
    options::WarmOptions,
    report::{Choice, HeldOut, Report},
};
use anyhow::{Result, ensure};
use rand::seq::SliceRandom;
use scenarec_data::Dataset;
use scenarec_diffusion::Csdm;
use scenarec_train::{
    Build, Carrier, Epochs, Feed, OptimSpec, Optimizer, Progress, Resumable, Stopping, cold::Generator, fit,
    rng, to_vec,
};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// The share of old items that is held out to report on.
const HELD_OUT: f64 = 0.1;
/// Items per batch while nothing is trained; no result depends on it.
const GENERATION_BATCH: usize = 4096;

/// What [`warm`] made.
#[derive(Clone, Debug, PartialEq)]
pub struct Warmed {
    /// The new items' embeddings `[new, d]`, row-major, in the items' order.
    pub vectors: Vec<f32>,
    /// How well held-out old items' embeddings were met.
    pub report: Report,
}

/// Generates the new items' embeddings. Generators that do not learn from one of the folds each decide for how many
/// epochs to train and how far to trust the result; one that does so is measured on held-out items, which none of them
/// saw; one that learns from all old items in the same way makes the new ones'.
pub fn warm(
    items: &Items,
    embeddings: &Embeddings,
    options: &WarmOptions,
    progress: &dyn Progress,
) -> Result<Warmed> {
    options.check()?;
    let trained = Trained::new(items, embeddings)?;
    let mut old = items.which(false);
    let needed = 10.max(2 * options.folds);
    ensure!(
        old.len() >= needed,
        "{}: {} old items are too few to learn from: at least {needed} are needed",
        items.file.display(),
        old.len()
    );
    old.shuffle(&mut rng::stream(options.seed, "warm.hold_out"));
    let (test, rest) = old.split_at((old.len() as f64 * HELD_OUT).ceil() as usize);

    let choice = choose(items, &trained, rest, options, progress)?;
    let made = follow(&choice, items, &trained, rest, options, progress)?.generate(test)?;
    let held_out = HeldOut::new(&made, &trained.values(test), &trained.values(rest), embeddings.dim);
    let new = items.which(true);
    let vectors = follow(&choice, items, &trained, &old, options, progress)?.generate(&new)?;
    let report = Report { old: old.len(), new: new.len(), choice, held_out };
    Ok(Warmed { vectors, report })
}

/// Trains on all but one fold of `rest` at a time.
fn choose(
    items: &Items,
    trained: &Trained,
    rest: &[u32],
    options: &WarmOptions,
    progress: &dyn Progress,
) -> Result<Choice> {
    let mut best = Vec::new();
    let (mut along, mut length) = (0.0, 0.0);
    for fold in 0..options.folds {
        let part =
            |held: bool| rest.iter().enumerate().filter(move |(i, _)| (i % options.folds == fold) == held);
        let (held, learn): (Vec<u32>, Vec<u32>) =
            (part(true).map(|(_, i)| *i).collect(), part(false).map(|(_, i)| *i).collect());
        let mut learner = Learner::new(items, trained, &learn, options)?;
        best.push(learner.train(&format!("fold {fold}"), &learn, options, Some(&held), progress)?);
        let made = Tensor::from_slice(&learner.generate(&held)?).reshape_as(&trained.rows(&held));
        let (made, wanted) = (made - &learner.mean, trained.rows(&held) - &learner.mean);
        along += (&made * wanted).sum(Kind::Double).double_value(&[]);
        length += made.square().sum(Kind::Double).double_value(&[]);
    }
    best.sort_unstable();
    let strength = if length > 0.0 { (along / length).clamp(0.0, 1.0) } else { 0.0 };
    Ok(Choice { epochs: best[best.len() / 2], strength })
}

/// A generator trained on `learn` as was chosen.
fn follow<'a>(
    choice: &Choice,
    items: &Items,
    trained: &'a Trained,
    learn: &[u32],
    options: &WarmOptions,
    progress: &dyn Progress,
) -> Result<Learner<'a>> {
    let mut learner = Learner::new(items, trained, learn, options)?;
    let options = WarmOptions { epochs: choice.epochs, ..options.clone() };
    learner.train("train", learn, &options, None, progress)?;
    learner.strength = choice.strength;
    Ok(learner)
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
    data: Arc<Dataset>,
    /// Mean of every dimension, `[d]`, and one deviation for all: a dimension that varies more matters more.
    mean: Tensor,
    deviation: f64,
    /// How far to go from the mean to what is generated, 0 to 1.
    strength: f64,
}

impl Resumable for Learner<'_> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.csdm.weights().carry(carrier)
    }
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
        Ok(Self { csdm, trained, data, mean, deviation, strength: 1.0 })
    }

    fn feed(&self, items: &[u32]) -> Feed {
        Feed::new(self.data.clone(), items.to_vec())
    }

    /// The number of epochs that was best for `stop`; all of them without it.
    fn train(
        &mut self,
        what: &str,
        learn: &[u32],
        options: &WarmOptions,
        stop: Option<&[u32]>,
        progress: &dyn Progress,
    ) -> Result<usize> {
        let optimizer =
            Optimizer::new(OptimSpec::adam(options.lr, options.weight_decay), self.csdm.weights());
        let mut shuffle = rng::stream(options.seed, "warm.shuffle");
        let epochs = Epochs { epochs: options.epochs, batch: options.batch, iters: 1 };
        let mut score = |(learner, _): &mut (&mut Self, Optimizer)| match stop {
            Some(stop) => Ok(-learner.error(stop)?),
            None => Ok(0.0),
        };
        let stopping = Stopping {
            keep_last: false,
            patience: options.patience,
            score: &mut score,
            snapshot: |(learner, _)| learner.csdm.weights().state(),
            restore: |(learner, _), state| learner.csdm.weights().load(state, ""),
        };
        let feed = self.feed(learn);
        let done = fit(
            what,
            &mut (&mut *self, optimizer),
            &feed,
            epochs,
            &mut shuffle,
            progress,
            |(learner, optimizer), batch, _| {
                // The first field's ids are the items' numbers.
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
        Ok(best.map_or(options.epochs, |(epoch, _)| epoch + 1))
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
            let batch = batch?;
            let csdm = &mut self.csdm;
            let embedded = csdm.weights().tables.embed(&batch);
            let made = csdm.generate(&batch, &embedded)? * (self.deviation * self.strength) + &self.mean;
            out.extend(to_vec(&made.to_device(Device::Cpu)));
        }
        Ok(out)
    }
}
