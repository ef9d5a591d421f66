//! Target attention of the Deep Interest Network (Zhou et al., KDD 2018, Section 4.3).
use scenarec_train::{
    EmbeddedSequence, Params,
    nn::{Linear, Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// The attention unit's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DinConfig {
    /// Widths of its hidden layers, at least one.
    pub hidden: Vec<i64>,
    /// Whether the weights of a row's tokens are made to sum to 1; the paper's are not.
    pub softmax: bool,
}

/// V = Σ_i a_i v_i, a_i = MLP([t, v_i, t − v_i, t ⊙ v_i]), with ReLU, t the target.
///
/// Parameters `first.*`, 4 d -> h, and `rest.*`, with one output.
#[derive(Debug)]
pub(crate) struct Din {
    first: Linear,
    rest: Mlp,
    softmax: bool,
}

impl Din {
    pub(crate) fn new(p: &mut Params, dim: i64, config: &DinConfig) -> Self {
        let (first, rest) = config.hidden.split_first().expect("a checked configuration");
        let rest = MlpConfig { hidden: rest.to_vec(), norm: Norm::None, dropout: 0.0 };
        Self {
            first: Linear::new(&mut p.sub("first"), 4 * dim, *first),
            rest: Mlp::new(&mut p.sub("rest"), *first, &rest, Some(1)),
            softmax: config.softmax,
        }
    }

    /// # Shapes
    /// target [B, d], tokens [B, L, d] -> [B, d], 0 for a row without tokens
    pub(crate) fn forward(&self, target: &Tensor, tokens: &EmbeddedSequence) -> Tensor {
        let mask = &tokens.mask;
        let scores = self.rest.forward(&self.first_layer(target, &tokens.x).relu_(), false).squeeze_dim(2);
        let weights = if self.softmax {
            // The mask once more: a row without tokens has none of the weights that softmax gives it.
            scores.masked_fill(&mask.eq(0.0), -1e9).softmax(-1, Kind::Float) * mask
        } else {
            scores * mask
        };
        weights.unsqueeze(1).bmm(&tokens.x).squeeze_dim(1)
    }

    /// The unit's first layer. It is linear, so with W = [A, B, C, D] it is (A + C) t + (B − C + D diag(t)) v_i + b: one
    /// product with a matrix of the row's own, of a quarter of the width.
    ///
    /// # Shapes
    /// t [B, d], v [B, L, d] -> [B, L, h]
    fn first_layer(&self, t: &Tensor, v: &Tensor) -> Tensor {
        let [a, b, c, d] = &self.first.weight().chunk(4, 1)[..] else { panic!("four quarters") };
        let of_row = t.linear(&(a + c), Some(self.first.bias()));
        let matrices = (b - c).transpose(0, 1).addcmul(&t.unsqueeze(2), &d.transpose(0, 1));
        of_row.unsqueeze(1).baddbmm(v, &matrices, 1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        rng::{normal, stream},
        testing::distance,
    };
    use tch::Device;

    #[test]
    fn the_first_layer_sees_target_token_difference_and_product() {
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let config = DinConfig { hidden: vec![5, 3], softmax: false };
        let din = Din::new(&mut params.root(), 4, &config);
        let mut random = stream(1, "x");
        let (t, v) = (normal(&[3, 4], &mut random), normal(&[3, 6, 4], &mut random));
        let wide = t.unsqueeze(1).expand([3, 6, 4], false);
        let all = Tensor::cat(&[&wide, &v, &(&wide - &v), &(&wide * &v)], 2);
        assert!(distance(&din.first_layer(&t, &v), &din.first.forward(&all)) < 1e-5);
    }

    #[test]
    fn padding_counts_for_nothing() {
        for softmax in [false, true] {
            let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
            let din = Din::new(&mut params.root(), 4, &DinConfig { hidden: vec![5], softmax });
            let mut random = stream(1, "x");
            let (t, x) = (normal(&[2, 4], &mut random), normal(&[2, 3, 4], &mut random));
            let mask = Tensor::from_slice2(&[[1f32, 1.0, 0.0], [0.0, 0.0, 0.0]]);
            let pooled =
                din.forward(&t, &EmbeddedSequence { x: x.shallow_clone(), mask: mask.shallow_clone() });
            let short = EmbeddedSequence { x: x.narrow(1, 0, 2), mask: mask.narrow(1, 0, 2) };
            assert!(distance(&pooled, &din.forward(&t, &short)) < 1e-6);
            assert_eq!(pooled.get(1), Tensor::zeros([4], (Kind::Float, Device::Cpu)));
            assert!(pooled.get(0).abs().min().double_value(&[]) > 1e-4);
        }
    }
}
