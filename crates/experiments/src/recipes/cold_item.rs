//! Item cold start in four phases (CSDM sheet C.7; CVAR section 5): pre-train on old items, warm the new ones, evaluate
//! them cold; then three times fine-tune their id embeddings on a few rows each, warm them again and evaluate.
use super::Recipe;
use crate::{
    job::{Job, JobContext},
    methods::{self, MethodKind},
};
use anyhow::{Context, Result, bail};
use scenarec_data::{Dataset, Prepared, Splits};
use scenarec_train::{
    Build, ColdItemMethod, ColdItems, Feed, Net,
    cold::{Plain, Training, one_row_per_item},
    config::check,
    metrics,
    net::{load_state, save_state},
    open_device, predict,
    rng::derive,
};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::sync::Arc;

/// The splits with rows to learn from, in order.
const WARM: [&str; 3] = ["warm_a", "warm_b", "warm_c"];
/// Rows per batch of an evaluation; no result depends on it.
const EVALUATION_BATCH: usize = 8192;
/// File of a pre-trained net.
const NET: &str = "net.safetensors";
/// File of what pre-training left in the method, where it left anything.
const METHOD: &str = "method.safetensors";

pub(super) const RECIPE: Recipe = Recipe {
    name: "cold_item",
    model: true,
    methods: Some(MethodKind::ColdItem),
    alone: false,
    resolve,
    evaluates_on_test,
    stages,
    execute,
};

/// On which rows the phases are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Evaluation {
    /// The test part.
    #[default]
    Test,
    /// The last warm split, which is then no phase: what settings may be chosen by.
    Valid,
}

/// The recipe's sections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The backbone on the old items' rows, all parameters.
    pretrain: Training,
    /// The item-id table on a phase's rows; generators train with the same batch size and optimiser.
    warm: Training,
    /// One pre-trained net for all seeds, as the released program has it, instead of one per seed.
    #[serde(default)]
    share_pretrain: bool,
    /// On which rows the phases are evaluated.
    #[serde(default)]
    evaluate: Evaluation,
}

/// What determines the pre-trained net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PretrainSettings {
    pretrain: Training,
}

fn resolve(value: Value) -> Result<Value> {
    let settings: Settings = serde_yaml::from_value(value)?;
    for (name, training) in [("pretrain", &settings.pretrain), ("warm", &settings.warm)] {
        check(training.batch > 0, &format!("{name}.batch"), || "0 rows".into())?;
        training.optim.check(&format!("{name}.optim"))?;
    }
    Ok(serde_yaml::to_value(settings)?)
}

fn evaluates_on_test(job: &Job) -> Result<bool> {
    let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
    Ok(settings.evaluate == Evaluation::Test)
}

fn stages(job: &Job) -> Result<Vec<Job>> {
    let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
    let own = methods::pretrains(&job.method)?;
    Ok(vec![Job {
        stage: Some("pretrain".into()),
        method: if own { job.method.clone() } else { Value::Null },
        seed: if settings.share_pretrain { 1 } else { job.seed },
        settings: serde_yaml::to_value(PretrainSettings { pretrain: settings.pretrain })?,
        ..job.clone()
    }])
}

fn execute(job: &Job, context: JobContext<'_>) -> Result<()> {
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    let backend = scenarec_train::Backend::for_device(device);
    match job.stage.as_deref() {
        Some("pretrain") => {
            let build = Build { seed: job.seed, device, backend };
            Task::new(job, dataset, splits, build, Evaluation::Test)?.pretrain(context)
        }
        None => {
            let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
            // Streams of the run's own: those of the net's first life served the pre-training.
            let build = Build { seed: derive(job.seed, "run"), device, backend };
            Task::new(job, dataset, splits, build, settings.evaluate)?.run(settings.warm, context)
        }
        Some(other) => bail!("the recipe cold_item has no stage {other:?}"),
    }
}

struct Task<'a> {
    job: &'a Job,
    data: Arc<Dataset>,
    build: Build,
    base: Feed,
    warm: Vec<(&'static str, Feed)>,
    evaluation: Feed,
    new_items: Feed,
    new_ids: Vec<u32>,
}

