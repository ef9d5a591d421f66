//! The one training loop: epochs of batches through a step of the caller's own.
use crate::{
    batch::Batch,
    checkpoint::{Carrier, Resumable},
    feed::Feed,
    memory,
    net::Net,
    params::State,
    progress::Progress,
    rng::Rng,
};
use anyhow::{Context, Result, bail, ensure};
use std::time::Instant;
use tch::{Device, Tensor};

/// How often and in which portions the rows are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// Passes over the rows.
    pub epochs: usize,
    /// Rows per batch.
    pub batch: usize,
    /// Consecutive steps on each batch.
    pub iters: usize,
}

/// When to stop early, and what to go back to.
pub struct Stopping<'a, S> {
    /// Epochs without a better score after which training stops.
    pub patience: usize,
    /// What remains where training was not stopped: the last epoch's state instead of the best one's.
    pub keep_last: bool,
    /// Called at the end of every epoch: a score on validation rows, higher is better.
    pub score: &'a mut dyn FnMut(&mut S) -> Result<f64>,
    /// A copy of what is trained.
    pub snapshot: fn(&mut S) -> State,
    /// Goes back to a copy.
    pub restore: fn(&mut S, &State) -> Result<()>,
}

impl<'a> Stopping<'a, Net> {
    /// When the training of a net stops: after `patience` epochs without a better `score`, higher is better, with the best
    /// epoch's net.
    pub fn of_net(patience: usize, score: &'a mut dyn FnMut(&mut Net) -> Result<f64>) -> Self {
        let snapshot = |net: &mut Net| net.weights.state();
        let restore = |net: &mut Net, state: &State| net.weights.load(state, "");
        Self { patience, keep_last: false, score, snapshot, restore }
    }
}

/// What a loop did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trained {
    /// Optimiser steps taken.
    pub steps: u64,
    /// Rows seen, counted once per step.
    pub samples: u64,
    /// Wall time, validation included; of a loop that was resumed the time of all its parts, up to the checkpoint where a part
    /// was cut off.
    pub seconds: f64,
    /// Mean loss of every epoch.
    pub losses: Vec<f64>,
    /// Validation score of every epoch, where there is one.
    pub scores: Vec<f64>,
}

/// Trains `subject`: for every batch of `feed`, reshuffled by `rng` each epoch, `step` takes `epochs.iters` optimiser
/// steps, each returning its loss (a scalar). A loss that is NaN or infinite ends the run with an error. With `stopping`,
/// the best epoch's state is what remains, unless it says otherwise.
///
/// Where `progress` keeps checkpoints, the loop goes on from its own, or is passed over where it has ended: so whatever steps
/// and scores change belongs to `subject`.
///
/// # Errors
/// No rows, an empty batch or no step; rows that cannot be read; errors of `step` and of the score; a loss that is no finite number,
/// with epoch and step; a score that is NaN.
pub fn fit<S: Resumable>(
    what: &str,
    subject: &mut S,
    feed: &Feed,
    epochs: Epochs,
    rng: &mut Rng,
    progress: &dyn Progress,
    mut step: impl FnMut(&mut S, &Batch, usize) -> Result<Tensor>,
    mut stopping: Option<Stopping<'_, S>>,
) -> Result<Trained> {
    ensure!(!feed.rows().is_empty(), "{what}: there are no rows to train on");
    ensure!(epochs.batch > 0 && epochs.iters > 0, "{what}: a batch needs a row and a step, not {epochs:?}");
    memory::keep_freed();
    progress.begin(what, epochs.epochs as u64 * feed.batches(epochs.batch) * epochs.iters as u64);
    let start = Instant::now();
    let mut at = Position::new(rng);
    let checkpoint = progress.checkpoints().map(|all| all.next_loop(what));
    if let Some(checkpoint) = &checkpoint
        && checkpoint.resume(&mut (&mut *subject, &mut at))?
    {
        *rng = at.rng.clone();
        progress.advance(at.done.steps);
        tracing::info!("{what}: resumed {at}");
        if at.ended {
            return Ok(at.done);
        }
    }
    let before = at.done.seconds;
    for epoch in at.epoch..epochs.epochs {
        at.rng = rng.clone();
        let mut batches = feed.shuffled(epochs.batch, rng);
        batches.pass_over(at.batches).with_context(|| format!("{what}, epoch {epoch}"))?;
        for batch in batches {
            let batch = batch.with_context(|| format!("{what}, epoch {epoch}"))?;
            for iteration in 0..epochs.iters {
                let loss = step(subject, &batch, iteration)
                    .with_context(|| format!("{what}, step {}", at.done.steps))?;
                at.mean
                    .add(&loss)
                    .with_context(|| format!("{what}, epoch {epoch}, step {}", at.done.steps))?;
                at.done.steps += 1;
                at.done.samples += batch.rows as u64;
                progress.advance(1);
            }
            at.batches += 1;
            if let Some(checkpoint) = checkpoint.as_ref().filter(|c| c.is_due()) {
                at.done.seconds = before + start.elapsed().as_secs_f64();
                checkpoint.write(&mut (&mut *subject, &mut at))?;
            }
        }
        let mean = std::mem::take(&mut at.mean).value();
        at.done.losses.push(mean.with_context(|| format!("{what}, epoch {epoch}"))?);
        (at.epoch, at.batches) = (epoch + 1, 0);
        if let Some(stopping) = &mut stopping {
            let score = (stopping.score)(subject)?;
            ensure!(!score.is_nan(), "{what}, epoch {epoch}: the validation score is NaN");
            at.done.scores.push(score);
            if at.best.as_ref().is_none_or(|(b, _)| score > *b) {
                at.best = Some((score, (stopping.snapshot)(subject)));
                at.waited = 0;
            } else {
                at.waited += 1;
                if at.waited >= stopping.patience {
                    at.ended = true;
                    break;
                }
            }
        }
    }
    if let (Some(stopping), Some((_, state))) = (&stopping, &at.best.take())
        && (at.ended || !stopping.keep_last)
    {
        (stopping.restore)(subject, state)?;
    }
    at.ended = true;
    at.done.seconds = before + start.elapsed().as_secs_f64();
    if let Some(checkpoint) = checkpoint.filter(|c| c.keeps_end()) {
        at.rng = rng.clone();
        checkpoint.write(&mut (subject, &mut at))?;
    }
    Ok(at.done)
}

