//! SACN's configuration.
use super::modulation::Modulation;
use crate::contrast::{Denominator, ScenarioContrast};
use anyhow::Result;
use scenarec_train::{
    InitScheme,
    config::{check, check_layers, check_number},
};
use serde::{Deserialize, Serialize};

/// SACN's configuration. The switches of Table 3 are `attributes` and a `contrast.weight` of 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SacnConfig {
    /// The registry's name, `sacn`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Number of attention heads, which divides the width.
    pub heads: i64,
    /// How scenario and target modulate the attention's matrices.
    pub modulation: Modulation,
    /// What the attribute-level preferences come from.
    pub attributes: Attributes,
    /// The scenario contrastive module.
    pub contrast: ContrastConfig,
    /// The alignment loss of `asif`; without effect elsewhere.
    pub alignment: AlignmentConfig,
    /// Widths of the prediction network.
    pub hidden: Vec<i64>,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// The scenario contrastive module's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastConfig {
    /// γ of Eq. 9, the weight of both losses; 0 for none.
    pub weight: f64,
    /// τ.
    pub temperature: f64,
    /// What the positive pair is compared with.
    pub denominator: Denominator,
}

/// The configuration of the loss that aligns items with their attributes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentConfig {
    /// Its weight; 0 for none.
    pub weight: f64,
    /// Its temperature.
    pub temperature: f64,
}

/// What the attribute-level preferences come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attributes {
    /// Attention that scenario and target modulate, for every attribute (APE).
    ScenarioAttention,
    /// DIF-SR, which knows neither scenario nor target.
    DifSr,
    /// A reconstruction of ASIF, likewise.
    Asif,
    /// Nothing: there are no attributes, and without their preferences no contrast.
    None,
}

impl SacnConfig {
    pub(crate) fn check(&self) -> Result<()> {
        check(self.dim > 0, "dim", || "a width of 0".into())?;
        check_number(self.heads, "heads")?;
        check(self.dim as i64 % self.heads == 0, "heads", || {
            format!("{} does not divide the width {}", self.heads, self.dim)
        })?;
        check_loss("contrast", self.contrast.weight, self.contrast.temperature)?;
        check_loss("alignment", self.alignment.weight, self.alignment.temperature)?;
        check_layers("hidden", &self.hidden)
    }

    /// The contrast and its weight, where it has one.
    pub(crate) fn contrast(&self) -> Option<(f64, ScenarioContrast)> {
        let ContrastConfig { weight, temperature, denominator } = self.contrast;
        (weight > 0.0).then_some((weight, ScenarioContrast { temperature, denominator }))
    }
}

fn check_loss(key: &str, weight: f64, temperature: f64) -> Result<()> {
    check(weight.is_finite() && weight >= 0.0, &format!("{key}.weight"), || format!("{weight} is below 0"))?;
    check(temperature.is_finite() && temperature > 0.0, &format!("{key}.temperature"), || {
        format!("{temperature} is not above 0")
    })
}