impl<'a> Task<'a> {
    fn new(
        job: &'a Job,
        data: Dataset,
        splits: Splits,
        build: Build,
        evaluation: Evaluation,
    ) -> Result<Self> {
        scenarec_train::feed::check(&data)?;
        let data = Arc::new(data);
        let feed = |part: &str| -> Result<Feed> {
            let rows =
                splits.get(part).with_context(|| format!("{} has no split part {part:?}", data.name))?;
            Ok(Feed::new(data.clone(), rows.to_vec()))
        };
        let mut warm = WARM.iter().map(|p| Ok((*p, feed(p)?))).collect::<Result<Vec<_>>>()?;
        let evaluation = match evaluation {
            Evaluation::Test => feed("test")?,
            Evaluation::Valid => warm.pop().context("there are warm splits")?.1,
        };
        let (new_items, new_ids) = one_row_per_item(&warm[0].1);
        Ok(Self { job, base: feed("train_base")?, warm, evaluation, new_items, new_ids, data, build })
    }

    fn net(&self) -> Result<Net> {
        crate::models::build(&self.data.schema, &self.job.model, self.build)
    }

    fn method(&self, net: &Net) -> Result<Box<dyn ColdItemMethod>> {
        if self.job.method.is_null() {
            return Ok(Box::new(Plain));
        }
        methods::build(&self.data.schema, &self.job.method, net.weights.tables.dim(), self.build)
    }

    fn pretrain(&self, mut context: JobContext<'_>) -> Result<()> {
        let PretrainSettings { pretrain } = serde_yaml::from_value(self.job.settings.clone())?;
        let mut net = self.net()?;
        let mut method = self.method(&net)?;
        method.pretrain(&mut net, &mut self.items(&mut context, pretrain))?;
        net.save(&context.out.join(NET))?;
        if let Some(weights) = method.pretrained() {
            save_state(&weights.state(), &context.out.join(METHOD))?;
        }
        context.recorder.finish()
    }

    fn run(&self, warm: Training, mut context: JobContext<'_>) -> Result<()> {
        let pretrained = context.inputs.get("pretrain").context("the pre-trained net is missing")?.clone();
        let mut net = self.net()?;
        net.load(&pretrained.join(NET))?;
        let mut method = self.method(&net)?;
        if let Some(weights) = method.pretrained() {
            weights.load(&load_state(&pretrained.join(METHOD))?, "")?;
        }
        let mut items = self.items(&mut context, warm);

        method.after_pretrain(&mut net, &mut items)?;
        self.evaluate(&mut net, "cold", &mut items)?;
        for (phase, rows) in &self.warm {
            method.fine_tune(&mut net, &mut items, phase, rows)?;
            method.after_phase(&mut net, &mut items, phase, rows)?;
            self.evaluate(&mut net, phase, &mut items)?;
        }
        context.recorder.finish()
    }

    fn items<'c>(&'c self, context: &'c mut JobContext<'_>, training: Training) -> ColdItems<'c> {
        ColdItems {
            schema: &self.data.schema,
            base: &self.base,
            new_items: &self.new_items,
            new_ids: &self.new_ids,
            training,
            seed: self.job.seed,
            recorder: &mut context.recorder,
            progress: context.progress,
        }
    }

    /// The new items' remaining rows, the same in every phase.
    fn evaluate(&self, net: &mut Net, phase: &str, items: &mut ColdItems<'_>) -> Result<()> {
        items.progress.begin(&format!("evaluate.{phase}"), 1);
        let logits = &predict(net, &self.evaluation, EVALUATION_BATCH)?[0];
        let rows = self.evaluation.rows();
        let labels: Vec<u8> = rows.iter().map(|r| self.data.labels[0][*r as usize]).collect();
        let mut record = |metric: &str, value: f64| {
            items.recorder.record(metric, value, |m| {
                m.stage = "evaluate".into();
                m.phase = phase.into();
                m.task = self.data.schema.tasks[0].clone();
                m.rows = rows.len() as u64;
            })
        };
        let auc = metrics::auc(logits, &labels)?;
        record("auc", auc.context("the rows to evaluate are all of one class, so there is no AUC")?)?;
        record("logloss", metrics::logloss(logits, &labels)?.context("there are no rows to evaluate")?)?;
        if let Some(truth) = &self.data.click_probability {
            let truth: Vec<f32> = rows.iter().map(|r| truth[*r as usize]).collect();
            let expected = metrics::expected_auc(logits, &truth)?;
            let expected = expected.context("the true probabilities are all 0 or all 1")?;
            record("expected_auc", expected)?;
        }
        items.progress.advance(1);
        Ok(())
    }
}
