//! The stages and the run.
use super::{
    CLASSIFIER, GENERATOR, PRETRAIN,
    augmentation::{Augmentation, ClassifierStage, RowsConfig},
    curve::CurveSettings,
    evaluate::evaluate,
    fine_tune::FineTune,
    mixture::generated_slots,
    pool::{Origin, Sources},
    settings::{FitSettings, PretrainSettings, Settings, StopBy, Training},
    train::{score, supervised},
};
use crate::models::of_config;
use crate::{
    job::{Job, JobContext},
    methods,
};
use anyhow::{Context, Result, ensure};
use scenarec_data::{Dataset, Prepared, Splits};
use scenarec_diffusion::diff_msr::ClassifierRows;
use scenarec_train::{
    Backend, Batch, Build, Feed, Fitting, Net, Recorder, State, Trained, metrics,
    net::save_state,
    open_device,
    rng::{derive, normal, stream},
    rows::vectors,
    to_vec,
};
use std::sync::Arc;
use tch::Tensor;

/// Rows that are embedded at once; no result depends on it.
const EMBEDDED_AT_ONCE: usize = 16_384;

/// File of a pre-trained net.
pub(super) const NET: &str = "net.safetensors";
/// File of the classifier.
pub(super) const CLASSIFIER_FILE: &str = "classifier.safetensors";

/// File of a label's generator.
pub(super) fn generator_file(label: usize) -> String {
    format!("generator{label}.safetensors")
}

/// A job's data and how its nets are built.
pub(super) struct Task<'a> {
    job: &'a Job,
    data: Arc<Dataset>,
    splits: Splits,
    build: Build,
}

impl<'a> Task<'a> {
    pub(super) fn new(job: &'a Job, context: &JobContext<'_>) -> Result<Self> {
        let device = open_device(&job.device, job.threads)?;
        let Prepared { dataset, splits } =
            scenarec_data::prepare(&job.dataset.config, &context.roots, &job.dataset.quick)?;
        scenarec_train::feed::check(&dataset)?;
        let tasks = dataset.schema.tasks.len();
        ensure!(tasks == 1, "{}: the recipe augment is for one task, not for {tasks}", dataset.name);
        // Streams of each stage's and the run's own.
        let seed = derive(job.seed, job.stage.as_deref().unwrap_or("run"));
        let build = Build { seed, device, backend: Backend::for_device(device) };
        Ok(Self { job, data: Arc::new(dataset), splits, build })
    }

    /// The rows of a part, those of all scenarios or of some.
    fn feed(&self, part: &str, wanted: impl Fn(u16) -> bool) -> Result<Feed> {
        let rows = self.splits.get(part);
        let rows = rows.with_context(|| format!("{} has no split part {part:?}", self.data.name))?;
        let wanted = rows.iter().copied().filter(|r| wanted(self.data.scenario[*r as usize]));
        Ok(Feed::new(self.data.clone(), wanted.collect()))
    }

    fn scenario(&self, name: &str) -> Result<u16> {
        let scenarios = &self.data.schema.scenarios;
        let place = scenarios.iter().position(|s| s == name);
        let place = place.with_context(|| {
            format!("{}: no scenario is called {name:?} ({})", self.data.name, scenarios.join(", "))
        });
        Ok(place? as u16)
    }

    fn net(&self) -> Result<Net> {
        crate::models::build(&self.data.schema, &self.job.model, self.build)
    }

    fn pretrained(&self, context: &JobContext<'_>) -> Result<Net> {
        let mut net = self.net()?;
        net.load(&context.input(PRETRAIN)?.join(NET))?;
        Ok(net)
    }

    /// Stage 1.
    pub(super) fn pretrain(&self, mut context: JobContext<'_>) -> Result<()> {
        let PretrainSettings { pretrain } = serde_yaml::from_value(self.job.settings.clone())?;
        let mut net = self.net()?;
        self.train(&mut net, PRETRAIN, |_| true, &pretrain, &mut context)?;
        net.save(&context.out.join(NET))?;
        context.recorder.finish()
    }

    /// Trains what is not frozen of a net on some scenarios' rows.
    fn train(
        &self,
        net: &mut Net,
        stage: &str,
        wanted: impl Fn(u16) -> bool + Copy,
        training: &Training,
        context: &mut JobContext<'_>,
    ) -> Result<()> {
        let (train, valid) = (self.feed("train", wanted)?, self.feed("valid", wanted)?);
        let mut rng = stream(self.build.seed, "shuffle");
        let trained = supervised(stage, net, &train, &valid, training, &mut rng, context.progress)?;
        record(&mut context.recorder, stage, "", &trained)
    }

