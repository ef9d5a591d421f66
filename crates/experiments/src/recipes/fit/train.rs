//! Training of one model on the rows of its scope.
use super::{
    evaluate::{Cell, cells},
    settings::{Data, How, Keep, Loss, Mode, Outer, Part, StopBy},
};
use crate::job::{Job, JobContext};
use crate::models::of_config;
use anyhow::{Context, Result};
use scenarec_data::{Dataset, Schema, Splits};
use scenarec_train::{
    Backend, Batch, Build, Carrier, Epochs, Feed, Mode as Frozen, Net, Optimizer, Resumable, Scope, Stopping,
    fit, labels, metrics, metrics::statistics::mean, predict, rng, scenario_weights, weighted_bce,
};
use std::sync::Arc;
use tch::{Device, Tensor};

/// Rows per batch of an evaluation; no result depends on it.
const EVALUATION_BATCH: usize = 4096;

/// One model, and the rows it is for.
pub(in crate::recipes) struct Scoped<'a> {
    how: &'a How,
    seed: u64,
    /// Domains and tasks by name.
    name: String,
    net: Net,
    /// Globs of the outer parameters that the model has; empty where they are learned with the others.
    outer_globs: Vec<&'static str>,
    train: Feed,
    valid: Feed,
    all_valid: Feed,
    test: Feed,
    device: Device,
}

/// What a step is cut into.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    /// Whether the model has several domains and tasks.
    pub several: bool,
    pub micro_batch: usize,
    pub device: Device,
}

/// What an epoch works on.
struct Learner<'a> {
    net: &'a mut Net,
    main: Optimizer,
    outer: Option<Optimizer>,
    /// Shuffles the outer steps' rows.
    outer_rng: rng::Rng,
}

impl Resumable for Learner<'_> {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.part("net", self.net)?;
        carrier.part("main", &mut self.main)?;
        carrier.part("outer", &mut self.outer)?;
        carrier.part("outer_rng", &mut self.outer_rng)
    }
}

impl<'a> Scoped<'a> {
    pub fn new(
        job: &Job,
        how: &'a How,
        data: &Arc<Dataset>,
        splits: &Splits,
        scope: Scope,
        device: Device,
    ) -> Result<Self> {
        let name = scope.name(&data.schema);
        // Models of one run differ in their initial values.
        let seed = rng::derive(job.seed, &name);
        let build = Build { seed, device, backend: Backend::for_device(device) };
        let net = crate::models::build(&scope.schema(&data.schema), &job.model, build)?;
        let entry = of_config(&job.model)?;
        let names = net.weights.names();
        let has = |glob: &str| scenarec_train::params::Selection::new(&[glob])?.split(names.clone());
        let outer = if how.outer.is_some() { entry.outer } else { &[] };
        let outer_globs = outer.iter().copied().filter(|glob| has(glob).is_ok()).collect();
        let left_out = how.without.iter().map(|s| scenario(&data.schema, s)).collect::<Result<Vec<u16>>>()?;
        let feed = |part: &str, learned: bool| -> Result<Feed> {
            let rows =
                splits.get(part).with_context(|| format!("{} has no split part {part:?}", data.name))?;
            let wanted = |r: &u32| !(learned && left_out.contains(&data.scenario[*r as usize]));
            let rows: Vec<u32> = rows.iter().copied().filter(wanted).collect();
            Ok(Feed::scoped(data.clone(), &rows, &scope))
        };
        // What is evaluated is evaluated on all scenarios; what is learned from and stopped by is not.
        let (train, valid, test) = (feed("train", true)?, feed("valid", true)?, feed("test", false)?);
        let all_valid = feed("valid", false)?;
        Ok(Self { how, seed, name, net, outer_globs, train, valid, all_valid, test, device })
    }

