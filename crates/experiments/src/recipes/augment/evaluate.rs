//! What is recorded of predictions.
use super::train::predictions;
use anyhow::{Context, Result};
use scenarec_train::{Feed, Net, Recorder, metrics, rng};

/// Resamples of the interval of an AUC.
const RESAMPLES: usize = 1000;

/// Records AUC and log loss of a scenario's test rows, the expected AUC where the true probabilities are known, and, with
/// `interval`, the bounds between which 95 % of the AUCs of bootstrap resamples of the rows lie: how far the AUC could be
/// off because the rows are few.
pub(super) fn evaluate(
    net: &mut Net,
    rows: &Feed,
    scenario: &str,
    interval: bool,
    recorder: &mut Recorder,
) -> Result<()> {
    let data = rows.data().clone();
    let (logits, labels) = predictions(net, rows)?;
    let mut record = |metric: &str, value: f64| {
        recorder.record(metric, value, |m| {
            m.stage = "evaluate".into();
            m.scenario = scenario.into();
            m.task = data.schema.tasks[0].clone();
            m.rows = labels.len() as u64;
        })
    };
    let one_class = || format!("the test rows of {scenario} are all of one class, so there is no AUC");
    record("auc", metrics::auc(&logits, &labels)?.with_context(one_class)?)?;
    record("logloss", metrics::logloss(&logits, &labels)?.context("there are no test rows")?)?;
    if let Some(truth) = &data.click_probability {
        let truth: Vec<f32> = rows.rows().iter().map(|r| truth[*r as usize]).collect();
        let expected = metrics::expected_auc(&logits, &truth)?;
        record("expected_auc", expected.context("the true probabilities are all 0 or all 1")?)?;
    }
    if interval {
        let mut rng = rng::stream(0, "bootstrap"); // The same resamples for every run on the same rows.
        let bounds = metrics::auc_interval(&logits, &labels, RESAMPLES, 0.95, &mut rng)?;
        let (low, high) = bounds.with_context(one_class)?;
        record("auc_low", low)?;
        record("auc_high", high)?;
    }
    Ok(())
}