    /// Stage 2: a generator for each label.
    pub(super) fn fit_generators(&self, mut context: JobContext<'_>) -> Result<()> {
        let FitSettings { cold, .. } = serde_yaml::from_value(self.job.settings.clone())?;
        let mut net = self.pretrained(&context)?;
        let cold = self.scenario(&cold)?;
        let slots = generated_slots(&self.data, &net)?;
        let config = RowsConfig::of(&self.job.method)?;
        for label in [0, 1] {
            let of_label = |part: &str| -> Result<Feed> {
                let rows = self.feed(part, |s| s == cold)?;
                let own = rows.rows().iter().copied();
                let own = own.filter(|r| usize::from(self.data.labels[0][*r as usize]) == label);
                Ok(Feed::new(self.data.clone(), own.collect()))
            };
            let mut source = config.source(shape(&slots, &net), self.of_label(label))?;
            let trained = source.fit(&mut Fitting {
                net: &mut net,
                slots: &slots,
                train: &of_label("train")?,
                valid: &of_label("valid")?,
                seed: self.of_label(label).seed,
                progress: context.progress,
            })?;
            save_state(&source.weights().state(), &context.out.join(generator_file(label)))?;
            record(&mut context.recorder, GENERATOR, &label.to_string(), &trained)?;
        }
        context.recorder.finish()
    }

    fn of_label(&self, label: usize) -> Build {
        Build { seed: derive(self.build.seed, &format!("label{label}")), ..self.build }
    }

    /// Stage 3.
    pub(super) fn fit_classifier(&self, mut context: JobContext<'_>) -> Result<()> {
        let FitSettings { cold, .. } = serde_yaml::from_value(self.job.settings.clone())?;
        let mut net = self.pretrained(&context)?;
        let slots = generated_slots(&self.data, &net)?;
        let stage: ClassifierStage = serde_yaml::from_value(self.job.method.clone())?;
        let mut classifier = stage.build(shape(&slots, &net), self.build)?;
        let trained = classifier.fit(&mut ClassifierRows {
            net: &mut net,
            slots: &slots,
            cold: self.scenario(&cold)?,
            train: &self.feed("train", |_| true)?,
            valid: &self.feed("valid", |_| true)?,
            seed: self.build.seed,
            progress: context.progress,
        })?;
        save_state(&classifier.weights().state(), &context.out.join(CLASSIFIER_FILE))?;
        record(&mut context.recorder, CLASSIFIER, "", &trained)?;
        context.recorder.finish()
    }

    /// The classifier's AUC on all scenarios' test rows after so many steps of the forward process (phase: the number).
    pub(super) fn classifier_curve(
        &self,
        stage: &ClassifierStage,
        settings: &CurveSettings,
        mut context: JobContext<'_>,
    ) -> Result<()> {
        let mut net = self.pretrained(&context)?;
        let cold = self.scenario(&settings.cold)?;
        let slots = generated_slots(&self.data, &net)?;
        let classifier = stage.load(shape(&slots, &net), self.build, &context)?;
        let test = self.feed("test", |_| true)?;
        let rich: Vec<u8> =
            test.rows().iter().map(|r| u8::from(self.data.scenario[*r as usize] != cold)).collect();
        let embed = |batch: Result<Batch>| Ok(vectors(&mut net, &slots, &batch?));
        let parts = test.in_order(EMBEDDED_AT_ONCE).map(embed).collect::<Result<Vec<Tensor>>>()?;
        let z0 = Tensor::cat(&parts, 0);
        let noise = normal(&z0.size(), &mut stream(self.build.seed, "noise")).to_device(z0.device());
        context.progress.begin("noised rows", settings.steps.len() as u64);
        for step in &settings.steps {
            let auc = match step.checked_sub(1) {
                Some(index) => classifier.auc_at(&z0, &noise, &rich, index)?,
                None => metrics::auc(&to_vec(&classifier.scores(&z0)), &rich)?,
            };
            let auc = auc.context("the test rows are all of the cold scenario, or none is")?;
            context.recorder.record("auc", auc, |m| {
                m.stage = "evaluate".into();
                m.phase = step.to_string();
                m.rows = rich.len() as u64;
            })?;
            context.progress.advance(1);
        }
        context.recorder.finish()
    }

