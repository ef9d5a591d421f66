//! Which rich rows are transferred, and from which step on (Diff-MSR, section 3.5).
use super::classifier::Classifier;
use anyhow::Result;
use scenarec_train::{
    config::check,
    rng::{Rng, normal},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Rows that are noised to all steps of the window at once.
const PIECE: i64 = 2048;

/// From what a selected row is made clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStart {
    /// From the noised row: the paper.
    Noised,
    /// From the row itself, as if it were noised: the released program.
    Clean,
}

/// The window's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// First step at which a row may be taken for a cold one (the paper: 30, or 20 with models that have a head
    /// for each scenario).
    pub from: usize,
    /// The step after the last one (50, or 40).
    pub to: usize,
    /// From what a selected row is made clean.
    pub start: TransferStart,
}

impl WindowConfig {
    /// Refuses a window that is empty or beyond the schedule.
    pub fn check(&self, timesteps: usize) -> Result<()> {
        let &Self { from, to, .. } = self;
        check(to <= timesteps, "to", || format!("{to} is beyond the {timesteps} time steps"))?;
        check(from < to, "from", || format!("{from} is not below `to`, {to}: no step is left"))
    }
}

/// Finds rows that the classifier takes for the cold scenario's.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    config: WindowConfig,
}

/// The selected ones of some rows.
#[derive(Debug)]
pub struct Selected {
    /// Their places among the rows, ascending: m of them.
    pub rows: Vec<usize>,
    /// The step of each, from which it is to be made clean.
    pub steps: Vec<usize>,
    /// What is to be made clean, [m, C, d].
    pub z: Tensor,
}

impl Window {
    /// For a schedule of `timesteps` steps.
    pub fn new(config: WindowConfig, timesteps: usize) -> Result<Self> {
        config.check(timesteps)?;
        Ok(Self { config })
    }

    /// For each row the first step of the window at which the classifier takes the noised row for a cold one; the
    /// noise of a row is the same at all steps. Rows that it never does are left out.
    ///
    /// # Shapes
    /// z0 [n, C, d]
    pub fn select(&self, classifier: &Classifier, z0: &Tensor, rng: &mut Rng) -> Result<Selected> {
        let noise = normal(&z0.size(), rng).to_device(z0.device());
        self.select_with(classifier, z0, &noise)
    }

    /// The same with given noise.
    ///
    /// # Shapes
    /// z0, noise [n, C, d]
    pub fn select_with(&self, classifier: &Classifier, z0: &Tensor, noise: &Tensor) -> Result<Selected> {
        let _guard = tch::no_grad_guard();
        let WindowConfig { to, start, .. } = self.config;
        let mut first: Vec<i64> = Vec::new();
        for (z0, noise) in z0.split(PIECE, 0).iter().zip(noise.split(PIECE, 0)) {
            first.extend(Vec::<i64>::try_from(self.first_steps(classifier, z0, &noise))?);
        }
        let rows: Vec<usize> = (0..first.len()).filter(|i| first[*i] < to as i64).collect();
        let steps: Vec<usize> = rows.iter().map(|i| first[*i] as usize).collect();
        let tensor = |v: &[usize]| {
            Tensor::from_slice(&v.iter().map(|i| *i as i64).collect::<Vec<_>>()).to_device(z0.device())
        };
        let places = tensor(&rows);
        let z0 = z0.index_select(0, &places);
        let z = match start {
            TransferStart::Noised => {
                let level = classifier.process().level(&tensor(&steps));
                level.noised(&z0, &noise.index_select(0, &places))
            }
            TransferStart::Clean => z0,
        };
        Ok(Selected { rows, steps, z })
    }

    /// The first step at which each row is taken for a cold one; the window's end where there is none.
    ///
    /// # Shapes
    /// z0, noise [n, C, d] -> i64 `[n]`
    fn first_steps(&self, classifier: &Classifier, z0: &Tensor, noise: &Tensor) -> Tensor {
        let WindowConfig { from, to, .. } = self.config;
        let noised: Vec<Tensor> = (from..to).map(|k| classifier.process().noised(z0, noise, k)).collect();
        let cold = classifier.is_cold(&Tensor::cat(&noised, 0)).view([(to - from) as i64, -1]);
        let [from, to] = [from, to].map(|k| k as i64);
        let before_end = Tensor::arange_start(from - to, 0, (Kind::Int64, z0.device())).unsqueeze(1);
        (before_end * cold.to_kind(Kind::Int64)).amin(0, false) + to
    }
}
