//! STAR (Sheng et al., CIKM 2021): every layer's weights are a domain's own times shared ones; and the reduced form of it
//! that M3oE's authors compare with.
//!
//! Shapes: B rows, D domains, T tasks, I width of z, the fields and reals.
mod original;
mod partitioned_norm;
mod reduced;

use crate::{config::check_stacks, entry};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{Build, InitScheme, ModelEntry, Net, config::resolve};
use serde::{Deserialize, Serialize};

pub use original::Star;
pub use reduced::ReducedStar;

/// STAR's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StarConfig {
    /// The registry's name, `star`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Which STAR.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub form: StarForm,
    /// Dropout probability after every hidden layer that is no star layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// Which STAR, with its widths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StarForm {
    /// The paper's: partitioned normalisation, a star network, an auxiliary network.
    Original {
        /// Widths of the star network's hidden layers.
        hidden: Vec<i64>,
        /// Widths of the auxiliary network's hidden layers.
        auxiliary: Vec<i64>,
    },
    /// One star layer beside a layer that knows no domain, then layers and a head that all domains share.
    Reduced {
        /// Width of the star layer.
        star: i64,
        /// Width of what the star layer and the one beside it are added in.
        representation: i64,
        /// Widths of the hidden layers above, the tower's included.
        hidden: Vec<i64>,
    },
}

impl StarConfig {
    fn check(&self) -> Result<()> {
        let stacks: &[(&str, &[i64])] = match &self.form {
            StarForm::Original { hidden, auxiliary } => {
                &[("form.original.hidden", hidden), ("form.original.auxiliary", auxiliary)]
            }
            StarForm::Reduced { star, representation, hidden } => &[
                ("form.reduced.star", &[*star]),
                ("form.reduced.representation", &[*representation]),
                ("form.reduced.hidden", hidden),
            ],
        };
        check_stacks(self.dim, self.dropout, stacks)
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "star",
    &["{norm,layers.*,representation.star}.own*"],
    |value| resolve(value, StarConfig::check),
    |schema, value, build| net(schema, &serde_yaml::from_value(value)?, build),
)
.isolated();

/// The form that a configuration names, with its tables.
fn net(schema: &Schema, config: &StarConfig, build: Build) -> Result<Net> {
    Net::new(schema, config.dim, config.init, build, |p| {
        Ok(match &config.form {
            StarForm::Original { hidden, auxiliary } => {
                Box::new(Star::new(p, schema, config, hidden, auxiliary))
            }
            StarForm::Reduced { star, representation, hidden } => {
                Box::new(ReducedStar::new(p, schema, config, [*star, *representation], hidden))
            }
        })
    })
}
