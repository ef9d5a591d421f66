//! M3oE's domain representation extraction (Section 3.2, Eqs. 1 and 2): a star-shaped linear layer, in which every domain
//! has a matrix of its own times a shared one, beside a layer that knows no domain.
//!
//! Shapes: B rows, D domains, I input width, H₁ width of the star layer, H width of the representation.
use crate::heads::routed;
use scenarec_train::{
    Init, Params,
    embedding::Groups,
    nn::{LayerNorm, Linear},
};
use tch::Tensor;

/// h = ReLU(LN(W_c f + b_c)) + ReLU(LN(W_a x + b_a)), f = x (W_d ⊗ W_sh) + b_d + b_sh of the row's domain d; as the released
/// program has it. Printed is W_c f + b_c without normalisation and activation (`plain`).
///
/// Parameters `star.own` [D, I, H₁], `star.shared` [I, H₁], `star.own_bias` [D, H₁], `star.shared_bias` `[H₁]`,
/// `specific.*` and `agnostic.*`: `linear.*`, `norm.*`.
#[derive(Debug)]
pub(crate) struct DomainRepresentation {
    own: Tensor,
    shared: Tensor,
    own_bias: Tensor,
    shared_bias: Tensor,
    specific: Linear,
    specific_norm: Option<LayerNorm>,
    agnostic: Linear,
    agnostic_norm: LayerNorm,
}

impl DomainRepresentation {
    pub fn new(p: &mut Params, domains: i64, inputs: i64, star: i64, outputs: i64, plain: bool) -> Self {
        let xavier = Init::xavier_uniform(inputs, star);
        let mut s = p.sub("star");
        let own = s.parameter("own", &[domains, inputs, star], xavier);
        let shared = s.parameter("shared", &[inputs, star], xavier);
        let own_bias = s.parameter("own_bias", &[domains, star], Init::Constant(0.0));
        let shared_bias = s.parameter("shared_bias", &[star], Init::Constant(0.0));
        let mut c = p.sub("specific");
        let specific = Linear::new(&mut c.sub("linear"), star, outputs);
        let specific_norm = (!plain).then(|| LayerNorm::new(&mut c.sub("norm"), outputs));
        let mut a = p.sub("agnostic");
        let agnostic = Linear::new(&mut a.sub("linear"), inputs, outputs);
        let agnostic_norm = LayerNorm::new(&mut a.sub("norm"), outputs);
        Self { own, shared, own_bias, shared_bias, specific, specific_norm, agnostic, agnostic_norm }
    }

    /// # Shapes
    /// x [B, I] -> [B, H]
    pub fn forward(&self, x: &Tensor, groups: &Groups) -> Tensor {
        // Nothing stands between the star layer and W_c: their product, a small one, serves all rows of a domain, and no
        // row is ever as wide as H₁.
        let c = self.specific.weight().tr();
        let weights = (&self.own * &self.shared).matmul(&c);
        let biases = (&self.own_bias + &self.shared_bias).matmul(&c) + self.specific.bias();
        let mut specific = routed(x, groups, |d, x| biases.get(d).addmm(x, &weights.get(d)));
        if let Some(norm) = &self.specific_norm {
            specific = norm.forward(&specific).relu();
        }
        specific + self.agnostic_norm.forward(&self.agnostic.forward(x)).relu()
    }
}
