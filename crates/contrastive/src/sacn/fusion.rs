//! The fusion of the attributes' preferences (Eq. 4).
//!
//! Shapes: .. rows (and scenarios), L tokens of N at most, d width, m attributes.
use scenarec_train::{Init, Params};
use tch::{Kind, Tensor};

/// P = Σ_j α_j P_j, α = softmax([P_1 ‖ … ‖ P_m] W + b), P_j flat with N d numbers. Parameters `weight` [m, N, d, m], `bias` `[m]`.
#[derive(Debug)]
pub(super) struct Fusion {
    weight: Tensor,
    bias: Tensor,
}

impl Fusion {
    pub fn new(p: &mut Params, attributes: i64, tokens: i64, dim: i64) -> Self {
        let shape = [attributes, tokens, dim, attributes];
        let matrix = Init::xavier_uniform(attributes * tokens * dim, attributes);
        Self {
            weight: p.parameter_exactly("weight", &shape, matrix),
            bias: p.parameter_exactly("bias", &[attributes], Init::Constant(0.0)),
        }
    }

    /// Padding to N tokens would add zeros: it is left out, and with it the weights that it would meet.
    ///
    /// # Shapes
    /// m of [.., L, d] -> [.., L, d]
    pub fn forward(&self, parts: &[Tensor]) -> Tensor {
        let (all, shape) = (Tensor::stack(parts, 0), parts[0].size());
        let (l, n) = (shape[shape.len() - 2], self.weight.size()[1]);
        let weight = self.weight.narrow(1, n - l, l).flatten(1, 2);
        let flat = all.reshape([parts.len() as i64, -1, l * shape[shape.len() - 1]]);
        let scores = flat.bmm(&weight).sum_dim_intlist([0i64].as_slice(), false, None::<Kind>) + &self.bias;
        let alpha = scores.softmax(-1, Kind::Float).transpose(0, 1).unsqueeze(-1);
        (alpha * flat).sum_dim_intlist([0i64].as_slice(), false, None::<Kind>).view_as(&parts[0])
    }
}
