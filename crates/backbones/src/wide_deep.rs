//! Wide & Deep (Cheng et al., DLRS 2016), as CVAR's and CSDM's programs have it: the wide part is linear in the real
//! fields, without crossed features and without a bias; the deep part sees the embedded fields only.
//!
//! Shapes: B rows, F embedded fields, R real fields, d width.
use crate::{config::DeepConfig, entry};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, ModelEntry, Net, Output, Params, config::resolve, model::one_task,
    nn::Mlp,
};
use tch::Tensor;

pub(crate) const ENTRY: ModelEntry = entry(
    "wide_deep",
    &["wide.weight", "mlp.*"],
    |value| resolve(value, DeepConfig::check),
    |schema, value, build| WideDeep::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = Σ_r w_r x_r + MLP(flatten fields). Without real fields the sum is empty.
///
/// Parameters `wide.weight` `[R]`, `mlp.*`.
#[derive(Debug)]
pub struct WideDeep {
    wide: Tensor,
    mlp: Mlp,
}

impl WideDeep {
    /// The model with its tables.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &DeepConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &DeepConfig) -> Self {
        let inputs = (schema.embedded().count() * config.dim) as i64;
        // A torch.nn.Linear(1, 1) per real field.
        let wide = p.sub("wide").parameter("weight", &[schema.reals().count() as i64], Init::linear(1));
        Self { wide, mlp: Mlp::new(&mut p.sub("mlp"), inputs, &config.mlp(), Some(1)) }
    }
}

impl CtrModel for WideDeep {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let wide = x.reals.mv(&self.wide).unsqueeze(1);
        Output { logits: wide + self.mlp.forward(&x.fields.flatten(1, 2), train), aux: vec![] }
    }
}
