//! DCN (Wang et al., ADKDD 2017), as CVAR's and CSDM's programs have it: real fields are not used.
//!
//! Shapes: B rows, F embedded fields, d width, D = F d, L cross layers, H width of the last hidden layer.
use crate::{config::check_deep, entry};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, ModelEntry, Net, Output, Params,
    config::resolve,
    model::one_task,
    nn::{Linear, Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// DCN's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DcnConfig {
    /// The registry's name, `dcn`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Number of cross layers.
    pub layers: usize,
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

impl DcnConfig {
    fn check(&self) -> Result<()> {
        check_deep(self.dim, &self.mlp())
    }

    fn mlp(&self) -> MlpConfig {
        MlpConfig { hidden: self.hidden.clone(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "dcn",
    &["cross.*", "mlp.*", "out.*"],
    |value| resolve(value, DcnConfig::check),
    |schema, value, build| Dcn::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// logit = out([x_L ; MLP(x_0)]), x_0 = flatten fields, x_{l+1} = x_0 (w_l · x_l) + b_l + x_l; the MLP ends with its last
/// hidden layer.
///
/// Parameters `cross.weight` and `cross.bias` [L, D], `mlp.*`, `out.*`.
#[derive(Debug)]
pub struct Dcn {
    weight: Tensor,
    bias: Tensor,
    mlp: Mlp,
    out: Linear,
}

impl Dcn {
    /// The model with its tables.
    ///
    /// # Errors
    /// Data with several tasks, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &DcnConfig, build: Build) -> Result<Net> {
        one_task(ENTRY.name, schema)?;
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &DcnConfig) -> Self {
        let inputs = (schema.embedded().count() * config.dim) as i64;
        let shape = [config.layers as i64, inputs];
        let mut cross = p.sub("cross");
        let weight = cross.parameter("weight", &shape, Init::linear(inputs));
        let bias = cross.parameter("bias", &shape, Init::Constant(0.0));
        let deep = config.hidden.last().copied().unwrap_or(inputs);
        Self {
            weight,
            bias,
            mlp: Mlp::new(&mut p.sub("mlp"), inputs, &config.mlp(), None),
            out: Linear::new(&mut p.sub("out"), inputs + deep, 1),
        }
    }
}

/// v · x_L of every row, for v [1, D].
///
/// Every x_l is a multiple of x_0 plus a sum of biases: x_l = a_l x_0 + s_l with a_0 = 1, s_0 = 0,
/// a_{l+1} = a_l (1 + w_l · x_0) + w_l · s_l, s_{l+1} = s_l + b_l. So one product with x_0 serves all layers, and no
/// x_l is ever made.
///
/// # Shapes
/// weight, bias [L, D], x_0 [B, D] -> [B, 1]
fn cross(weight: &Tensor, bias: &Tensor, x0: &Tensor, v: &Tensor) -> Tensor {
    let rows = Tensor::cat(&[weight, v], 0);
    let layers = rows.size()[0] - 1;
    // s_0 to s_L, and each one's product with its row: w_l · s_l, v · s_L.
    let sums = Tensor::cat(&[v.zeros_like(), bias.cumsum(0, Kind::Float)], 0);
    let shifts = (&rows * sums).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let products = x0.matmul(&rows.tr());
    let product = |l: i64| products.narrow(1, l, 1);
    let mut a = product(0).ones_like();
    for l in 0..layers {
        a = &a * (product(l) + 1.0) + shifts.get(l);
    }
    a * product(layers) + shifts.get(layers)
}

impl CtrModel for Dcn {
    /// # Shapes
    /// fields [B, F, d] -> logits [B, 1]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let x0 = x.fields.flatten(1, 2);
        let hidden = self.mlp.forward(&x0, train);
        let (inputs, deep) = (x0.size()[1], hidden.size()[1]);
        let (v, u) = (self.out.weight().narrow(1, 0, inputs), self.out.weight().narrow(1, inputs, deep));
        let logits = cross(&self.weight, &self.bias, &x0, &v) + hidden.linear(&u, Some(self.out.bias()));
        Output { logits, aux: vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        rng::{normal, stream},
        testing::{distance, magnitude},
    };

    #[test]
    fn the_closed_form_is_the_recursion() {
        let mut rng = stream(1, "dcn");
        let mut draw = |shape: &[i64]| normal(shape, &mut rng) * 0.5;
        for layers in [0, 1, 2, 5] {
            let (weight, bias) = (draw(&[layers, 6]), draw(&[layers, 6]));
            let (x0, v) = (draw(&[20, 6]), draw(&[1, 6]));
            let mut x = x0.shallow_clone();
            for l in 0..layers {
                x = &x0 * x.mv(&weight.get(l)).unsqueeze(1) + bias.get(l) + x;
            }
            let expected = x.matmul(&v.tr());
            assert!(
                distance(&cross(&weight, &bias, &x0, &v), &expected) < 1e-5 * (1.0 + magnitude(&expected))
            );
        }
    }
}