/// How far a loop is.
struct Position {
    /// Epochs that are over, and batches of the one that is not.
    epoch: usize,
    batches: u64,
    /// What shuffles the epoch's rows, as it was before it did; at the end of the loop what is left of it.
    rng: Rng,
    mean: MeanLoss,
    done: Trained,
    best: Option<(f64, State)>,
    /// Epochs since the best one.
    waited: usize,
    ended: bool,
}

impl Position {
    fn new(rng: &Rng) -> Self {
        let (mean, done) = (MeanLoss::default(), Trained::default());
        Self { epoch: 0, batches: 0, rng: rng.clone(), mean, done, best: None, waited: 0, ended: false }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epoch, batches, done: Trained { steps, .. }, .. } = self;
        match self.ended {
            true => write!(f, "at its end, after {steps} steps"),
            false => write!(f, "in epoch {epoch} behind batch {batches}, after {steps} steps"),
        }
    }
}

impl Resumable for Position {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        carrier.count("epoch", &mut self.epoch)?;
        carrier.number("batches", &mut self.batches)?;
        carrier.part("rng", &mut self.rng)?;
        carrier.part("mean", &mut self.mean)?;
        let Trained { steps, samples, seconds, losses, scores } = &mut self.done;
        carrier.number("steps", steps)?;
        carrier.number("samples", samples)?;
        carrier.number("seconds", seconds)?;
        carrier.list("losses", losses)?;
        carrier.list("scores", scores)?;
        let mut score: Vec<f64> = self.best.iter().map(|(score, _)| *score).collect();
        carrier.list("best.score", &mut score)?;
        if let Some(score) = score.first() {
            let (own, state) = self.best.get_or_insert_default();
            *own = *score;
            carrier.tensors("best", state)?;
        }
        carrier.count("waited", &mut self.waited)?;
        carrier.flag("ended", &mut self.ended)
    }
}

/// Sums losses; on a GPU without making the host wait before the epoch ends.
#[derive(Default)]
struct MeanLoss {
    host: f64,
    device: Option<Tensor>,
    n: u64,
}

impl MeanLoss {
    fn add(&mut self, loss: &Tensor) -> Result<()> {
        self.n += 1;
        let loss = loss.detach();
        if loss.device() == Device::Cpu {
            self.host += finite(loss.double_value(&[]))?;
        } else {
            self.device = Some(match self.device.take() {
                Some(sum) => sum + loss,
                None => loss,
            });
        }
        Ok(())
    }

    fn value(self) -> Result<f64> {
        let device = self.device.map_or(Ok(0.0), |sum| finite(sum.double_value(&[])))?;
        Ok((self.host + device) / self.n as f64)
    }
}

impl Resumable for MeanLoss {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        let Self { host, device, n } = self;
        carrier.number("host", host)?;
        carrier.number("n", n)?;
        // The next loss takes the sum to its own device.
        let mut sum: State = device.take().into_iter().map(|sum| ("sum".into(), sum)).collect();
        carrier.tensors("device", &mut sum)?;
        *device = sum.remove("sum");
        Ok(())
    }
}

fn finite(loss: f64) -> Result<f64> {
    if loss.is_finite() {
        return Ok(loss);
    }
    bail!("the loss is {loss}; lower the learning rate, or check the data for extreme values")
}
