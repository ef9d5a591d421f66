//! Item cold start in four phases (CSDM sheet C.7; CVAR section 5): pre-train on old items, warm the new ones, evaluate
//! them cold; then three times fine-tune their id embeddings on a few rows each, warm them again and evaluate.
use super::Recipe;
use crate::{
    job::{Job, JobContext},
    methods,
};
use anyhow::{Context, Result, bail};
use scenarec_data::{Dataset, Prepared, Splits};
use scenarec_train::{
    Build, ColdItems, Epochs, Feed, Mode, Net, OptimSpec, Optimizer,
    cold::generator::{item_table, record},
    config::check,
    fit, labels, loss, metrics, open_device, predict,
    rng::{derive, stream},
};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::{collections::HashMap, path::Path, sync::Arc};

/// The phases with rows to learn from, in order.
const WARM_PHASES: [&str; 3] = ["warm_a", "warm_b", "warm_c"];
/// Rows per batch of an evaluation; no result depends on it.
const EVALUATION_BATCH: usize = 8192;
/// File of a pre-trained net.
const NET: &str = "net.safetensors";

pub(super) const RECIPE: Recipe = Recipe { name: "cold_item", resolve, stages, execute };

/// One supervised training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Training {
    epochs: usize,
    batch: usize,
    optim: OptimSpec,
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
        let Training { batch, optim: OptimSpec { lr, .. }, .. } = *training;
        check(batch > 0, &format!("{name}.batch"), || "0 rows".into())?;
        check(lr > 0.0 && lr.is_finite(), &format!("{name}.optim.lr"), || format!("{lr} is not above 0"))?;
    }
    Ok(serde_yaml::to_value(settings)?)
}

fn stages(job: &Job) -> Result<Vec<Job>> {
    let settings: Settings = serde_yaml::from_value(job.settings.clone())?;
    Ok(vec![Job {
        stage: Some("pretrain".into()),
        method: Value::Null,
        seed: if settings.share_pretrain { 1 } else { job.seed },
        settings: serde_yaml::to_value(PretrainSettings { pretrain: settings.pretrain })?,
        ..job.clone()
    }])
}

fn execute(job: &Job, context: JobContext<'_>) -> Result<()> {
    let device = open_device(&job.device, job.threads)?;
    let Prepared { dataset, splits } =
        scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
    let task = Task::new(job, dataset, splits)?;
    let backend = scenarec_train::Backend::for_device(device);
    match job.stage.as_deref() {
        Some("pretrain") => task.pretrain(Build { seed: job.seed, device, backend }, context),
        // Streams of the run's own: those of the net's first life served the pre-training.
        None => task.run(Build { seed: derive(job.seed, "run"), device, backend }, context),
        Some(other) => bail!("the recipe cold_item has no stage {other:?}"),
    }
}

struct Task<'a> {
    job: &'a Job,
    data: Arc<Dataset>,
    base: Feed,
    warm: Vec<Feed>,
    test: Feed,
    new_items: Feed,
    new_ids: Vec<u32>,
}

impl<'a> Task<'a> {
    fn new(job: &'a Job, data: Dataset, splits: Splits) -> Result<Self> {
        scenarec_train::batch::check(&data)?;
        let data = Arc::new(data);
        let feed = |part: &str| -> Result<Feed> {
            let rows =
                splits.get(part).with_context(|| format!("{} has no split part {part:?}", data.name))?;
            Ok(Feed::new(data.clone(), rows.to_vec()))
        };
        let warm = WARM_PHASES.iter().map(|p| feed(p)).collect::<Result<Vec<_>>>()?;
        // New items are those of warm_a; the last of an item's rows speaks for it, as in the released programs.
        let ids = data.item_ids();
        let mut last: HashMap<u32, usize> = HashMap::new();
        let rows = warm[0].rows();
        for (i, row) in rows.iter().enumerate() {
            last.insert(ids[*row as usize], i);
        }
        let mut order: Vec<usize> = last.into_values().collect();
        order.sort_unstable();
        let speakers: Vec<u32> = order.iter().map(|i| rows[*i]).collect();
        let new_ids = speakers.iter().map(|row| ids[*row as usize]).collect();
        let (base, test) = (feed("train_base")?, feed("test")?);
        Ok(Self { job, new_items: Feed::new(data.clone(), speakers), new_ids, base, warm, test, data })
    }

