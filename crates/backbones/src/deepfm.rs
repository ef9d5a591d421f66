//! DeepFM (Guo et al., IJCAI 2017), as CVAR's and CSDM's programs have it: factors of order one over real fields only,
//! a trainable vector per real field, batch norm in the MLP.
//!
//! Shapes: B rows, F embedded fields, R real fields, d width, E = F + R.
use crate::ModelEntry;
use anyhow::{Result, ensure};
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, Net, Output, Params,
    config::{check, check_dropout},
    nn::{Mlp, MlpConfig, Norm},
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
    /// Initial values: `torch`, or `{uniform: a}`.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl DeepFmConfig {
    fn check(&self) -> Result<()> {
        check(self.dim > 0, "dim", || "a width of 0".into())?;
        check(self.hidden.iter().all(|h| *h > 0), "hidden", || "a width below 1".into())?;
        check_dropout(self.dropout, "dropout")
    }
}

pub(crate) const ENTRY: ModelEntry = ModelEntry {
    name: "deepfm",
    resolve: |value| {
        let config: DeepFmConfig = serde_yaml::from_value(value)?;
        config.check()?;
        Ok(serde_yaml::to_value(config)?)
    },
    build: |schema, value, build| DeepFm::net(schema, &serde_yaml::from_value(value)?, build),
};

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
    pub fn net(schema: &Schema, config: &DeepFmConfig, build: Build) -> Result<Net> {
        ensure!(schema.tasks.len() == 1, "deepfm has one task, the data have {}", schema.tasks.len());
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &DeepFmConfig) -> Self {
        let d = config.dim as i64;
        let (fields, reals) = (schema.embedded().count() as i64, schema.reals().count() as i64);
        let mlp = MlpConfig { hidden: config.hidden.clone(), norm: config.norm, dropout: config.dropout };
        Self {
            reals: p.sub("reals").parameter("weight", &[reals, d], Init::Normal { std: 1.0 }),
            first_order: p.sub("first_order").parameter("weight", &[reals], Init::linear(1)),
            mlp: Mlp::new(&mut p.sub("mlp"), (fields + reals) * d, &mlp, Some(1)),
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
