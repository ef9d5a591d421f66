//! DIF-SR (Xie et al., SIGIR 2022) in the place of SACN's attribute-level preferences: one layer of decoupled side-information
//! fusion, without the target, the scenario, the causal mask and the attribute predictors of next-item recommendation.
//!
//! Shapes: B rows, L tokens of N at most, d width, h heads of width c, m attributes, Z = m + 2 sources.
use super::encoder::{Rest, Scores, last, positions};
use scenarec_train::{
    Params,
    nn::{LayerNorm, Linear},
};
use tch::{Kind, Tensor};

/// Scores of the items, of every attribute and of the positions, by matrices of their own; a gate mixes them for every query and
/// head; values come from items alone.
///
/// Parameters `norm.*` of the items, `item.*`, `attributes.<j>.*` and `position.*` of the sources, `positions` [N, d], the gate's
/// `gate.inner.*` N -> N and `gate.outer.*` N -> 1, and those of the layer's rest.
#[derive(Debug)]
pub(super) struct DifSr {
    norm: LayerNorm,
    item: Scores,
    attributes: Vec<Scores>,
    position: Scores,
    positions: Tensor,
    inner: Linear,
    outer: Linear,
    rest: Rest,
    head: f64,
}

impl DifSr {
    pub fn new(p: &mut Params, attributes: usize, tokens: i64, dim: i64, heads: i64) -> Self {
        let of_attribute = |j: usize, p: &mut Params<'_>| {
            Scores::new(&mut p.sub("attributes").sub(&j.to_string()), dim, heads)
        };
        Self {
            norm: LayerNorm::new(&mut p.sub("norm"), dim),
            item: Scores::new(&mut p.sub("item"), dim, heads),
            attributes: (0..attributes).map(|j| of_attribute(j, p)).collect(),
            position: Scores::new(&mut p.sub("position"), dim, heads),
            positions: positions(p, tokens, dim),
            inner: Linear::new(&mut p.sub("gate").sub("inner"), tokens, tokens),
            outer: Linear::new(&mut p.sub("gate").sub("outer"), tokens, 1),
            rest: Rest::new(&mut p.sub("rest"), dim, heads),
            head: (dim / heads) as f64,
        }
    }

    /// # Shapes
    /// items and attributes [B, L, d], mask [B, L] -> [B, L, d], 0 at padding
    pub fn forward(&self, items: &Tensor, attributes: &[Tensor], mask: &Tensor) -> Tensor {
        let items = self.norm.forward(items);
        let own = self.item.forward(&items);
        let position = self.position.forward(&last(&self.positions, mask.size()[1])).expand_as(&own);
        let of_attributes = self.attributes.iter().zip(attributes).map(|(scores, a)| scores.forward(a));
        let sources: Vec<Tensor> = [own].into_iter().chain(of_attributes).chain([position]).collect();
        let scores = self.mixed(&Tensor::stack(&sources, 3), mask);
        self.rest.forward(&items, &(scores / self.head.sqrt()), mask)
    }

    /// The gate weighs sources by the scores of all keys, of which padded ones are 0, as are those that the batch does not have.
    ///
    /// # Shapes
    /// sources [B, h, L, Z, L], mask [B, L] -> [B, h, L, L]
    fn mixed(&self, sources: &Tensor, mask: &Tensor) -> Tensor {
        let l = mask.size()[1];
        let sources = sources * mask.view([-1, 1, 1, 1, l]);
        let weight = self.inner.weight();
        let weight = weight.narrow(1, weight.size()[1] - l, l);
        let hidden = sources.linear(&weight, Some(self.inner.bias())).relu_();
        let gates = self.outer.forward(&hidden).softmax(3, Kind::Float);
        (sources * gates).sum_dim_intlist([3i64].as_slice(), false, None::<Kind>)
    }
}
