//! What a model computes between its inputs and its logits, as clouds of points (M3oE, Figure 3): a model is trained as by
//! the recipe `bilevel`, some test rows' representations are laid out in the plane by t-SNE, panel by panel, and how far
//! each lies from the panel's fused one is recorded.
use super::{
    Recipe,
    fit::{How, Outer, Scoped, Training, check_training},
};
use crate::job::{Job, JobContext};
use anyhow::{Context, Result, ensure};
use rand::seq::SliceRandom;
use scenarec_data::Prepared;
use scenarec_train::{Feed, Scope, config::check, open_device, rng, to_vec};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::{fmt::Write, fs, sync::Arc};
use tch::{Kind, Tensor};

pub(super) const RECIPE: Recipe = Recipe {
    name: "representations",
    model: true,
    methods: None,
    alone: false,
    resolve,
    evaluates_on_test: |_| Ok(true),
    stages: |_| Ok(vec![]),
    execute,
};

/// File with the points: `panel,series,x,y`.
const POINTS: &str = "points.csv";

/// The recipe's sections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// As in the recipe `bilevel`, with one model for all scenarios and tasks.
    training: Training,
    /// As in the recipe `bilevel`.
    outer: Outer,
    /// What is drawn.
    map: Map,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    /// Name of the scenario whose test rows are drawn.
    scenario: String,
    /// Number of rows, picked at random.
    rows: usize,
    /// The clouds that share a plane.
    panels: Vec<Panel>,
    /// t-SNE's perplexity: about how many neighbours a point has.
    perplexity: f32,
    /// t-SNE's steps.
    steps: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Panel {
    /// Its name.
    name: String,
    /// Names of the model's representations.
    series: Vec<String>,
    /// The one of them that the others are fused into.
    fused: String,
}

fn resolve(value: Value) -> Result<Value> {
    scenarec_train::config::resolve(value, |settings: &Settings| {
        let Settings { training, outer, map } = settings;
        check_training(training, outer)?;
        check(map.rows > 1, "map.rows", || "a cloud needs at least two points".into())?;
        check(map.perplexity > 0.0, "map.perplexity", || format!("{} is not above 0", map.perplexity))?;
        let fewest = map.panels.iter().map(|p| p.series.len() * map.rows).min().unwrap_or_default();
        check(fewest as f32 > 3.0 * map.perplexity, "map.perplexity", || {
            format!("{} neighbours of {fewest} points are too many: at most a third", map.perplexity)
        })?;
        for (i, panel) in map.panels.iter().enumerate() {
            check(panel.series.contains(&panel.fused), &format!("map.panels.{i}.fused"), || {
                format!("{:?} is none of the panel's series", panel.fused)
            })?;
        }
        Ok(())
    })
}

/// Writes [`POINTS`] and records `relative_distance` (phase: the panel, task: the series): the mean distance of a row's
/// representation from its fused one, over the mean length of the fused ones.
fn execute(job: &Job, mut context: JobContext<'_>) -> Result<()> {
    let Settings { training, outer, map } = serde_yaml::from_value(job.settings.clone())?;
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let scope = Scope::whole(&data.schema);
    let scenario = data.schema.scenarios.iter().position(|s| *s == map.scenario);
    let known = data.schema.scenarios.join(", ");
    let scenario = scenario.with_context(|| format!("no scenario is called {:?} ({known})", map.scenario))?;
    let mut rows = splits.get("test").context("no split part \"test\"")?.to_vec();
    rows.retain(|r| usize::from(data.scenario[*r as usize]) == scenario);
    ensure!(rows.len() >= map.rows, "{} test rows of scenario {:?} are too few", rows.len(), map.scenario);
    rows.shuffle(&mut rng::stream(job.seed, "map.rows"));
    rows.truncate(map.rows);

    let how = How::bilevel(training, outer);
    let mut scoped = Scoped::new(job, &how, &data, &splits, scope, device)?;
    scoped.train(&mut context)?;
    let net = scoped.net();
    let batch = Feed::new(data.clone(), rows).in_order(map.rows).next().context("there are rows")??;
    let parts = {
        let _guard = tch::no_grad_guard();
        let x = net.weights.tables.embed(&batch);
        net.representations(&x)
    };
    let named = |name: &str| -> Result<&Tensor> {
        let known: Vec<&str> = parts.iter().map(|(n, _)| n.as_str()).collect();
        let found = parts.iter().find(|(n, _)| n == name).map(|(_, t)| t);
        found.with_context(|| format!("the model has no representation {name:?}, only {}", known.join(", ")))
    };

    let mut points = String::from("panel,series,x,y\n");
    context.progress.begin("t-SNE", map.panels.len() as u64);
    for panel in &map.panels {
        let clouds = panel.series.iter().map(|s| named(s)).collect::<Result<Vec<_>>>()?;
        let fused = named(&panel.fused)?;
        let length = row_norms(fused).mean(Kind::Float).double_value(&[]);
        for (series, cloud) in panel.series.iter().zip(&clouds).filter(|(s, _)| **s != panel.fused) {
            let distance = row_norms(&(*cloud - fused)).mean(Kind::Float).double_value(&[]);
            context.recorder.record("relative_distance", distance / length, |m| {
                m.stage = "representations".into();
                m.phase = panel.name.clone();
                m.task = series.clone();
                m.rows = map.rows as u64;
            })?;
        }
        let plane = in_the_plane(&Tensor::cat(&clouds, 0), &map, job.seed);
        let series = panel.series.iter().flat_map(|s| std::iter::repeat_n(s, map.rows));
        for (series, point) in series.zip(plane.chunks(2)) {
            writeln!(points, "{},{series},{:.3},{:.3}", panel.name, point[0], point[1])?;
        }
        context.progress.advance(1);
    }
    let path = context.out.join(POINTS);
    fs::write(&path, points).with_context(|| format!("cannot write {}", path.display()))?;
    context.recorder.finish()
}

/// `[n, C]` -> `[n]`.
fn row_norms(x: &Tensor) -> Tensor {
    x.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float).sqrt()
}

/// t-SNE of points `[n, C]` -> `[n * 2]`. It starts from small random places of a seed's own, so that it can be repeated.
fn in_the_plane(points: &Tensor, map: &Map, seed: u64) -> Vec<f32> {
    let (n, width) = points.size2().expect("a matrix");
    let values = to_vec(points);
    let rows: Vec<&[f32]> = values.chunks(width as usize).collect();
    let start = to_vec(&(rng::normal(&[n, 2], &mut rng::stream(seed, "map.start")) * 1e-4));
    let distance =
        |a: &&[f32], b: &&[f32]| a.iter().zip(*b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    bhtsne::tSNE::<f32, &[f32], 2>::new(&rows)
        .perplexity(map.perplexity)
        .epochs(map.steps)
        .initial_embedding(start)
        .exact(distance)
        .embedding()
}