    fn net(&self, build: Build) -> Result<Net> {
        scenarec_backbones::build(&self.data.schema, &self.job.model, build)
    }

    fn pretrain(&self, build: Build, mut context: JobContext<'_>) -> Result<()> {
        let PretrainSettings { pretrain } = serde_yaml::from_value(self.job.settings.clone())?;
        let mut net = self.net(build)?;
        let file = context.out.join(NET);
        self.supervised(
            &mut net,
            &self.base,
            &pretrain,
            "pretrain",
            &mut self.items(&mut context, &pretrain),
        )?;
        net.save(&file)?;
        context.recorder.finish()
    }

    fn run(&self, build: Build, mut context: JobContext<'_>) -> Result<()> {
        let settings: Settings = serde_yaml::from_value(self.job.settings.clone())?;
        let pretrained = context.inputs.get("pretrain").context("the pre-trained net is missing")?.join(NET);
        let mut net = self.net(build)?;
        net.load(Path::new(&pretrained))?;
        let mut method =
            methods::build(&self.data.schema, &self.job.method, net.weights.tables.dim(), build)?;
        let mut items = self.items(&mut context, &settings.warm);
        let id_table = item_table(&items)?;

        method.after_pretrain(&mut net, &mut items)?;
        self.evaluate(&mut net, "cold", &mut items)?;
        for (phase, rows) in WARM_PHASES.into_iter().zip(&self.warm) {
            {
                // Only item ids learn; the rest stays, but in training mode, as in the released programs.
                let _frozen = net.weights.freeze_all_but(&[&id_table], Mode::Train)?;
                self.supervised(&mut net, rows, &settings.warm, &format!("fine_tune.{phase}"), &mut items)?;
            }
            method.after_phase(&mut net, &mut items, phase, rows)?;
            self.evaluate(&mut net, phase, &mut items)?;
        }
        context.recorder.finish()
    }

    fn items<'c>(&'c self, context: &'c mut JobContext<'_>, training: &Training) -> ColdItems<'c> {
        ColdItems {
            schema: &self.data.schema,
            base: &self.base,
            new_items: &self.new_items,
            new_ids: &self.new_ids,
            batch: training.batch,
            optim: training.optim,
            seed: self.job.seed,
            recorder: &mut context.recorder,
            progress: context.progress,
        }
    }

    /// Trains whatever is not frozen on the click loss, the net in training mode.
    fn supervised(
        &self,
        net: &mut Net,
        rows: &Feed,
        training: &Training,
        stage: &str,
        items: &mut ColdItems<'_>,
    ) -> Result<()> {
        let mut optimizer = Optimizer::new(training.optim, &mut net.weights);
        let epochs = Epochs { epochs: training.epochs, batch: training.batch, iters: 1 };
        let mut rng = stream(self.job.seed, &format!("shuffle.{stage}"));
        let device = net.weights.params.device();
        let trained = fit(
            stage,
            net,
            rows,
            epochs,
            &mut rng,
            items.progress,
            |net, batch, _| {
                let x = net.weights.tables.embed_with(batch, true, None);
                let loss = loss(&net.forward(&x, true), &labels(batch, device));
                optimizer.step(&loss, &mut net.weights)?;
                Ok(loss)
            },
            None,
        )?;
        record(items, stage, &trained)
    }

    /// The new items' remaining rows, the same in every phase.
    fn evaluate(&self, net: &mut Net, phase: &str, items: &mut ColdItems<'_>) -> Result<()> {
        items.progress.begin(&format!("evaluate.{phase}"), 1);
        let logits = &predict(net, &self.test, EVALUATION_BATCH)[0];
        let rows = self.test.rows();
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
        record("auc", auc.context("the test rows are all of one class, so there is no AUC")?)?;
        record("logloss", metrics::logloss(logits, &labels)?.context("there are no test rows")?)?;
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
