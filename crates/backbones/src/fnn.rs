//! FNN (Zhang et al., ECIR 2016) without its pre-training by factorisation machines, as Diff-MSR's program has it: a
//! multilayer perceptron on all fields. One logit serves all scenarios.
use crate::{
    config::{DeepConfig, flat_width},
    entry,
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, ModelEntry, Net, Output, config::resolve, model::one_task, nn::Mlp,
};

pub(crate) const ENTRY: ModelEntry = entry(
    "fnn",
    &["mlp.*"],
    |value| resolve(value, DeepConfig::check),
    |schema, value, build| Fnn::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = MLP(z), z = fields and reals. Parameters `mlp.*`.
#[derive(Debug)]
pub struct Fnn(Mlp);

impl Fnn {
    /// The model with its tables.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &DeepConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| {
            let inputs = flat_width(schema, config.dim);
            Ok(Box::new(Self(Mlp::new(&mut p.sub("mlp"), inputs, &config.mlp(), Some(1)))))
        })
    }
}

impl CtrModel for Fnn {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        Output { logits: self.0.forward(&x.flat(), train), aux: vec![] }
    }
}
