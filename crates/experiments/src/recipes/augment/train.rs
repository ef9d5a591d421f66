//! Training of a net on true rows.
use super::settings::{StopBy, Training};
use anyhow::{Context, Result};
use scenarec_train::{
    Batch, Epochs, Feed, Net, Optimizer, Progress, State, Stopping, Trained, fit, metrics, predict, rng::Rng,
};
use tch::Tensor;

/// Rows per batch of an evaluation; no result depends on it.
const EVALUATION_BATCH: usize = 8192;

/// What steps change.
type Learner<'a> = (&'a mut Net, Optimizer);

/// Trains what is not frozen of a net on `train` until it predicts `valid` no better.
pub(super) fn supervised(
    what: &str,
    net: &mut Net,
    train: &Feed,
    valid: &Feed,
    training: &Training,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Trained> {
    let optimizer = Optimizer::new(training.optim, &mut net.weights);
    let epochs = Epochs { epochs: training.epochs, batch: training.batch, iters: 1 };
    let step = |(net, optimizer): &mut Learner<'_>, batch: &Batch, _: usize| -> Result<Tensor> {
        let loss = net.loss(batch);
        optimizer.step(&loss, &mut net.weights)?;
        Ok(loss)
    };
    let mut score = |(net, _): &mut Learner<'_>| score(net, valid, training.stop_by);
    let stopping = Stopping {
        patience: training.patience,
        keep_last: false,
        score: &mut score,
        snapshot: |(net, _): &mut Learner<'_>| net.weights.state(),
        restore: |(net, _): &mut Learner<'_>, state: &State| net.weights.load(state, ""),
    };
    fit(what, &mut (net, optimizer), train, epochs, rng, progress, step, Some(stopping))
}

/// How well a net predicts some rows, higher is better.
pub(super) fn score(net: &mut Net, rows: &Feed, by: StopBy) -> Result<f64> {
    let (logits, labels) = predictions(net, rows)?;
    match by {
        StopBy::Auc => metrics::auc(&logits, &labels)?.context("the validation rows are all of one class"),
        StopBy::Logloss => Ok(-metrics::logloss(&logits, &labels)?.context("there are no validation rows")?),
    }
}

/// Logits and labels of some rows.
pub(super) fn predictions(net: &mut Net, rows: &Feed) -> Result<(Vec<f32>, Vec<u8>)> {
    let logits = predict(net, rows, EVALUATION_BATCH)?.remove(0);
    Ok((logits, rows.labels(0)))
}
