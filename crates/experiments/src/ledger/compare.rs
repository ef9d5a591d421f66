//! Two runs side by side.
use super::{find, is_older, settings, text};
use crate::{metric, plan::what, store::Store};
use anyhow::{Context, Result};
use scenarec_train::Measure;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What two runs have in common and what not.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Ids and names of the two.
    pub runs: [Run; 2],
    /// Settings that are not the same in both, by path; none where one has no such setting.
    pub settings: BTreeMap<String, [Option<String>; 2]>,
    /// Every number of either, by what it is of.
    pub numbers: Vec<Number>,
}

/// One of the two.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// Dataset, model, method, seed.
    pub what: String,
    /// What its data is.
    pub provenance: String,
    /// Whether it is of older code.
    pub older: bool,
}

/// A number that both or one of them recorded.
#[derive(Debug, Serialize)]
pub struct Number {
    /// Stage, phase, scenario and task.
    pub of: String,
    /// The metric.
    pub metric: String,
    /// Of the first and of the second.
    pub values: [Option<f64>; 2],
    /// The second less the first.
    pub difference: Option<f64>,
}

/// Compares the finished runs whose ids begin so.
pub fn compare(store: &Store, ids: [&str; 2]) -> Result<Comparison> {
    let [a, b] = ids.map(|id| {
        let run = find(store, id)?;
        let measures = store.measures(&run.id, run.job.stage.is_some())?;
        let measures = measures.with_context(|| format!("{} has no numbers", run.id))?;
        anyhow::Ok((
            settings(&run.job)?,
            by_subject(&measures),
            Run {
                provenance: measures.first().map(|m| m.provenance.clone()).unwrap_or_default(),
                what: what(&run.job),
                older: is_older(&run),
                id: run.id,
            },
        ))
    });
    let ((own, numbers, first), (others, others_numbers, second)) = (a?, b?);
    let paths: BTreeSet<&String> = own.keys().chain(others.keys()).collect();
    let differing = paths.into_iter().filter(|path| own.get(*path) != others.get(*path));
    let settings =
        differing.map(|path| (path.clone(), [own.get(path).map(text), others.get(path).map(text)]));
    let subjects: BTreeSet<&(String, String)> = numbers.keys().chain(others_numbers.keys()).collect();
    let number = |subject: &(String, String)| {
        let values = [numbers.get(subject).copied(), others_numbers.get(subject).copied()];
        let difference = values[0].zip(values[1]).map(|(a, b)| b - a);
        Number { of: subject.0.clone(), metric: subject.1.clone(), values, difference }
    };
    Ok(Comparison {
        settings: settings.collect(),
        numbers: subjects.into_iter().map(number).collect(),
        runs: [first, second],
    })
}

/// Stage, phase, scenario and task, and the metric -> the number.
fn by_subject(measures: &[Measure]) -> BTreeMap<(String, String), f64> {
    let of = |m: &Measure| {
        let parts = [&m.stage, &m.phase, &m.scenario, &m.task];
        parts.into_iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    };
    measures.iter().map(|m| ((of(m), m.metric.clone()), m.value)).collect()
}

impl Number {
    /// A value for a reader.
    pub fn shown(&self, value: Option<f64>) -> String {
        let known = metric::find(&self.metric);
        value.map_or_else(|| "—".into(), |v| known.map_or_else(|| plain(v), |m| m.number(v)))
    }

    /// The difference for a reader.
    pub fn shown_difference(&self) -> String {
        let known = metric::find(&self.metric);
        self.difference.map_or_else(String::new, |d| known.map_or_else(|| plain(d), |m| m.signed(d)))
    }
}

/// Six digits.
fn plain(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:.6}") }
}
