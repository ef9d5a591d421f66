//! The recipe's sections.
use anyhow::Result;
use scenarec_train::{OptimSpec, config::check};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Name of the scenario with few rows.
    pub cold: String,
    /// The backbone on all scenarios' rows, or, for the method `single`, on the cold one's alone.
    pub pretrain: Training,
    /// Its copy on the cold scenario's rows, with generated ones where the method generates any.
    pub fine_tune: Training,
    /// How generated rows are mixed with true ones.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub mixture: Mixture,
    /// Where the generated rows come from.
    pub pool: Pool,
}

/// What determines the pre-trained net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PretrainSettings {
    pub pretrain: Training,
}

/// What determines a generator or a classifier, besides its own configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FitSettings {
    pub cold: String,
    pub pretrain: Training,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Training {
    /// Passes over the training rows at most.
    pub epochs: usize,
    /// Epochs without a better validation score after which training stops; the best epoch's net is kept.
    pub patience: usize,
    /// The score.
    pub stop_by: StopBy,
    /// Rows per step.
    pub batch: usize,
    /// The optimiser.
    pub optim: OptimSpec,
}

/// By what a training's best epoch is chosen, on the validation rows of the scenarios that it trains on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StopBy {
    /// The AUC over all rows together.
    Auc,
    /// The log loss.
    Logloss,
}

/// What a step of the fine-tune sees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Mixture {
    /// `fine_tune.batch` rows; an epoch is a pass over the true ones.
    Ratio {
        /// True rows for each generated one (the paper: 3).
        true_per_generated: f64,
        /// Share of the generated rows that come from other scenarios' rows, where the pool has any; the others are
        /// drawn from noise.
        transferred: f64,
    },
    /// All true rows, as in the released program; an epoch has as many steps as the other scenarios' rows have batches.
    AllTrue {
        /// Rows drawn from noise.
        generated: usize,
        /// Rows of the other scenarios in a batch: as many are transferred as the pool has of so many rows.
        rich: usize,
    },
}

/// Generated rows in stock: embeddings, generators and classifier are frozen while the net is fine-tuned, so rows that
/// were drawn before follow the same distribution as rows drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    /// Rows drawn from noise; their labels are those of as many random rows of the cold scenario.
    pub generated: usize,
    /// Random training rows of the other scenarios that are looked through for rows to transfer.
    pub rich: usize,
    /// When it is drawn anew.
    pub refresh: Refresh,
}

/// When the pool is drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refresh {
    /// It is drawn once.
    Never,
    /// For every epoch.
    Epoch,
    /// For every step, as in the released program.
    Step,
}

pub(super) fn resolve(value: Value) -> Result<Value> {
    scenarec_train::config::resolve(value, |settings: &Settings| {
        let Settings { pretrain, fine_tune, mixture, pool, .. } = settings;
        for (section, training) in [("pretrain", pretrain), ("fine_tune", fine_tune)] {
            let key = |name: &str| format!("{section}.{name}");
            check(training.epochs > 0, &key("epochs"), || "no epoch".into())?;
            check(training.patience > 0, &key("patience"), || "training would stop before it begins".into())?;
            check(training.batch > 1, &key("batch"), || "batch norm needs two rows at least".into())?;
            training.optim.check(&key("optim"))?;
        }
        if let Mixture::Ratio { true_per_generated, transferred } = *mixture {
            check(true_per_generated > 0.0, "mixture.ratio.true_per_generated", || {
                format!("{true_per_generated} is not above 0")
            })?;
            check((0.0..=1.0).contains(&transferred), "mixture.ratio.transferred", || {
                format!("{transferred} is no share")
            })?;
        }
        if let Mixture::AllTrue { generated, rich } = *mixture {
            check(generated > 0, "mixture.all_true.generated", || "no generated row".into())?;
            check((1..=pool.rich).contains(&rich), "mixture.all_true.rich", || {
                format!("{rich} is not between 1 and pool.rich, {}", pool.rich)
            })?;
        }
        check(pool.generated > 0, "pool.generated", || "an empty pool".into())?;
        check(pool.rich > 0, "pool.rich", || "no row to look through".into())
    })
}