    /// Trains and records how it went.
    pub fn train(&mut self, context: &mut JobContext<'_>) -> Result<()> {
        let How { training, outer, stop_by, lr_decay, .. } = *self.how;
        let mode = outer.map_or(Mode::Joint, |outer| outer.mode);
        let apart = match mode {
            Mode::Bilevel | Mode::Fixed => &self.outer_globs[..],
            Mode::Joint => &[],
        };
        let frozen = self.net.weights.freeze(apart, Frozen::Train)?;
        let main = Optimizer::new(training.optim, &mut self.net.weights);
        let frozen = (mode == Mode::Fixed).then_some(frozen);
        let outer = outer.filter(|_| mode != Mode::Fixed && !self.outer_globs.is_empty());
        let optimizer =
            |outer: &Outer| Optimizer::of_parameters(outer.optim, &self.net.weights, &self.outer_globs);
        let outer_optimizer = outer.as_ref().map(optimizer).transpose()?;

        let scope = self.train.scope();
        let several = scope.scenarios.len() > 1 && scope.tasks.len() > 1;
        let how = Pieces { several, micro_batch: training.micro_batch, device: self.device };
        let valid = self.valid.clone();
        let train = &self.train;
        let mut end_of_epoch = |learner: &mut Learner<'_>| {
            if let (Some(optimizer), Some(outer)) = (&mut learner.outer, &outer) {
                let rows = if outer.data == Data::Train { train } else { &valid };
                for batch in rows.shuffled(training.batch, &mut learner.outer_rng).take(outer.steps) {
                    let _loss = step(learner.net, optimizer, &batch?, outer.loss, how, false)?;
                }
            }
            learner.main.set_lr(learner.main.lr() * lr_decay);
            score(learner.net, &valid, stop_by)
        };
        let outer_rng = rng::stream(self.seed, "outer");
        let mut learner = Learner { net: &mut self.net, main, outer: outer_optimizer, outer_rng };
        let epochs = Epochs { epochs: training.epochs, batch: training.batch, iters: 1 };
        let trained = fit(
            &format!("train {}", self.name),
            &mut learner,
            &self.train,
            epochs,
            &mut rng::stream(self.seed, "shuffle.train"),
            context.progress,
            |learner, batch, _| step(learner.net, &mut learner.main, batch, training.loss, how, true),
            (stop_by != StopBy::Never).then_some(Stopping {
                patience: training.patience,
                keep_last: training.keep == Keep::Last,
                score: &mut end_of_epoch,
                snapshot: |learner| learner.net.weights.state(),
                restore: |learner, state| learner.net.weights.load(state, ""),
            }),
        )?;
        drop(frozen);
        let mut numbers = vec![
            ("seconds", trained.seconds),
            ("samples_per_second", trained.samples as f64 / trained.seconds),
            ("epochs", trained.losses.len() as f64),
        ];
        numbers.extend(trained.scores.iter().copied().max_by(f64::total_cmp).map(|best| ("valid_auc", best)));
        let rows = self.train.rows().len() as u64;
        for (metric, value) in numbers {
            context.recorder.record(metric, value, |m| {
                m.stage = "train".into();
                m.phase = self.name.clone();
                m.rows = rows;
            })?;
        }
        context.recorder.curve("train", &self.name, &trained)?;
        for (name, value) in self.net.fusion_weights() {
            context.recorder.record("fusion_weight", value, |m| {
                m.stage = "train".into();
                m.phase = name;
            })?;
        }
        Ok(())
    }

    /// The model.
    pub fn net(&mut self) -> &mut Net {
        &mut self.net
    }

    /// Predictions for validation or test rows.
    pub(super) fn predict(&mut self, part: Part) -> Result<Vec<Cell>> {
        let rows = match part {
            Part::Valid => &self.all_valid,
            Part::Test => &self.test,
        };
        let logits = predict(&mut self.net, rows, EVALUATION_BATCH)?;
        Ok(cells(rows, &logits))
    }
}

pub(super) fn score(net: &mut Net, rows: &Feed, by: StopBy) -> Result<f64> {
    let logits = predict(net, rows, EVALUATION_BATCH)?;
    let aucs: Result<Vec<f64>> = match by {
        StopBy::MeanAuc => cells(rows, &logits).iter().map(Cell::auc).collect(),
        StopBy::PooledAuc | StopBy::Never => rows
            .scope()
            .tasks
            .iter()
            .zip(&logits)
            .map(|(task, logits)| {
                let labels = &rows.data().labels[*task];
                let labels: Vec<u8> = rows.rows().iter().map(|r| labels[*r as usize]).collect();
                metrics::auc(logits, &labels)?.context("all rows are of one class, or there are none")
            })
            .collect(),
    };
    mean(&aucs.context("validation rows")?).context("there are no validation rows")
}

/// The number of a scenario.
pub(super) fn scenario(schema: &Schema, name: &str) -> Result<u16> {
    let place = schema.scenarios.iter().position(|s| s == name);
    let place =
        place.with_context(|| format!("no scenario is called {name:?} ({})", schema.scenarios.join(", ")));
    Ok(place? as u16)
}

/// What a row counts in the loss.
fn row_weights(batch: &Batch, loss: Loss, several: bool) -> Vec<f32> {
    match loss {
        Loss::Heads => scenario_weights(batch),
        Loss::Mean => vec![1.0 / batch.labels.len() as f32; batch.rows],
        Loss::Released => row_weights(batch, if several { Loss::Heads } else { Loss::Mean }, several),
    }
}

/// One step of `optimizer` on a batch; `track` says whether tables learn. Returns the loss.
pub(super) fn step(
    net: &mut Net,
    optimizer: &mut Optimizer,
    batch: &Batch,
    loss: Loss,
    how: Pieces,
    track: bool,
) -> Result<Tensor> {
    let Pieces { several, micro_batch, device } = how;
    let piece = if device == Device::Cpu { micro_batch } else { batch.rows };
    let weights = row_weights(batch, loss, several);
    let mut sum = Tensor::zeros([] as [i64; 0], (tch::Kind::Float, device));
    for (rows, piece) in batch.split(piece) {
        let weights: Vec<f32> = rows.iter().map(|b| weights[*b]).collect();
        let weights = Tensor::from_slice(&weights).to_device(device);
        let x = net.weights.tables.embed_with(&piece, track, None);
        let output = net.forward(&x, true);
        let share = piece.rows as f64 / batch.rows as f64;
        let bce = weighted_bce(&output.logits, &labels(&piece, device), &weights);
        let loss = output.aux.iter().fold(bce, |sum, (_, aux)| sum + aux * share);
        optimizer.accumulate(&loss, &mut net.weights)?;
        sum += loss.detach();
    }
    optimizer.apply(&mut net.weights)?;
    Ok(sum)
}
