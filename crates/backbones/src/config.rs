//! What the models' configurations have in common.
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    InitScheme,
    config::{check, check_dropout, check_layers},
    nn::{MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};

/// The configuration of models that consist of embeddings and one MLP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepConfig {
    /// The registry's name.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<i64>,
    /// Normalisation of the hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values: `torch`, `joint_xavier`, or `{uniform: a}`.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl DeepConfig {
    pub(crate) fn check(&self) -> Result<()> {
        check_deep(self.dim, &self.mlp())
    }

    pub(crate) fn mlp(&self) -> MlpConfig {
        MlpConfig { hidden: self.hidden.clone(), norm: self.norm, dropout: self.dropout }
    }
}

/// Refuses widths and probabilities under which no model can be built; the keys are those of [`DeepConfig`].
pub(crate) fn check_deep(dim: usize, mlp: &MlpConfig) -> Result<()> {
    check(dim > 0, "dim", || "a width of 0".into())?;
    check(mlp.hidden.iter().all(|h| *h > 0), "hidden", || "a width below 1".into())?;
    check_dropout(mlp.dropout, "dropout")
}

/// Refuses widths and probabilities under which no stack of layers can be built; `stacks` are the widths of networks that
/// need a layer, by key.
pub(crate) fn check_stacks(dim: usize, dropout: f64, stacks: &[(&str, &[i64])]) -> Result<()> {
    check(dim > 0, "dim", || "a width of 0".into())?;
    stacks.iter().try_for_each(|(key, widths)| check_layers(key, widths))?;
    check_dropout(dropout, "dropout")
}

/// Width of [`Embedded::flat`](scenarec_train::Embedded::flat) for embeddings of width `dim`.
pub(crate) fn flat_width(schema: &Schema, dim: usize) -> i64 {
    (schema.embedded().count() * dim + schema.reals().count()) as i64
}
