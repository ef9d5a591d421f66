//! xDeepFM (Lian et al., KDD 2018): a linear term, a compressed interaction network and a multilayer perceptron. One logit
//! serves all scenarios; real fields enter the perceptron only.
//!
//! Shapes: B rows, F embedded fields, d width, H_l feature maps of the interaction network's layer l, H_0 = F.
mod cin;

use crate::{
    config::{check_deep, flat_width},
    entry,
};
use anyhow::Result;
use cin::Cin;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, resolve},
    model::one_task,
    nn::{Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use cin::CinActivation;

/// xDeepFM's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XDeepFmConfig {
    /// The registry's name, `xdeepfm`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Whether there is a linear term: a weight per id, and one bias. Rows that were generated in embedding space have no
    /// ids; theirs is the bias alone.
    pub linear: bool,
    /// Numbers H_l of feature maps of the interaction network's layers.
    pub cin: Vec<i64>,
    /// What follows each of them: the paper has `identity`, its common implementations `relu`.
    pub cin_activation: CinActivation,
    /// Whether they have biases: the common implementations' have, the paper's not.
    pub cin_bias: bool,
    /// Widths of the perceptron's hidden layers.
    pub hidden: Vec<i64>,
    /// Normalisation of the hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values: `torch`, `joint_xavier`, or `{uniform: a}`.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl XDeepFmConfig {
    fn check(&self) -> Result<()> {
        check(!self.cin.is_empty(), "cin", || "no layer".into())?;
        check(self.cin.iter().all(|h| *h > 0), "cin", || "a width below 1".into())?;
        check_deep(self.dim, &self.mlp())
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig { hidden: self.hidden.clone(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "xdeepfm",
    &["{bias,mlp.*}", "cin.*"],
    |value| resolve(value, XDeepFmConfig::check),
    |schema, value, build| XDeepFm::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = Σ_f w_f + b + CIN(fields) + MLP(z), w_f the weight of field f's id, z = fields and reals.
///
/// Parameters `linear.<table>` (w) and `bias` (b) `[1]`, where there is a linear term, `cin.*`, `mlp.*`.
#[derive(Debug)]
pub struct XDeepFm {
    bias: Option<Tensor>,
    cin: Cin,
    mlp: Mlp,
}

impl XDeepFm {
    /// The model with its tables.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &XDeepFmConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        let net = if config.linear { Net::with_linear } else { Net::new };
        let model =
            |p: &mut Params<'_>| -> Result<Box<dyn CtrModel>> { Ok(Box::new(Self::new(p, schema, config))) };
        net(schema, config.dim, config.init, build, model)
    }

    fn new(p: &mut Params, schema: &Schema, config: &XDeepFmConfig) -> Self {
        let fields = schema.embedded().count() as i64;
        Self {
            bias: config.linear.then(|| p.parameter("bias", &[1], Init::Constant(0.0))),
            cin: Cin::new(&mut p.sub("cin"), fields, &config.cin, config.cin_activation, config.cin_bias),
            mlp: Mlp::new(&mut p.sub("mlp"), flat_width(schema, config.dim), &config.mlp(), Some(1)),
        }
    }
}

impl CtrModel for XDeepFm {
    /// # Shapes
    /// fields [B, F, d], linear [B, F] or, without a linear term, [B, 0], reals [B, R] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let mut logits = self.cin.forward(&x.fields) + self.mlp.forward(&x.flat(), train);
        if let Some(bias) = &self.bias {
            logits = logits + x.linear.sum_dim_intlist([1i64].as_slice(), true, Kind::Float) + bias;
        }
        Output { logits, aux: vec![] }
    }
}
