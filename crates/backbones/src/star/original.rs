//! STAR as its paper has it (Sections 3.3 to 3.5).
use super::{StarConfig, partitioned_norm::PartitionedNorm};
use crate::{config::flat_width, domain_embedding::DomainEmbedding, heads::routed};
use scenarec_data::Schema;
use scenarec_train::{
    CtrModel, Embedded, Init, Output, Params,
    nn::{Mlp, MlpConfig, Norm},
};
use tch::Tensor;

/// logits = star_d(PN_d(z)) + auxiliary([e_d ‖ z]), d the row's domain and e_d its embedding. A star layer is
/// (W ⊙ W_d) x + b + b_d; between two of them is a ReLU.
///
/// W begins as a linear layer's, W_d at 1 and b_d at 0, so that at first all domains have one network; the paper does not
/// say, and with two random factors the signal would vanish.
///
/// Parameters `norm.*` (partitioned normalisation), `layers.<i>.weight` [in, out], `.bias` `[out]`, `.own_weight` [D, in, out],
/// `.own_bias` [D, out], `auxiliary.*` and `domain` where the data have no domain indicator.
#[derive(Debug)]
pub struct Star {
    norm: PartitionedNorm,
    layers: Vec<Layer>,
    domain: DomainEmbedding,
    auxiliary: Mlp,
}

#[derive(Debug)]
struct Layer {
    weight: Tensor,
    bias: Tensor,
    own_weight: Tensor,
    own_bias: Tensor,
}

impl Layer {
    fn new(p: &mut Params, domains: i64, inputs: i64, outputs: i64) -> Self {
        Self {
            weight: p.parameter("weight", &[inputs, outputs], Init::linear(inputs)),
            bias: p.parameter("bias", &[outputs], Init::linear(inputs)),
            own_weight: p.parameter("own_weight", &[domains, inputs, outputs], Init::Constant(1.0)),
            own_bias: p.parameter("own_bias", &[domains, outputs], Init::Constant(0.0)),
        }
    }

    /// Every domain's matrix and bias, [D, in, out] and [D, out].
    fn products(&self) -> [Tensor; 2] {
        [&self.weight * &self.own_weight, &self.bias + &self.own_bias]
    }
}

impl Star {
    pub(super) fn new(
        p: &mut Params,
        schema: &Schema,
        config: &StarConfig,
        hidden: &[i64],
        auxiliary: &[i64],
    ) -> Self {
        let (domains, tasks) = (schema.scenarios.len() as i64, schema.tasks.len() as i64);
        let inputs = flat_width(schema, config.dim);
        let widths: Vec<i64> = [inputs].iter().chain(hidden).copied().chain([tasks]).collect();
        let mut layer = |(i, ends): (usize, &[i64])| {
            Layer::new(&mut p.sub("layers").sub(&i.to_string()), domains, ends[0], ends[1])
        };
        let layers = widths.windows(2).enumerate().map(&mut layer).collect();
        let auxiliary = MlpConfig { hidden: auxiliary.to_vec(), norm: Norm::None, dropout: config.dropout };
        Self {
            layers,
            norm: PartitionedNorm::new(&mut p.sub("norm"), domains, inputs),
            domain: DomainEmbedding::new(p, schema, config.dim, config.init),
            auxiliary: Mlp::new(&mut p.sub("auxiliary"), config.dim as i64 + inputs, &auxiliary, Some(tasks)),
        }
    }
}

impl CtrModel for Star {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let z = x.flat();
        let products: Vec<[Tensor; 2]> = self.layers.iter().map(Layer::products).collect();
        let star = routed(&self.norm.forward(&z, &x.groups, train), &x.groups, |d, rows| {
            let layer = |x: &Tensor, [weight, bias]: &[Tensor; 2]| bias.get(d).addmm(x, &weight.get(d));
            let (first, rest) = products.split_first().expect("a last layer at least");
            rest.iter().fold(layer(rows, first), |x, next| layer(&x.relu(), next))
        });
        let auxiliary = self.auxiliary.forward(&Tensor::cat(&[self.domain.forward(x), z], 1), train);
        Output { logits: star + auxiliary, aux: vec![] }
    }
}
