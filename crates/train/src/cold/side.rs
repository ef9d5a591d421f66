//! Item side information: vectors from tables of a method's own, or the net's own vectors.
use crate::{
    batch::Batch,
    embedding::{Embedded, FeatureEmbedding},
    init::InitScheme,
    net::Build,
};
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

impl SideChoice {
    /// Whether the field of `schema` called `name` is side information.
    pub fn wants(self, schema: &Schema, name: &str) -> bool {
        match self {
            Self::Listed => schema.side.iter().any(|s| s == name),
            Self::FeaturesOnly => {
                let of_item = schema.field(name).is_some_and(|(_, f)| f.role == Role::Item);
                of_item && schema.item_id.as_deref() != Some(name)
            }
        }
    }
}

/// Picks an item's side information out of an embedded batch.
#[derive(Debug)]
pub struct SideFields {
    /// Neighbouring chosen fields: place of the first, how many.
    runs: Vec<(i64, i64)>,
    reals: Vec<i64>,
    width: i64,
}

impl SideFields {
    /// For batches in which all fields of `schema` are embedded with width `dim`: a net's.
    ///
    /// # Errors
    /// Data without side information for this choice.
    pub fn in_net(schema: &Schema, choice: SideChoice, dim: usize) -> Result<Self> {
        Self::among(schema, choice, dim, |_| true)
    }

    /// For batches in which the side information alone is embedded with width `dim`.
    ///
    /// # Errors
    /// Data without side information for this choice.
    pub fn alone(schema: &Schema, choice: SideChoice, dim: usize) -> Result<Self> {
        Self::among(schema, choice, dim, |name| choice.wants(schema, name))
    }

    fn among(
        schema: &Schema,
        choice: SideChoice,
        dim: usize,
        embedded: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for (place, (_, field)) in (0..).zip(schema.embedded().filter(|(_, f)| embedded(&f.name))) {
            match runs.last_mut() {
                _ if !choice.wants(schema, &field.name) => {}
                Some((first, n)) if *first + *n == place => *n += 1,
                _ => runs.push((place, 1)),
            }
        }
        let all = (0..).zip(schema.reals());
        let reals: Vec<i64> =
            all.filter(|(_, (_, f))| choice.wants(schema, &f.name)).map(|(place, _)| place).collect();
        let fields: i64 = runs.iter().map(|(_, n)| n).sum();
        let width = fields * dim as i64 + reals.len() as i64;
        ensure!(width > 0, "the data have no side information for this choice");
        Ok(Self { runs, reals, width })
    }

    /// Width D_s of [`vector`](Self::vector).
    pub fn width(&self) -> i64 {
        self.width
    }

    /// Embedded fields in the schema's order, then real fields in the schema's order.
    ///
    /// # Shapes
    /// -> [B, D_s]
    pub fn vector(&self, x: &Embedded) -> Tensor {
        let fields = self.runs.iter().map(|(first, n)| x.fields.narrow(1, *first, *n).flatten(1, 2));
        let reals = self.reals.iter().map(|r| x.reals.narrow(1, *r, 1));
        Tensor::cat(&fields.chain(reals).collect::<Vec<_>>(), 1)
    }
}

/// An item's side information in tables of a generator's own, as CVAR and CSDM have it.
#[derive(Debug)]
pub struct Side {
    fields: SideFields,
    frequency: i64,
}

impl Side {
    /// The side information of `schema`'s items with tables `side.<table>` of width `dim`, N(0, 1). `frequency` names the
    /// real field that generators take as the item's frequency.
    ///
    /// # Errors
    /// Data without item ids, side information for this choice or a real field called `frequency`.
    pub fn new(
        schema: &Schema,
        choice: SideChoice,
        frequency: &str,
        dim: usize,
        build: Build,
    ) -> Result<(Self, FeatureEmbedding)> {
        ensure!(schema.item_id.is_some(), "the data have no item id");
        let Build { seed, device, backend } = build;
        let wanted = |name: &str| choice.wants(schema, name);
        let tables =
            FeatureEmbedding::new(schema, wanted, "side.", dim, InitScheme::Torch, seed, device, backend)?;
        let place = schema.reals().position(|(_, f)| f.name == frequency);
        let frequency = place.with_context(|| format!("no real field is called {frequency:?}"))? as i64;
        Ok((Self { fields: SideFields::alone(schema, choice, dim)?, frequency }, tables))
    }

    /// Width D_s of [`vector`](Self::vector).
    pub fn width(&self) -> i64 {
        self.fields.width()
    }

    /// Embedded fields in the schema's order, then real fields in the schema's order.
    ///
    /// # Shapes
    /// -> [B, D_s]
    pub fn vector(&self, tables: &mut FeatureEmbedding, batch: &Batch, track: bool) -> Tensor {
        self.fields.vector(&tables.embed_with(batch, track, None))
    }

    /// The item's frequency.
    ///
    /// # Shapes
    /// reals [B, R] -> [B, 1]
    pub fn frequency(&self, reals: &Tensor) -> Tensor {
        reals.narrow(1, self.frequency, 1)
    }
}
