//! A vector for every domain, for models that read the domain apart from the other fields.
//!
//! Shapes: B rows, D domains, d width, I width of z, the fields and reals.
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
            None => {
                let rows = schema.scenarios.len();
                let init = scheme.embeddings(rows, rows, dim);
                Self::Table(p.parameter_exactly("domain", &[rows as i64, dim as i64], init))
            }
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
}
