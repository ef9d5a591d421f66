//! What the scenario and the target make of the attention's projections.
//!
//! Shapes: B rows, K scenarios, d width, c width of a head.
use scenarec_train::{Init, Params};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// G = Reshape(e_s, e_x) (Eq. 1), by which every projection matrix is multiplied element by element. The paper does not say how
/// vectors of 2 d numbers become a matrix of d c.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modulation {
    /// By a learned layer, which begins near G = 1, where the attention is an ordinary one.
    Project,
    /// Columns e_s and e_x by turns. With c = 2, that is d / 2 heads, G has just these two columns.
    Columns,
}

/// G in two parts, the scenario's and the target's: G = S_s + E_x. Parameters `scenario` and `target` [d c, d] and `bias` `[d c]`
/// of the learned layer.
#[derive(Debug)]
pub(super) struct Modulator {
    layer: Option<(Tensor, Tensor, Tensor)>,
    dim: i64,
    head: i64,
}

impl Modulator {
    pub fn new(p: &mut Params, modulation: Modulation, dim: i64, head: i64) -> Self {
        let out = dim * head;
        // A tenth of Xavier's values for the matrix as a whole, 2 d wide.
        let Init::Uniform(bound) = Init::xavier_uniform(2 * dim, out) else { unreachable!("uniform") };
        let mut part = |name| p.parameter_exactly(name, &[out, dim], Init::Uniform(0.1 * bound));
        let layer = (modulation == Modulation::Project)
            .then(|| (part("scenario"), part("target")))
            .map(|(s, t)| (s, t, p.parameter_exactly("bias", &[out], Init::Constant(1.0))));
        Self { layer, dim, head }
    }

    /// The scenario's part, the bias with it.
    ///
    /// # Shapes
    /// [.., d] -> [.., d, c]
    pub fn scenario(&self, s: &Tensor) -> Tensor {
        match &self.layer {
            Some((weight, _, bias)) => self.matrix(&s.linear(weight, Some(bias))),
            None => self.columns(s, 0),
        }
    }

    /// The target's part.
    ///
    /// # Shapes
    /// [.., d] -> [.., d, c]
    pub fn target(&self, x: &Tensor) -> Tensor {
        match &self.layer {
            Some((_, weight, _)) => self.matrix(&x.linear::<Tensor>(weight, None)),
            None => self.columns(x, 1),
        }
    }

    fn matrix(&self, flat: &Tensor) -> Tensor {
        flat.unflatten(-1, [self.dim, self.head])
    }

    /// The vector in every other column from this one on, 0 in the rest.
    fn columns(&self, x: &Tensor, first: i64) -> Tensor {
        let own = Tensor::arange(self.head, (x.kind(), x.device())).remainder(2.0).eq(first as f64);
        x.unsqueeze(-1) * own.to_kind(x.kind())
    }
}
