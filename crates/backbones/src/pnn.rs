//! PNN with inner products (Qu et al., ICDM 2016), as CVAR's and CSDM's programs have it: every pair of embedded fields
//! once; real fields are not used.
//!
//! Shapes: B rows, F embedded fields, d width, P = F (F − 1) / 2 pairs.
use crate::{config::DeepConfig, entry};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, ModelEntry, Net, Output, Params, config::resolve, model::one_task, nn::Mlp,
};
use tch::Tensor;

pub(crate) const ENTRY: ModelEntry = entry(
    "pnn",
    &["mlp.*"],
    |value| resolve(value, DeepConfig::check),
    |schema, value, build| Pnn::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = MLP([flatten fields ; ⟨e_i, e_j⟩ for i < j]), pairs in the order (0, 1), (0, 2), …, (1, 2), ….
///
/// Parameters `mlp.*`.
#[derive(Debug)]
pub struct Pnn {
    /// Places of the pairs in the flattened matrix of all products, i64 `[P]`.
    pairs: Tensor,
    mlp: Mlp,
}

impl Pnn {
    /// The model with its tables.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &DeepConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &DeepConfig) -> Self {
        let fields = schema.embedded().count() as i64;
        let pairs = pairs(fields);
        let inputs = fields * config.dim as i64 + pairs.len() as i64;
        Self {
            pairs: Tensor::from_slice(&pairs).to_device(p.device()),
            mlp: Mlp::new(&mut p.sub("mlp"), inputs, &config.mlp(), Some(1)),
        }
    }
}

/// Places of the pairs (0, 1), (0, 2), …, (1, 2), … in a flattened n x n matrix.
pub(crate) fn pairs(n: i64) -> Vec<i64> {
    (0..n).flat_map(|i| (i + 1..n).map(move |j| i * n + j)).collect()
}

impl CtrModel for Pnn {
    /// # Shapes
    /// fields [B, F, d] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let products = x.fields.bmm(&x.fields.transpose(1, 2)).flatten(1, 2).index_select(1, &self.pairs);
        let inputs = Tensor::cat(&[x.fields.flatten(1, 2), products], 1);
        Output { logits: self.mlp.forward(&inputs, train), aux: vec![] }
    }
}
