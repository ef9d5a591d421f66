//! What the two attribute-aware encoders that stand in for SACN's own have in common.
//!
//! Shapes: B rows, L tokens of N at most, d width, h heads of width c.
use super::history::lowered;
use scenarec_train::{
    Init, Params,
    nn::{LayerNorm, Linear},
};
use tch::{Kind, Tensor};

/// What the last normalisation's scale begins with: about the size of the embeddings beside which the encoder's N d numbers enter
/// the prediction network. At 1 they are some twenty times as large, and little else is learned from (docs/sacn.md).
const SCALE: f64 = 0.05;

/// A matrix whose output is cut into heads. Parameter `weight` [in, out].
#[derive(Debug)]
pub(super) struct Heads {
    weight: Tensor,
    heads: i64,
}

impl Heads {
    pub fn new(p: &mut Params, dim: i64, heads: i64) -> Self {
        Self { weight: p.parameter("weight", &[dim, dim], Init::linear(dim)), heads }
    }

    /// # Shapes
    /// [.., L, d] -> [.., h, L, c]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.matmul(&self.weight).unflatten(-1, [self.heads, -1]).transpose(-2, -3)
    }
}

/// Products of queries and keys of one source. Parameters `query.*`, `key.*`.
#[derive(Debug)]
pub(super) struct Scores {
    query: Heads,
    key: Heads,
}

impl Scores {
    pub fn new(p: &mut Params, dim: i64, heads: i64) -> Self {
        Self {
            query: Heads::new(&mut p.sub("query"), dim, heads),
            key: Heads::new(&mut p.sub("key"), dim, heads),
        }
    }

    /// # Shapes
    /// [.., L, d] -> [.., h, L, L]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.query.forward(x).matmul(&self.key.forward(x).transpose(-1, -2))
    }
}

/// The vectors of a history's places, of which the last ones count. Parameter `positions` [N, d].
pub(super) fn positions(p: &mut Params, tokens: i64, dim: i64) -> Tensor {
    p.parameter("positions", &[tokens, dim], Init::linear(dim))
}

/// The last `len` of them, [L, d].
pub(super) fn last(positions: &Tensor, len: i64) -> Tensor {
    positions.narrow(0, positions.size()[0] - len, len)
}

/// What follows a layer's scores: softmax, values, and the two sub-layers' ends of a transformer. Parameters `value.*`, `out.*`,
/// `norm.*`, `inner.*`, `outer.*`, `last_norm.*`.
#[derive(Debug)]
pub(super) struct Rest {
    value: Heads,
    out: Linear,
    norm: LayerNorm,
    inner: Linear,
    outer: Linear,
    last_norm: LayerNorm,
}

impl Rest {
    pub fn new(p: &mut Params, dim: i64, heads: i64) -> Self {
        Self {
            value: Heads::new(&mut p.sub("value"), dim, heads),
            out: Linear::new(&mut p.sub("out"), dim, dim),
            norm: LayerNorm::new(&mut p.sub("norm"), dim),
            inner: Linear::new(&mut p.sub("inner"), dim, 4 * dim),
            outer: Linear::new(&mut p.sub("outer"), 4 * dim, dim),
            last_norm: LayerNorm::scaled(&mut p.sub("last_norm"), dim, SCALE),
        }
    }

    /// # Shapes
    /// x [B, L, d], scores [B, h, L, L] (scaled), mask [B, L] -> [B, L, d], 0 at padding
    pub fn forward(&self, x: &Tensor, scores: &Tensor, mask: &Tensor) -> Tensor {
        let padded = lowered(mask).unsqueeze(1).unsqueeze(1);
        let heads = (scores + padded).softmax(-1, Kind::Float).matmul(&self.value.forward(x));
        let joined = heads.transpose(1, 2).flatten(2, 3);
        let x = self.norm.forward(&(x + self.out.forward(&joined)));
        let fed = self.outer.forward(&self.inner.forward(&x).gelu("none"));
        self.last_norm.forward(&(x + fed)) * mask.unsqueeze(2)
    }
}
