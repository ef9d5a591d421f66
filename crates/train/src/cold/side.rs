//! Item side information as the generators of CVAR and CSDM see it: vectors from tables of their own.
use crate::{batch::Batch, embedding::FeatureEmbedding, init::InitScheme, net::Build};
use anyhow::{Context, Result, ensure};
use scenarec_data::{Role, Schema};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Which fields are side information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SideChoice {
    /// The fields the released programs list, which include the item id.
    #[default]
    Listed,
    /// All fields of the item but its id.
    FeaturesOnly,
}

/// Chooses and concatenates an item's side information.
#[derive(Debug)]
pub struct Side {
    reals: Vec<i64>,
    frequency: i64,
    width: i64,
}

impl Side {
    /// The side information of `schema`'s items with tables `side.<table>` of width `dim`, N(0, 1). `frequency` names the
    /// real field that generators take as the item's frequency.
    pub fn new(
        schema: &Schema,
        choice: SideChoice,
        frequency: &str,
        dim: usize,
        build: Build,
    ) -> Result<(Self, FeatureEmbedding)> {
        let item_id = schema.item_id.as_deref().context("the data have no item id")?;
        let wanted = |name: &str| match choice {
            SideChoice::Listed => schema.side.iter().any(|s| s == name),
            SideChoice::FeaturesOnly => {
                name != item_id && schema.field(name).is_some_and(|(_, f)| f.role == Role::Item)
            }
        };
        let Build { seed, device, backend } = build;
        let tables =
            FeatureEmbedding::new(schema, wanted, "side.", dim, InitScheme::Torch, seed, device, backend)?;
        let real = |name: &str| schema.reals().position(|(_, f)| f.name == name).map(|i| i as i64);
        let reals: Vec<i64> =
            schema.reals().filter(|(_, f)| wanted(&f.name)).filter_map(|(_, f)| real(&f.name)).collect();
        let frequency = real(frequency).with_context(|| format!("no real field is called {frequency:?}"))?;
        let width = (tables.fields() * dim + reals.len()) as i64;
        ensure!(width > 0, "the data have no side information for this choice");
        Ok((Self { reals, frequency, width }, tables))
    }

    /// Width D_s of [`vector`](Self::vector).
    pub fn width(&self) -> i64 {
        self.width
    }

    /// Embedded fields in the schema's order, then real fields in the schema's order.
    ///
    /// # Shapes
    /// -> [B, D_s]
    pub fn vector(&self, tables: &mut FeatureEmbedding, batch: &Batch, track: bool) -> Tensor {
        let x = tables.embed_with(batch, track, None);
        let mut parts = vec![x.fields.flatten(1, 2)];
        parts.extend(self.reals.iter().map(|r| x.reals.narrow(1, *r, 1)));
        Tensor::cat(&parts, 1)
    }

    /// The item's frequency.
    ///
    /// # Shapes
    /// reals [B, R] -> [B, 1]
    pub fn frequency(&self, reals: &Tensor) -> Tensor {
        reals.narrow(1, self.frequency, 1)
    }
}
