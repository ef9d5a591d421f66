//! A reconstruction of ASIF (WWW 2024 companion) in the place of SACN's attribute-level preferences. Neither program nor formulas
//! of it could be consulted: what stands here follows the description of its three ideas.
//!
//! Shapes: B rows, L tokens of N at most, d width, h heads of width c.
use super::encoder::{Rest, Scores, last, positions};
use super::history::lowered;
use scenarec_train::Params;
use tch::{Kind, Tensor};

/// Added to squared norms.
const EPS: f64 = 1e-8;

/// The part of the attributes' sum f that points as the item x does is added to it, u = x + (f·x / ‖x‖²) x; scores of u and of the
/// positions have matrices of their own, (S_u + S_p) / √(2 c); a loss aligns x with f.
///
/// Parameters `content.*`, `position.*`, `positions` [N, d], and those of the layer's rest.
#[derive(Debug)]
pub(super) struct Asif {
    content: Scores,
    position: Scores,
    positions: Tensor,
    rest: Rest,
    head: f64,
}

impl Asif {
    pub fn new(p: &mut Params, tokens: i64, dim: i64, heads: i64) -> Self {
        Self {
            content: Scores::new(&mut p.sub("content"), dim, heads),
            position: Scores::new(&mut p.sub("position"), dim, heads),
            positions: positions(p, tokens, dim),
            rest: Rest::new(&mut p.sub("rest"), dim, heads),
            head: (dim / heads) as f64,
        }
    }

    /// # Shapes
    /// items and attributes [B, L, d], mask [B, L] -> [B, L, d], 0 at padding
    pub fn forward(&self, items: &Tensor, attributes: &[Tensor], mask: &Tensor) -> Tensor {
        let side = sum(attributes);
        let dot = |a: &Tensor, b: &Tensor| (a * b).sum_dim_intlist([-1i64].as_slice(), true, None::<Kind>);
        let fused = items + dot(&side, items) / (dot(items, items) + EPS) * items;
        let scores =
            self.content.forward(&fused) + self.position.forward(&last(&self.positions, mask.size()[1]));
        self.rest.forward(&fused, &(scores / (2.0 * self.head).sqrt()), mask)
    }
}

/// Symmetric InfoNCE between items and the sums of their attributes: of all behaviours of a row the attributes of the item itself
/// are the positive, by cosine. The mean over a row's behaviours, and over rows; 0 for rows without.
///
/// # Shapes
/// items and attributes [B, L, d], mask [B, L] -> scalar
pub(super) fn alignment(items: &Tensor, attributes: &[Tensor], mask: &Tensor, temperature: f64) -> Tensor {
    let unit =
        |x: &Tensor| x / (x.square().sum_dim_intlist([-1i64].as_slice(), true, None::<Kind>) + EPS).sqrt();
    let similarity = unit(items).bmm(&unit(&sum(attributes)).transpose(1, 2)) / temperature;
    let padded = lowered(mask);
    let positive = similarity.diagonal(0, 1, 2);
    let of = |dim: i64, padded: Tensor| (&similarity + padded).logsumexp([dim].as_slice(), false) - &positive;
    let both = of(2, padded.unsqueeze(1)) + of(1, padded.unsqueeze(2));
    let of_rows = |x: &Tensor| x.sum_dim_intlist([1i64].as_slice(), false, None::<Kind>);
    (of_rows(&(both * mask)) / (2.0f64 * of_rows(mask).clamp_min(1.0))).mean(Kind::Float)
}

fn sum(attributes: &[Tensor]) -> Tensor {
    let (first, rest) = attributes.split_first().expect("at least one attribute");
    rest.iter().fold(first.shallow_clone(), |sum, a| sum + a)
}