    /// The cold scenario's net by the method, and the evaluation of all scenarios.
    pub(super) fn run(&self, mut context: JobContext<'_>) -> Result<()> {
        let settings: Settings = serde_yaml::from_value(self.job.settings.clone())?;
        let cold = self.scenario(&settings.cold)?;
        if methods::augmentation(&self.job.method)? == Augmentation::Single {
            let mut own = self.net()?;
            self.train(&mut own, "single", |s| s == cold, &settings.pretrain, &mut context)?;
            self.evaluate(&mut own, cold, true, &mut context.recorder)?;
            return context.recorder.finish();
        }
        let mut base = self.pretrained(&context)?;
        for scenario in (0..self.data.schema.scenarios.len() as u16).filter(|s| *s != cold) {
            self.evaluate(&mut base, scenario, false, &mut context.recorder)?;
        }
        let mut own = self.own_net(base, cold, &settings, &mut context)?;
        self.evaluate(&mut own, cold, true, &mut context.recorder)?;
        context.recorder.finish()
    }

    /// What the method makes of the pre-trained net for rows of the cold scenario; rows of the others go on seeing the
    /// pre-trained one.
    fn own_net(
        &self,
        mut own: Net,
        cold: u16,
        settings: &Settings,
        context: &mut JobContext<'_>,
    ) -> Result<Net> {
        match methods::augmentation(&self.job.method)? {
            Augmentation::Mix | Augmentation::Single => {}
            Augmentation::FineTune => {
                self.train(&mut own, "fine_tune", |s| s == cold, &settings.fine_tune, context)?;
            }
            Augmentation::Generated(generator) => {
                let slots = generated_slots(&self.data, &own)?;
                let sources = generator.load(shape(&slots, &own), |label| self.of_label(label), context)?;
                self.fine_tune(&mut own, sources, cold, settings, context)?;
            }
        }
        Ok(own)
    }

    /// The net of stage 1 and the cold scenario's own, as states, and the validation AUC of each on the cold scenario.
    pub(super) fn both(&self, mut context: JobContext<'_>) -> Result<[(State, f64); 2]> {
        let settings: Settings = serde_yaml::from_value(self.job.settings.clone())?;
        let cold = self.scenario(&settings.cold)?;
        let valid = self.feed("valid", |s| s == cold)?;
        let mut net = self.pretrained(&context)?;
        let before = (net.weights.state(), score(&mut net, &valid, StopBy::Auc)?);
        let mut own = self.own_net(net, cold, &settings, &mut context)?;
        let after = (own.weights.state(), score(&mut own, &valid, StopBy::Auc)?);
        context.recorder.finish()?;
        Ok([before, after])
    }

    fn evaluate(&self, net: &mut Net, scenario: u16, interval: bool, recorder: &mut Recorder) -> Result<()> {
        let name = &self.data.schema.scenarios[usize::from(scenario)];
        evaluate(net, &self.feed("test", |s| s == scenario)?, name, interval, recorder)
    }

    /// Stage 4.
    fn fine_tune(
        &self,
        own: &mut Net,
        mut sources: Sources,
        cold: u16,
        settings: &Settings,
        context: &mut JobContext<'_>,
    ) -> Result<()> {
        let entry = of_config(&self.job.model)?;
        let slots = generated_slots(&self.data, own)?;
        let fine_tune = FineTune {
            training: &settings.fine_tune,
            mixture: settings.mixture,
            specific: entry.specific,
            origin: Origin {
                cold: &self.feed("train", |s| s == cold)?,
                rich: &self.feed("train", |s| s != cold)?,
                slots: &slots,
                settings: settings.pool,
            },
            valid: &self.feed("valid", |s| s == cold)?,
            seed: self.build.seed,
        };
        let trained = fine_tune.run(own, &mut sources, context.progress, &mut context.recorder)?;
        record(&mut context.recorder, "fine_tune", "", &trained)
    }
}

/// Shape of a generated row, [C, d].
fn shape(slots: &[usize], net: &Net) -> [i64; 2] {
    [slots.len() as i64, net.weights.tables.dim() as i64]
}

/// Records what a loop cost and how it went.
fn record(recorder: &mut Recorder, stage: &str, phase: &str, trained: &Trained) -> Result<()> {
    let rate = trained.samples as f64 / trained.seconds.max(1e-9);
    let mut numbers = vec![
        ("seconds", trained.seconds),
        ("samples_per_second", rate),
        ("epochs", trained.losses.len() as f64),
        ("steps", trained.steps as f64),
        ("train_loss", trained.losses.last().copied().unwrap_or_default()),
    ];
    let best = trained.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if best.is_finite() {
        numbers.push(("valid_score", best));
    }
    for (metric, value) in numbers {
        recorder.record(metric, value, |m| {
            m.stage = stage.into();
            m.phase = phase.into();
            m.rows = trained.samples;
        })?;
    }
    recorder.curve(stage, phase, trained)
}
