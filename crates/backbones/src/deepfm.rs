//! DeepFM (Guo et al., IJCAI 2017), as CVAR's and CSDM's programs have it: factors of order one over real fields only,
//! a trainable vector per real field, batch norm in the MLP.
//!
//! Shapes: B rows, F embedded fields, R real fields, d width, E = F + R.
use crate::{
    ModelEntry,
    config::{DeepConfig, one_task},
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{Build, CtrModel, Embedded, Init, Net, Output, Params, config::resolve, nn::Mlp};
use tch::{Kind, Tensor};

pub(crate) const ENTRY: ModelEntry = ModelEntry::new(
    "deepfm",
    &["{reals,first_order}.weight", "mlp.*"],
    |value| resolve(value, DeepConfig::check),
    |schema, value, build| DeepFm::net(schema, &serde_yaml::from_value(value)?, build),
);

/// logit = Σ_r w_r x_r + FM(E) + MLP(flatten E).
///
/// Parameters `reals.weight` [R, d], `first_order.weight` `[R]`, `mlp.*`.
#[derive(Debug)]
pub struct DeepFm {
    reals: Tensor,
    first_order: Tensor,
    mlp: Mlp,
}

impl DeepFm {
    /// The model with its tables.
    pub fn net(schema: &Schema, config: &DeepConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &DeepConfig) -> Self {
        let d = config.dim as i64;
        let (fields, reals) = (schema.embedded().count() as i64, schema.reals().count() as i64);
        Self {
            reals: p.sub("reals").parameter("weight", &[reals, d], Init::Normal { std: 1.0 }),
            first_order: p.sub("first_order").parameter("weight", &[reals], Init::linear(1)),
            mlp: Mlp::new(&mut p.sub("mlp"), (fields + reals) * d, &config.mlp(), Some(1)),
        }
    }
}

impl CtrModel for DeepFm {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let reals = x.reals.unsqueeze(-1) * &self.reals;
        let e = Tensor::cat(&[&x.fields, &reals], 1);
        let first_order = x.reals.mv(&self.first_order).unsqueeze(1);
        let one = [1i64].as_slice();
        let sum = e.sum_dim_intlist(one, false, Kind::Float);
        let flat = e.flatten(1, 2);
        // ½ Σ_d [(Σ_f e)² − Σ_f e²]: the second sum over d and f at once.
        let pairs = (sum.square().sum_dim_intlist(one, true, Kind::Float)
            - flat.square().sum_dim_intlist(one, true, Kind::Float))
            * 0.5;
        Output { logits: first_order + pairs + self.mlp.forward(&flat, train), aux: vec![] }
    }
}
