//! What it takes to train a model of one's own on the libraries alone: rows, the model, the loop, and what is measured.
mod two_towers;

use anyhow::{Context, Result};
use scenarec_data::{DatasetConfig, Override, Prepared, Provenance, Roots};
use scenarec_train::{
    Epochs, Feed, Net, OptimSpec, Optimizer, Progress, Stopping, fit, metrics, predict, rng::stream,
};
use std::{path::Path, sync::Arc};
use two_towers::TwoTowers;

/// Rows per batch.
const BATCH: usize = 256;

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What the rows are.
    pub provenance: Provenance,
    /// Validation AUC after every epoch; the best one's net is the one that was saved and tested.
    pub valid: Vec<f64>,
    /// AUC on the test rows.
    pub auc: f64,
    /// Logloss on the test rows, in nats per row.
    pub logloss: f64,
}

/// Trains on the rows of a dataset file until the validation AUC no longer rises, and saves the net as safetensors.
///
/// # Errors
/// Data that cannot be read or are no clicks of users on items; a loss that is no number; a net that cannot be saved.
pub fn train(
    dataset: &Path,
    roots: &Roots,
    seed: u64,
    net_file: &Path,
    told: &dyn Progress,
) -> Result<Report> {
    let config = DatasetConfig::from_file(dataset)?;
    let Prepared { dataset, splits } = scenarec_data::prepare(&config, roots, &Override::default())?;
    let data = Arc::new(dataset);
    let part = |name: &str| -> Result<Feed> {
        let rows = splits.get(name).with_context(|| format!("the split has no part {name:?}"))?;
        Ok(Feed::new(data.clone(), rows.to_vec()))
    };
    let (rows, valid, test) = (part("train")?, part("valid")?, part("test")?);

    let mut net = TwoTowers::net(&data.schema, seed)?;
    let mut optimizer = Optimizer::new(OptimSpec::adam(1e-3, 1e-6), &mut net.weights);
    let trained = fit(
        "two towers",
        &mut net,
        &rows,
        Epochs { epochs: 20, batch: BATCH, iters: 1 },
        &mut stream(seed, "shuffle"),
        told,
        |net, batch, _| {
            let loss = net.loss(batch);
            optimizer.step(&loss, &mut net.weights)?;
            Ok(loss)
        },
        Some(Stopping::of_net(2, &mut |net| Ok(evaluate(net, &valid)?.0))),
    )?;
    let (auc, logloss) = evaluate(&mut net, &test)?;
    net.save(net_file)?;
    Ok(Report { provenance: data.provenance, valid: trained.scores, auc, logloss })
}

/// What a saved net says of a dataset's test rows: AUC and logloss.
///
/// # Errors
/// As [`train`]; a file that holds no such net.
pub fn test(dataset: &Path, roots: &Roots, net_file: &Path) -> Result<(f64, f64)> {
    let config = DatasetConfig::from_file(dataset)?;
    let Prepared { dataset, splits } = scenarec_data::prepare(&config, roots, &Override::default())?;
    // Of this seed nothing is left once the weights are loaded.
    let mut net = TwoTowers::net(&dataset.schema, 0)?;
    net.load(net_file)?;
    let rows = splits.get("test").context("the split has no part \"test\"")?.to_vec();
    evaluate(&mut net, &Feed::new(Arc::new(dataset), rows))
}

/// AUC and logloss on some rows.
fn evaluate(net: &mut Net, rows: &Feed) -> Result<(f64, f64)> {
    let (logits, labels) = (predict(net, rows, BATCH)?.remove(0), rows.labels(0));
    let auc = metrics::auc(&logits, &labels)?.context("all rows are of one class")?;
    Ok((auc, metrics::logloss(&logits, &labels)?.context("there are no rows")?))
}
