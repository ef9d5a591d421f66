//! AITM's adaptive information transfer (Section 3.3): a domain weighs what the one before hands over against what it has
//! found itself.
//!
//! Shapes: B rows, D domains, E width.
use scenarec_train::{Params, nn::StackedLinear};
use tch::{Kind, Tensor};

/// z_d = Σ_u w_u h₁(u) over u ∈ {p, q_d}, p = info_d(z_{d−1}), w = softmax_u(⟨h₂(u), h₃(u)⟩ / √E); info_d and h₁, h₂, h₃ are
/// linear layers.
///
/// Parameters `transfers.info.*` (D − 1 copies, in the order of the transfers) and, h₁, h₂ and h₃ in turn, `attention.*` (3
/// copies) where all transfers share them, else `transfers.attention.*` (3 (D − 1) copies). A single domain has none.
#[derive(Debug)]
pub(super) struct Transfers {
    layers: Option<Layers>,
    width: i64,
}

#[derive(Debug)]
struct Layers {
    info: StackedLinear,
    attention: StackedLinear,
    shared: bool,
}

impl Transfers {
    pub(super) fn new(p: &mut Params, steps: i64, width: i64, shared: bool) -> Self {
        let layers = (steps > 0).then(|| {
            let mut stack = |name: &str, copies| StackedLinear::new(&mut p.sub(name), copies, width, width);
            let info = stack("transfers.info", steps);
            let attention =
                if shared { stack("attention", 3) } else { stack("transfers.attention", 3 * steps) };
            Layers { info, attention, shared }
        });
        Self { layers, width }
    }

    /// What transfer number `step` makes of the representation z of the domain before and the own q.
    ///
    /// # Shapes
    /// z, q [B, E] -> [B, E]
    pub(super) fn forward(&self, step: i64, z: &Tensor, q: &Tensor) -> Tensor {
        let Layers { info, attention, shared } = self.layers.as_ref().expect("a transfer has two ends");
        let first = if *shared { 0 } else { 3 * step };
        let u = Tensor::cat(&[info.on_one(z, step..step + 1), q.unsqueeze(1)], 1);
        let h = attention.on_one(&u.flatten(0, 1), first..first + 3).unflatten(0, [-1, 2]);
        let h = |i: i64| h.select(2, i);
        let scores = (h(1) * h(2)).sum_dim_intlist([2i64].as_slice(), true, Kind::Float);
        let weights = (scores / (self.width as f64).sqrt()).softmax(1, Kind::Float);
        (weights * h(0)).sum_dim_intlist([1i64].as_slice(), false, Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet, State,
        rng::{normal, stream},
        testing::distance,
    };
    use tch::Device;

    /// Row by row, layer by layer.
    #[test]
    fn a_transfer_weighs_two_vectors() {
        let (z, q) = (normal(&[4, 5], &mut stream(1, "z")), normal(&[4, 5], &mut stream(1, "q")));
        for shared in [true, false] {
            let mut set = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
            let transfers = Transfers::new(&mut set.root(), 2, 5, shared);
            let state: State = set.state();
            let apply = |name: &str, copy: i64, x: &Tensor| {
                x.unsqueeze(0).matmul(&state[&format!("{name}.weight")].get(copy)).squeeze_dim(0)
                    + state[&format!("{name}.bias")].get(copy)
            };
            for step in [0, 1] {
                let (name, first) = if shared { ("attention", 0) } else { ("transfers.attention", 3 * step) };
                let out = transfers.forward(step, &z, &q);
                for row in 0..4 {
                    let u = [apply("transfers.info", step, &z.get(row)), q.get(row)];
                    let h = |i: i64, u: &Tensor| apply(name, first + i, u);
                    let weight =
                        u.each_ref().map(|u| (h(1, u).dot(&h(2, u)).double_value(&[]) / 5f64.sqrt()).exp());
                    let sum: f64 = weight.iter().sum();
                    let expected = h(0, &u[0]) * (weight[0] / sum) + h(0, &u[1]) * (weight[1] / sum);
                    assert!(distance(&out.get(row), &expected) < 1e-5, "{shared}, {step}");
                }
            }
        }
    }
}
