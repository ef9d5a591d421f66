//! One multilayer perceptron on all fields, for one scenario and one task (M3oE, Section 3.1, baseline MLP).
use crate::{
    config::{DeepConfig, flat_width},
    entry,
};
use anyhow::{Result, ensure};
use scenarec_data::Schema;
use scenarec_train::{Build, CtrModel, Embedded, ModelEntry, Net, Output, config::resolve, nn};

pub(crate) const ENTRY: ModelEntry = entry(
    "mlp",
    &["mlp.*"],
    |value| resolve(value, DeepConfig::check),
    |schema, value, build| Mlp::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = MLP(z), z = fields and reals. Parameters `mlp.*`.
#[derive(Debug)]
pub struct Mlp(nn::Mlp);

impl Mlp {
    /// The model with its tables. Several scenarios or tasks are refused: with a head for each it would be Shared Bottom.
    ///
    /// # Errors
    /// Data with several pairs of a scenario and a task, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &DeepConfig, build: Build) -> Result<Net> {
        let (scenarios, tasks) = (schema.scenarios.len(), schema.tasks.len());
        ensure!(
            scenarios * tasks == 1,
            "mlp is for one scenario and one task, not for {scenarios} and {tasks}: train one for each pair \
             (scoping `single`), or take shared_bottom"
        );
        Net::new(schema, config.dim, config.init, build, |p| {
            let inputs = flat_width(schema, config.dim);
            Ok(Box::new(Self(nn::Mlp::new(&mut p.sub("mlp"), inputs, &config.mlp(), Some(1)))))
        })
    }
}

impl CtrModel for Mlp {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        Output { logits: self.0.forward(&x.flat(), train), aux: vec![] }
    }
}
