//! DeepFM (Guo et al., IJCAI 2017). As CVAR's and CSDM's programs have it there are terms of order one for real fields only, and a
//! trainable vector per real field; `first_order_ids` adds those of ids.
//!
//! Shapes: B rows, F embedded fields, R real fields, d width, E = F + R.
use crate::{config::check_deep, entry};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, ModelEntry, Net, Output, Params,
    config::resolve,
    model::one_task,
    nn::{Mlp, MlpConfig, Norm, pairs},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// DeepFM's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepFmConfig {
    /// The registry's name, `deepfm`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<i64>,
    /// Normalisation of the hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
    /// Whether ids have weights of order one; an absent key says that they have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_order_ids: bool,
}

impl DeepFmConfig {
    fn check(&self) -> Result<()> {
        check_deep(self.dim, &self.mlp())
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig { hidden: self.hidden.clone(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "deepfm",
    &["{reals.weight,first_order.weight,bias}", "mlp.*"],
    |value| resolve(value, DeepFmConfig::check),
    |schema, value, build| DeepFm::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = Σ_r w_r x_r (+ Σ_f w_f + b) + FM(E) + MLP(flatten E), w_f the weight of field f's id.
///
/// Parameters `reals.weight` [R, d], `first_order.weight` `[R]`, `mlp.*`; with `first_order_ids` `linear.<table>` (w) and `bias`
/// (b) `[1]`.
#[derive(Debug)]
pub struct DeepFm {
    reals: Tensor,
    first_order: Tensor,
    bias: Option<Tensor>,
    mlp: Mlp,
}

impl DeepFm {
    /// The model with its tables.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &DeepFmConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        let net = if config.first_order_ids { Net::with_linear } else { Net::new };
        let model =
            |p: &mut Params<'_>| -> Result<Box<dyn CtrModel>> { Ok(Box::new(Self::new(p, schema, config))) };
        net(schema, config.dim, config.init, build, model)
    }

    fn new(p: &mut Params, schema: &Schema, config: &DeepFmConfig) -> Self {
        let d = config.dim as i64;
        let (fields, reals) = (schema.embedded().count() as i64, schema.reals().count() as i64);
        Self {
            reals: p.sub("reals").parameter("weight", &[reals, d], Init::Normal { std: 1.0 }),
            first_order: p.sub("first_order").parameter("weight", &[reals], Init::linear(1)),
            bias: config.first_order_ids.then(|| p.parameter("bias", &[1], Init::Constant(0.0))),
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
        let mut first_order = x.reals.mv(&self.first_order).unsqueeze(1);
        if let Some(bias) = &self.bias {
            first_order = first_order + x.linear.sum_dim_intlist([1i64].as_slice(), true, Kind::Float) + bias;
        }
        let deep = self.mlp.forward(&e.flatten(1, 2), train);
        Output { logits: first_order + pairs(&e) + deep, aux: vec![] }
    }
}
