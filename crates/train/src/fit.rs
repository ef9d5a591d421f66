//! The one training loop: epochs of batches through a step of the caller's own.
use crate::{batch::Batch, feed::Feed, memory, net::Net, params::State, progress::Progress, rng::Rng};
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
    /// Wall time, validation included.
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
/// # Errors
/// No rows, an empty batch or no step; rows that cannot be read; errors of `step` and of the score; a loss that is no finite number,
/// with epoch and step; a score that is NaN.
pub fn fit<S>(
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
    let mut done = Trained::default();
    let mut best: Option<(f64, State)> = None;
    let mut waited = 0;
    let mut stopped = false;
    for epoch in 0..epochs.epochs {
        let mut mean = MeanLoss::default();
        for batch in feed.shuffled(epochs.batch, rng) {
            let batch = batch.with_context(|| format!("{what}, epoch {epoch}"))?;
            for iteration in 0..epochs.iters {
                let loss = step(subject, &batch, iteration)
                    .with_context(|| format!("{what}, step {}", done.steps))?;
                mean.add(&loss).with_context(|| format!("{what}, epoch {epoch}, step {}", done.steps))?;
                done.steps += 1;
                done.samples += batch.rows as u64;
                progress.advance(1);
            }
        }
        done.losses.push(mean.value().with_context(|| format!("{what}, epoch {epoch}"))?);
        if let Some(stopping) = &mut stopping {
            let score = (stopping.score)(subject)?;
            ensure!(!score.is_nan(), "{what}, epoch {epoch}: the validation score is NaN");
            done.scores.push(score);
            if best.as_ref().is_none_or(|(b, _)| score > *b) {
                best = Some((score, (stopping.snapshot)(subject)));
                waited = 0;
            } else {
                waited += 1;
                if waited >= stopping.patience {
                    stopped = true;
                    break;
                }
            }
        }
    }
    if let (Some(stopping), Some((_, state))) = (&stopping, &best)
        && (stopped || !stopping.keep_last)
    {
        (stopping.restore)(subject, state)?;
    }
    done.seconds = start.elapsed().as_secs_f64();
    Ok(done)
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

fn finite(loss: f64) -> Result<f64> {
    if loss.is_finite() {
        return Ok(loss);
    }
    bail!("the loss is {loss}; lower the learning rate, or check the data for extreme values")
}
