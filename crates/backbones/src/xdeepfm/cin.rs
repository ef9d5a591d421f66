//! The compressed interaction network (Section 3.1 of xDeepFM): field-wise products of ever higher order.
use scenarec_train::{Init, Params, nn::Linear};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// What follows a layer of the interaction network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CinActivation {
    /// max(x, 0).
    Relu,
    /// Nothing.
    Identity,
}

/// out(\[Σ_c X¹ ‖ Σ_c X² ‖ …\]), X⁰ = fields, X^l_{h,c} = φ(Σ_{i,j} W^l_{h,ij} X^{l−1}_{i,c} X⁰_{j,c} + b^l_h): columns c of
/// an embedding do not mix. Every feature map goes to the next layer and to the output (no half of them is split off).
///
/// Parameters `<l>.weight` [H_l, H_{l−1} F], column i·F + j for the pair (i, j), and `<l>.bias` `[H_l]`, which begin as those
/// of a 1x1 convolution; `out.*`.
#[derive(Debug)]
pub(super) struct Cin {
    layers: Vec<(Tensor, Option<Tensor>)>,
    out: Linear,
    activation: CinActivation,
}

impl Cin {
    pub(super) fn new(
        p: &mut Params,
        fields: i64,
        maps: &[i64],
        activation: CinActivation,
        bias: bool,
    ) -> Self {
        let mut before = fields;
        let layers = maps.iter().enumerate().map(|(l, &maps)| {
            let mut p = p.sub(&l.to_string());
            let inputs = before * fields;
            before = maps;
            let weight = p.parameter("weight", &[maps, inputs], Init::linear(inputs));
            (weight, bias.then(|| p.parameter("bias", &[maps], Init::linear(inputs))))
        });
        let layers = layers.collect();
        Self { layers, out: Linear::new(&mut p.sub("out"), maps.iter().sum(), 1), activation }
    }

    /// Columns stand before feature maps, so that a layer is one product of all rows' and columns' pairs with its weights.
    ///
    /// # Shapes
    /// fields [B, F, d] -> [B, 1]
    pub(super) fn forward(&self, fields: &Tensor) -> Tensor {
        let x0 = fields.transpose(1, 2).contiguous();
        let mut x = x0.shallow_clone();
        let mut sums = Vec::new();
        for (weight, bias) in &self.layers {
            let pairs = (x.unsqueeze(3) * x0.unsqueeze(2)).flatten(2, 3);
            x = pairs.linear(weight, bias.as_ref());
            if self.activation == CinActivation::Relu {
                x = x.relu();
            }
            sums.push(x.sum_dim_intlist([1i64].as_slice(), false, Kind::Float));
        }
        self.out.forward(&Tensor::cat(&sums, 1))
    }
}
