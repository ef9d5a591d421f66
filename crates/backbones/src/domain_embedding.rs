//! A vector for every domain, for models that read the domain apart from the other fields.
//!
//! Shapes: B rows, D domains, d width, I width of z, the fields and reals.
use crate::config::flat_width;
use scenarec_data::{Role, Schema};
use scenarec_train::{Embedded, InitScheme, Params};
use tch::Tensor;

/// The domain indicator's embedding where the data have such a field, else a table of the model's own, parameter `domain`
/// [D, d].
#[derive(Debug)]
pub(crate) enum DomainEmbedding {
    /// The indicator's place among the embedded fields.
    Field(i64),
    /// [D, d].
    Table(Tensor),
}

impl DomainEmbedding {
    pub(crate) fn new(p: &mut Params, schema: &Schema, dim: usize, scheme: InitScheme) -> Self {
        match schema.embedded().position(|(_, f)| f.role == Role::Scenario) {
            Some(place) => Self::Field(place as i64),
            None => Self::Table(table(p, schema, dim, scheme)),
        }
    }

    /// # Shapes
    /// -> [B, d]
    pub(crate) fn forward(&self, x: &Embedded) -> Tensor {
        match self {
            Self::Field(place) => x.fields.select(1, *place),
            Self::Table(table) => table.index_select(0, &x.scenario),
        }
    }
    /// Width of [`others`](Self::others).
    pub(crate) fn width_of_others(&self, schema: &Schema, dim: usize) -> i64 {
        let own = if matches!(self, Self::Field(_)) { dim as i64 } else { 0 };
        flat_width(schema, dim) - own
    }

    /// Every field but the indicator, then the reals, as one vector per row.
    ///
    /// # Shapes
    /// -> [B, I], or [B, I - d] where the indicator is a field
    pub(crate) fn others(&self, x: &Embedded) -> Tensor {
        let Self::Field(place) = *self else { return x.flat() };
        let fields = |from: i64, end: i64| x.fields.narrow(1, from, end - from).flatten(1, 2);
        Tensor::cat(&[fields(0, place), fields(place + 1, x.fields.size()[1]), x.reals.shallow_clone()], 1)
    }
}

/// A vector for every domain, parameter `domain` [D, d].
pub(crate) fn table(p: &mut Params, schema: &Schema, dim: usize, scheme: InitScheme) -> Tensor {
    let rows = schema.scenarios.len();
    p.parameter_exactly("domain", &[rows as i64, dim as i64], scheme.embeddings(rows, rows, dim))
}
