//! How long one optimiser step on one batch takes, method by method (CSDM, Figure 4).
//!
//! A method's step is that of its own training: the generator's for CSDM and CVAR, the meta-learner's for Meta-E and MWUF,
//! pre-training for the backbone alone and for what pre-trains in a way of its own.
use super::Recipe;
use crate::{
    job::{Job, JobContext},
    methods::{self, MethodKind},
};
use anyhow::{Context, Result, ensure};
use scenarec_data::Prepared;
use scenarec_train::{
    Backend, Build, ColdItems, Feed, Progress,
    cold::{Training, one_row_per_item},
    config::check,
    metrics::statistics::mean,
    open_device,
};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Instant,
};

pub(super) const RECIPE: Recipe = Recipe {
    name: "step_time",
    model: true,
    methods: Some(MethodKind::ColdItem),
    alone: true,
    resolve,
    evaluates_on_test: |_| Ok(false),
    stages: |_| Ok(vec![]),
    execute,
};

/// The recipe's section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The training whose steps are timed: one pass over as many batches as `batches` says.
    training: Training,
    /// Batches of old items' rows.
    batches: usize,
    /// Steps at the beginning that do not count: memory and caches are not warm yet.
    skip: usize,
}

fn resolve(value: Value) -> Result<Value> {
    let settings: Settings = serde_yaml::from_value(value)?;
    check(settings.training.batch > 0, "training.batch", || "0 rows".into())?;
    check(settings.batches > settings.skip, "skip", || {
        format!("{} of {} batches would leave no step to time", settings.skip, settings.batches)
    })?;
    Ok(serde_yaml::to_value(settings)?)
}

/// Records `milliseconds_per_step`, a mean.
fn execute(job: &Job, mut context: JobContext<'_>) -> Result<()> {
    let Settings { training, batches, skip } = serde_yaml::from_value(job.settings.clone())?;
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    scenarec_train::feed::check(&dataset)?;
    let data = Arc::new(dataset);
    let part = |name: &str| splits.get(name).with_context(|| format!("no split part {name:?}"));
    let rows = part("train_base")?;
    let wanted = batches * training.batch;
    ensure!(rows.len() >= wanted, "{batches} batches need {wanted} rows, train_base has {}", rows.len());
    // From all over the part, in its order.
    let rows = (0..wanted).map(|i| rows[i * rows.len() / wanted]).collect();
    let base = Feed::new(data.clone(), rows);
    let (new_items, new_ids) = one_row_per_item(&Feed::new(data.clone(), part("warm_a")?.to_vec()));

    let build = Build { seed: job.seed, device, backend: Backend::for_device(device) };
    let mut net = crate::models::build(&data.schema, &job.model, build)?;
    let mut method = methods::build(&data.schema, &job.method, net.weights.tables.dim(), build)?;
    let clock = StepClock::new(context.progress);
    let mut items = ColdItems {
        schema: &data.schema,
        base: &base,
        new_items: &new_items,
        new_ids: &new_ids,
        training,
        seed: job.seed,
        recorder: &mut context.recorder,
        progress: &clock,
    };
    method.pretrain(&mut net, &mut items)?;
    method.after_pretrain(&mut net, &mut items)?;
    let steps = clock.steps.into_inner();
    let seconds = steps.get(skip..).and_then(mean).context("the method took too few steps")?;
    context.recorder.record("milliseconds_per_step", seconds * 1e3, |m| {
        m.stage = "step".into();
        m.rows = training.batch as u64;
    })?;
    context.recorder.finish()
}

/// Times the steps of the last training that it is told of.
struct StepClock<'a> {
    shown: &'a dyn Progress,
    last: Cell<Instant>,
    steps: RefCell<Vec<f64>>,
}

impl<'a> StepClock<'a> {
    fn new(shown: &'a dyn Progress) -> Self {
        Self { shown, last: Cell::new(Instant::now()), steps: RefCell::default() }
    }
}

impl Progress for StepClock<'_> {
    fn begin(&self, what: &str, total: u64) {
        self.shown.begin(what, total);
        self.steps.borrow_mut().clear();
        self.last.set(Instant::now());
    }

    fn advance(&self, steps: u64) {
        let now = Instant::now();
        let each = now.duration_since(self.last.replace(now)).as_secs_f64() / steps as f64;
        self.steps.borrow_mut().extend((0..steps).map(|_| each));
        self.shown.advance(steps);
    }
}
