//! Preferences: self-attention over a history, whose projections the scenario and the target modulate (Eqs. 1 to 4).
//!
//! Shapes: B rows, K scenarios, L tokens, d width, h heads of width c.
use super::modulation::{Modulation, Modulator};
use scenarec_train::{Init, Params, nn::attention};
use tch::Tensor;

/// Q, K, V = X (W ⊙ G), head = softmax(Q Kᵀ / √c) V, X̂ = [head_1 ‖ … ‖ head_h] W_O, with one G for all of a row's matrices. No
/// positions, no residual, no normalisation, one layer.
///
/// Parameters `project` [3, d, h c] (queries, keys, values), `out` [h c, d], `modulation.*`.
#[derive(Debug)]
pub(super) struct Preference {
    project: Tensor,
    out: Tensor,
    modulator: Modulator,
    dim: i64,
    heads: i64,
    head: i64,
}

impl Preference {
    pub fn new(p: &mut Params, modulation: Modulation, dim: i64, heads: i64) -> Self {
        let head = dim / heads;
        Self {
            project: p.parameter("project", &[3, dim, dim], Init::linear(dim)),
            out: p.parameter("out", &[dim, dim], Init::linear(dim)),
            modulator: Modulator::new(&mut p.sub("modulation"), modulation, dim, head),
            dim,
            heads,
            head,
        }
    }

    /// In one scenario for each row.
    ///
    /// # Shapes
    /// x [B, L, d], tokens `[B]`, target, scenario [B, d] -> [B, L, d], 0 at padding
    pub fn in_one(&self, x: &Tensor, tokens: &Tensor, target: &Tensor, scenario: &Tensor) -> Tensor {
        let g = self.modulator.scenario(scenario) + self.modulator.target(target);
        let projected = x.bmm(&self.modulated(&g).flatten(2, 4));
        attention(&projected.unsqueeze(2), None, tokens, self.heads).squeeze_dim(1).matmul(&self.out)
    }

    /// In all scenarios for every row. G is a sum, so the products with the target's part, which are the row's own, are made
    /// once for all scenarios; those with a scenario's part are one product with a matrix that all rows share.
    ///
    /// # Shapes
    /// x [B, L, d], tokens `[B]`, target [B, d], scenarios [K, d] -> [B, K, L, d], 0 at padding
    pub fn in_all(&self, x: &Tensor, tokens: &Tensor, target: &Tensor, scenarios: &Tensor) -> Tensor {
        let (b, l, d) = x.size3().expect("[B, L, d]");
        let k = scenarios.size()[0];
        let shared = self.modulated(&self.modulator.scenario(scenarios)).transpose(0, 1).reshape([d, -1]);
        let own = self.modulated(&self.modulator.target(target)).flatten(2, 4);
        let views = x.reshape([b * l, d]).mm(&shared).view([b, l, k, 3 * d]);
        attention(&views, Some(&x.bmm(&own)), tokens, self.heads).matmul(&self.out)
    }

    /// All projection matrices, each times G.
    ///
    /// # Shapes
    /// g [n, d, c] -> [n, d, 3, h, c]
    fn modulated(&self, g: &Tensor) -> Tensor {
        let w = self.project.view([3, self.dim, self.heads, self.head]).transpose(0, 1);
        w.unsqueeze(0) * g.unsqueeze(2).unsqueeze(2)
    }
}
