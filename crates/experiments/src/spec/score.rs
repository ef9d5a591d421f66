//! What a search's trials are worth.
use super::{
    layout::{RECORDED, recorded_value},
    names::unknown_name,
    source::{ConfigError, Place, Source},
};
use anyhow::Result;
use indexmap::IndexMap;
use scenarec_train::{Measure, metrics::statistics::mean};
use serde::Deserialize;
use std::collections::BTreeSet;

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBest {
    metric: String,
    mode: Mode,
    #[serde(default, rename = "where")]
    filter: IndexMap<String, String>,
}

/// Which numbers are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Larger ones.
    Max,
    /// Smaller ones.
    Min,
}

/// What decides between trials.
#[derive(Clone, Debug)]
pub struct Best {
    /// The metric, as runs record it.
    pub metric: String,
    /// Which of its values are better.
    pub mode: Mode,
    /// Recorded dimension -> value that measures must have to count.
    filter: IndexMap<String, String>,
    /// Where the metric is named.
    place: Place,
}

impl RawBest {
    pub(super) fn check(self, source: &Source, at: &[String]) -> Result<Best> {
        let path = |keys: &[&str]| -> Vec<String> {
            at.iter().cloned().chain(keys.iter().map(|k| k.to_string())).collect()
        };
        if let Some(name) = self.filter.keys().find(|name| !RECORDED.contains(&name.as_str())) {
            let message = unknown_name("recorded dimension", name, RECORDED);
            return Err(source.error_at_key(&path(&["where", name]), message));
        }
        let place = source.value_place(&path(&["metric"]));
        Ok(Best { metric: self.metric, mode: self.mode, filter: self.filter, place })
    }
}

impl Best {
    /// A trial's score: the mean of the fitting measures of all its runs, one per seed.
    ///
    /// # Errors
    /// A run without a fitting measure: nothing could be decided by this metric.
    pub fn score(&self, runs: &[Vec<Measure>]) -> Result<f64> {
        let mut values = Vec::new();
        for measures in runs {
            let fits =
                |m: &&Measure| self.filter.iter().all(|(dimension, v)| recorded_value(m, dimension) == v);
            let before = values.len();
            values.extend(measures.iter().filter(fits).filter(|m| m.metric == self.metric).map(|m| m.value));
            if values.len() == before {
                let known: BTreeSet<&str> = measures.iter().filter(fits).map(|m| m.metric.as_str()).collect();
                let message = unknown_name("metric of the trials", &self.metric, known);
                return Err(ConfigError { place: self.place.clone(), message }.into());
            }
        }
        Ok(mean(&values).expect("a trial has a run, and a run has a value"))
    }

    /// The best score's trial, the first of equals; none unless all scores are known.
    pub fn choose(&self, scores: impl IntoIterator<Item = Option<f64>>) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (i, score) in scores.into_iter().enumerate() {
            let score = score?;
            let better = |than: f64| match self.mode {
                Mode::Max => score > than,
                Mode::Min => score < than,
            };
            if best.is_none_or(|(_, than)| better(than)) {
                best = Some((i, score));
            }
        }
        best.map(|(i, _)| i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(mode: Mode) -> Best {
        let filter = IndexMap::from([("stage".to_string(), "evaluate".to_string())]);
        Best {
            metric: "auc".into(),
            mode,
            filter,
            place: Place::Flag("t.yaml:3:9: search.0.best.metric".into()),
        }
    }

    fn measure(metric: &str, stage: &str, phase: &str, value: f64) -> Measure {
        let (metric, stage, phase) = (metric.into(), stage.into(), phase.into());
        Measure { metric, stage, phase, value, ..Measure::default() }
    }

    #[test]
    fn the_score_is_the_mean_over_phases_and_seeds() {
        let run = |cold, warm| {
            vec![
                measure("auc", "evaluate", "cold", cold),
                measure("auc", "evaluate", "warm_a", warm),
                measure("auc", "pretrain", "", 9.0),
                measure("logloss", "evaluate", "cold", 9.0),
            ]
        };
        assert_eq!(best(Mode::Max).score(&[run(0.5, 0.75), run(0.25, 1.0)]).unwrap(), 0.625);
    }

    #[test]
    fn a_run_without_the_metric_is_an_error_at_its_place() {
        let good = vec![measure("auc", "evaluate", "cold", 0.5)];
        let other = vec![measure("aucc", "evaluate", "cold", 0.5), measure("auc", "pretrain", "", 0.5)];
        let e = best(Mode::Max).score(&[good, other]).unwrap_err().to_string();
        let expected = "t.yaml:3:9: search.0.best.metric: unknown metric of the trials `auc`; did you mean `aucc`? \
                        (known: aucc)";
        assert_eq!(e, expected);
    }

    #[test]
    fn the_first_of_the_best_is_chosen_once_all_are_known() {
        let scores = [Some(0.5), Some(0.7), Some(0.5), Some(0.7)];
        assert_eq!(best(Mode::Max).choose(scores), Some(1));
        assert_eq!(best(Mode::Min).choose(scores), Some(0));
        assert_eq!(best(Mode::Max).choose([Some(0.5), None, Some(0.7)]), None);
    }
}
