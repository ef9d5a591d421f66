//! What a method of the recipe does, and how its generators are built.
use super::{CLASSIFIER, GENERATOR, pool::Sources, task};
use crate::job::JobContext;
use anyhow::{Context, Result};
use scenarec_baselines::GeneratorConfig;
use scenarec_diffusion::diff_msr::{
    Classifier, ClassifierConfig, Diffusion, DiffusionConfig, NoiseSchedule, SamplerConfig, Schedule, Window,
    WindowConfig,
};
use scenarec_train::{Build, RowSource, net::load_state};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// A method of the recipe `augment`.
#[derive(Clone, Debug, PartialEq)]
pub enum Augmentation {
    /// The net that was trained on all scenarios.
    Mix,
    /// That net, all of its parameters fine-tuned on the cold scenario's rows.
    FineTune,
    /// A net trained on the cold scenario's rows alone.
    Single,
    /// That of all scenarios, the cold scenario's own parameters fine-tuned on true and generated rows.
    Generated(Box<Generator>),
}

/// How rows are generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Generator {
    /// From noise.
    pub rows: RowsConfig,
    /// From other scenarios' rows, where they are transferred.
    pub transfer: Option<TransferConfig>,
}

/// The configuration of a generator of rows from noise; its `name` chooses which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RowsConfig {
    /// Diffusion models.
    Diff(DiffConfig),
    /// One of the baselines.
    Baseline(GeneratorConfig),
}

/// The configuration of the method `diff`: diffusion without transferred rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffConfig {
    /// The registry's name, `diff`.
    pub name: String,
    /// The diffusion models, one for each label.
    pub diffusion: DiffusionConfig,
}

/// Diff-MSR's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffMsrConfig {
    /// The registry's name, `diff-msr`.
    pub name: String,
    /// The diffusion models, one for each label.
    pub diffusion: DiffusionConfig,
    /// How other scenarios' rows are transferred.
    pub transfer: TransferConfig,
}

/// How other scenarios' rows are transferred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferConfig {
    /// What tells rows of the cold scenario from those of the others.
    pub classifier: ClassifierConfig,
    /// At which steps of the forward process a row may be taken for the cold scenario's.
    pub window: WindowConfig,
}

/// What determines the classifier: besides its own configuration the process that noises rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassifierStage {
    name: String,
    timesteps: usize,
    schedule: Schedule,
    classifier: ClassifierConfig,
}

impl ClassifierStage {
    /// The classifier of rows of `shape` [C, d], not yet trained.
    pub fn build(&self, shape: [i64; 2], build: Build) -> Result<Classifier> {
        Classifier::new(&self.classifier, &NoiseSchedule::new(self.schedule, self.timesteps)?, shape, build)
    }

    /// The trained classifier, from its stage's folder.
    pub fn load(&self, shape: [i64; 2], build: Build, context: &JobContext<'_>) -> Result<Classifier> {
        let mut classifier = self.build(shape, build)?;
        let file = context.input(CLASSIFIER)?.join(task::CLASSIFIER_FILE);
        classifier.weights().load(&load_state(&file)?, "")?;
        Ok(classifier)
    }
}

impl DiffMsrConfig {
    pub(crate) fn check(&self) -> Result<()> {
        let timesteps = self.diffusion.timesteps;
        self.transfer.classifier.check(timesteps)?;
        self.transfer.window.check(timesteps)
    }

    /// Both kinds of rows; those from noise as the method `diff` makes them, so that the two share generators.
    pub(crate) fn generator(self) -> Generator {
        let rows = RowsConfig::Diff(DiffConfig { name: "diff".into(), diffusion: self.diffusion });
        Generator { rows, transfer: Some(self.transfer) }
    }
}

impl Generator {
    /// What the classifier's stage is to do, where there is one.
    pub(super) fn classifier_stage(&self) -> Option<ClassifierStage> {
        let (RowsConfig::Diff(DiffConfig { diffusion, .. }), Some(transfer)) = (&self.rows, &self.transfer)
        else {
            return None;
        };
        Some(ClassifierStage {
            name: "diff-msr".into(),
            timesteps: diffusion.timesteps,
            schedule: diffusion.schedule,
            classifier: transfer.classifier.clone(),
        })
    }

    /// The fitted generators, and the classifier where there is one, from the stages' folders. `build` says how a label's
    /// generator is built.
    pub(super) fn load(
        &self,
        shape: [i64; 2],
        build: impl Fn(usize) -> Build,
        context: &JobContext<'_>,
    ) -> Result<Sources> {
        let folder = context.input(GENERATOR)?;
        let state = |label: usize| load_state(&folder.join(task::generator_file(label)));
        let (RowsConfig::Diff(diff), Some(transfer), Some(stage)) =
            (&self.rows, &self.transfer, self.classifier_stage())
        else {
            let source = |label: usize| -> Result<Box<dyn RowSource>> {
                let mut source = self.rows.source(shape, build(label))?;
                source.weights().load(&state(label)?, "")?;
                Ok(source)
            };
            return Ok(Sources::Noise([source(0)?, source(1)?]));
        };
        let diffusion = |label: usize| -> Result<Diffusion> {
            let mut diffusion = Diffusion::new(&diff.diffusion, shape, build(label))?;
            diffusion.weights().load(&state(label)?, "")?;
            Ok(diffusion)
        };
        Ok(Sources::Transfer {
            generators: Box::new([diffusion(0)?, diffusion(1)?]),
            classifier: Box::new(stage.load(shape, build(0), context)?),
            window: Window::new(transfer.window, diff.diffusion.timesteps)?,
        })
    }
}

impl RowsConfig {
    /// From a resolved method.
    pub(super) fn of(method: &Value) -> Result<Self> {
        let name = method.get("name").and_then(Value::as_str).context("a method has a name")?;
        Ok(match name {
            "diff" => Self::Diff(serde_yaml::from_value(method.clone())?),
            _ => Self::Baseline(serde_yaml::from_value(method.clone())?),
        })
    }

    /// What determines the fitted generator, as a resolved method. How rows are sampled from a diffusion model does not.
    pub(super) fn fit_only(&self) -> Result<Value> {
        let mut same = self.clone();
        if let Self::Diff(DiffConfig { diffusion, .. }) = &mut same {
            (diffusion.clamp, diffusion.sampler) = (true, SamplerConfig::Ddpm);
        }
        Ok(serde_yaml::to_value(same)?)
    }

    /// The generator of rows of `shape` [C, d], not yet fitted.
    pub(super) fn source(&self, shape: [i64; 2], build: Build) -> Result<Box<dyn RowSource>> {
        Ok(match self {
            Self::Diff(config) => Box::new(Diffusion::new(&config.diffusion, shape, build)?),
            Self::Baseline(config) => config.build(shape, build)?,
        })
    }
}
