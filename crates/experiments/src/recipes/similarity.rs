//! How alike what a model makes of a row in its own scenario and in another one are (SACN, Figure 2): a model is trained as by the
//! recipe `fit`, and the cosines of some test rows' two representations are counted.
use super::{
    Recipe,
    fit::{FitTraining, How, Scoped, check_fit_training},
};
use crate::job::{Job, JobContext};
use anyhow::{Context, Result, ensure};
use rand::seq::SliceRandom;
use scenarec_data::{Dataset, Prepared};
use scenarec_train::{Feed, Net, Scope, config::check, open_device, rng, to_vec};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::sync::Arc;
use tch::{Kind, Tensor};

pub(super) const RECIPE: Recipe = Recipe {
    name: "similarity",
    model: true,
    methods: None,
    alone: false,
    resolve,
    evaluates_on_test: |_| Ok(true),
    stages: |_| Ok(vec![]),
    execute,
};

/// The recipe's sections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// As in the recipe `fit`, with one model for all scenarios.
    training: FitTraining,
    /// What is compared.
    similarity: Similarity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Similarity {
    /// Names of scenarios, two by two.
    pairs: Vec<[String; 2]>,
    /// Which of the model's representations: `item` has one called `item.<k>` for every scenario k.
    representation: String,
    /// Test rows of each scenario of a pair at most, picked at random.
    rows: usize,
    /// Parts of the range from -1 to 1 in which cosines are counted.
    bins: usize,
}

fn resolve(value: Value) -> Result<Value> {
    scenarec_train::config::resolve(value, |Settings { training, similarity }: &Settings| {
        check_fit_training(training)?;
        check(!similarity.pairs.is_empty(), "similarity.pairs", || "no pair of scenarios".into())?;
        check(similarity.rows > 0, "similarity.rows", || "no row".into())?;
        check((1..=200).contains(&similarity.bins), "similarity.bins", || {
            format!("{} should be 1 to 200 parts", similarity.bins)
        })
    })
}

/// Records, of every pair (scenario: "D1, D3"), `similarity`, the mean cosine, and `share` of the rows, the share whose cosine lies
/// in a bin (phase: the bin's middle). Rows without behaviours have no direction and are left out.
fn execute(job: &Job, mut context: JobContext<'_>) -> Result<()> {
    let Settings { training, similarity } = serde_yaml::from_value(job.settings.clone())?;
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let number = |name: &String| -> Result<usize> {
        let known = &data.schema.scenarios;
        let found = known.iter().position(|s| s == name);
        found.with_context(|| format!("no scenario is called {name:?} ({})", known.join(", ")))
    };
    let pairs = similarity.pairs.iter().map(|[a, b]| Ok([number(a)?, number(b)?]));
    let pairs: Vec<[usize; 2]> = pairs.collect::<Result<_>>()?;
    let test = splits.get("test").context("no split part \"test\"")?;

    let how = How::fit(training);
    let mut scoped = Scoped::new(job, &how, &data, &splits, Scope::whole(&data.schema), device)?;
    scoped.train(&mut context)?;
    for (names, [a, b]) in similarity.pairs.iter().zip(pairs) {
        let mut cosines = Vec::new();
        for (own, other) in [(a, b), (b, a)] {
            let rows = some_rows(&data, test, own, similarity.rows, job.seed);
            cosines.extend(compared(scoped.net(), &data, rows, [own, other], &similarity.representation)?);
        }
        ensure!(!cosines.is_empty(), "no test row of {} has behaviours", names.join(" or "));
        let n = cosines.len();
        let mut record = |metric, value, phase: String| {
            context.recorder.record(metric, value, |m| {
                m.stage = "similarity".into();
                m.scenario = names.join(", ");
                m.phase = phase;
                m.rows = n as u64;
            })
        };
        record("similarity", cosines.iter().map(|c| f64::from(*c)).sum::<f64>() / n as f64, String::new())?;
        for (bin, count) in counted(&cosines, similarity.bins).into_iter().enumerate() {
            let middle = -1.0 + (2 * bin + 1) as f64 / similarity.bins as f64;
            record("share", count as f64 / n as f64, format!("{middle:.3}"))?;
        }
    }
    context.recorder.finish()
}

/// Some of the rows of a scenario.
fn some_rows(data: &Dataset, rows: &[u32], scenario: usize, most: usize, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> =
        rows.iter().copied().filter(|r| usize::from(data.scenario[*r as usize]) == scenario).collect();
    rows.shuffle(&mut rng::stream(seed, &format!("similarity.{scenario}")));
    rows.truncate(most);
    rows
}

/// The cosines of every row's representations in two scenarios; a row without any has none.
fn compared(
    net: &mut Net,
    data: &Arc<Dataset>,
    rows: Vec<u32>,
    scenarios: [usize; 2],
    name: &str,
) -> Result<Vec<f32>> {
    let mut cosines = Vec::with_capacity(rows.len());
    for batch in Feed::new(data.clone(), rows).in_order(1024) {
        let _guard = tch::no_grad_guard();
        let x = net.weights.tables.embed(&batch?);
        let all = net.representations(&x);
        let of = |k: usize| -> Result<&Tensor> {
            let wanted = format!("{name}.{k}");
            let known = || all.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
            let found = all.iter().find(|(n, _)| *n == wanted).map(|(_, t)| t);
            found.with_context(|| format!("the model has no representation {wanted:?}, only {}", known()))
        };
        let (own, other) = (of(scenarios[0])?, of(scenarios[1])?);
        let norms = [own, other].map(|t| t.norm_scalaropt_dim(2, [1i64].as_slice(), false));
        let there = norms[0].gt(0.0).logical_and(&norms[1].gt(0.0));
        let dot = (own * other).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        cosines.extend(to_vec(&(dot / &norms[0] / &norms[1]).masked_select(&there)));
    }
    Ok(cosines)
}

/// How many cosines lie in each of so many equal parts of [-1, 1].
fn counted(cosines: &[f32], bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for c in cosines {
        let place = (f64::from(*c) + 1.0) / 2.0 * bins as f64;
        counts[(place.max(0.0) as usize).min(bins - 1)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_counted_in_their_parts() {
        assert_eq!(counted(&[-1.0, -0.51, -0.5, 0.0, 0.49, 1.0, 1.0000001, -1.0000001], 4), [3, 1, 2, 2]);
    }
}
