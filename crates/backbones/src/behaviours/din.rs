//! Target attention of the Deep Interest Network (Zhou et al., KDD 2018, Section 4.3).
use scenarec_train::{
    EmbeddedSequence, Params,
    nn::{Linear, Mlp, MlpConfig, Norm, Segments},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

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
    /// target [B, d], tokens [N, d] -> [B, d], 0 for a row without tokens
    pub(crate) fn forward(&self, target: &Tensor, tokens: &EmbeddedSequence) -> Tensor {
        let EmbeddedSequence { x: v, rows } = tokens;
        let scores = self.rest.forward(&self.first_layer(target, v, rows).relu_(), false);
        let weights = if self.softmax { rows.softmax(&scores) } else { scores };
        rows.sum(&(weights * v))
    }

    /// The unit's first layer. It is linear, so with W = [A, B, C, D] it is (A + C) t + b, once for a row, plus
    /// (B − C) v_i + D (t ⊙ v_i), for a token half the products of four parts side by side.
    ///
    /// # Shapes
    /// t [B, d], v [N, d] -> [N, h]
    fn first_layer(&self, t: &Tensor, v: &Tensor, rows: &Segments) -> Tensor {
        let [a, b, c, d] = &self.first.weight().chunk(4, 1)[..] else { panic!("four quarters") };
        let of_row = t.linear(&(a + c), Some(self.first.bias()));
        let product = v * rows.spread(t);
        rows.spread(&of_row).addmm(v, &(b - c).transpose(0, 1)).addmm_(&product, &d.transpose(0, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        rng::{normal, stream},
        testing::{distance, magnitude},
    };
    use std::rc::Rc;
    use tch::{Device, Kind};

    #[test]
    fn the_first_layer_sees_target_token_difference_and_product() {
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let config = DinConfig { hidden: vec![5, 3], softmax: false };
        let din = Din::new(&mut params.root(), 4, &config);
        let mut random = stream(1, "x");
        let (t, v) = (normal(&[3, 4], &mut random), normal(&[6, 4], &mut random));
        let rows = Segments::new(&[1, 0, 5], Device::Cpu);
        let wide = t.index_select(0, &Tensor::from_slice(&[0i64, 2, 2, 2, 2, 2]));
        let all = Tensor::cat(&[&wide, &v, &(&wide - &v), &(&wide * &v)], 1);
        assert!(distance(&din.first_layer(&t, &v, &rows), &din.first.forward(&all)) < 1e-5);
    }

    #[test]
    fn a_rows_own_tokens_count_and_no_others() {
        for softmax in [false, true] {
            let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
            let din = Din::new(&mut params.root(), 4, &DinConfig { hidden: vec![5], softmax });
            let mut random = stream(1, "x");
            let (t, x) = (normal(&[3, 4], &mut random), normal(&[5, 4], &mut random));
            let pooled = |t: &Tensor, x: Tensor, lens: &[u32]| {
                let rows = Rc::new(Segments::new(lens, Device::Cpu));
                din.forward(t, &EmbeddedSequence { x, rows })
            };
            let all = pooled(&t, x.shallow_clone(), &[2, 0, 3]);
            let (first, last) = (t.narrow(0, 0, 1), t.narrow(0, 2, 1));
            assert!(distance(&all.narrow(0, 0, 1), &pooled(&first, x.narrow(0, 0, 2), &[2])) < 1e-6);
            assert!(distance(&all.narrow(0, 2, 1), &pooled(&last, x.narrow(0, 2, 3), &[3])) < 1e-6);
            assert_eq!(all.get(1), Tensor::zeros([4], (Kind::Float, Device::Cpu)));
            assert!(magnitude(&all.get(0)) > 1e-4);
        }
    }
}
