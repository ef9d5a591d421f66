//! A level of experts.
use super::{Aesm2Config, selection::Selection};
use scenarec_train::{
    Params,
    nn::{StackedLinear, StackedMlp, mix},
    rng::{Stream, normal},
};
use tch::Tensor;

/// Experts and, for each scenario, a gate over them.
///
/// Parameters `experts.*` (E copies), `gates.*` (M copies).
#[derive(Debug)]
pub(super) struct Level {
    experts: StackedMlp,
    gates: StackedLinear,
    noise: Noise,
    /// How many experts a row takes as its scenario's own, and as shared.
    chosen: [i64; 2],
}

impl Level {
    pub fn new(p: &mut Params, scenarios: i64, inputs: i64, config: &Aesm2Config) -> Self {
        let Aesm2Config { experts, specific_experts, shared_experts, noise_scale, .. } = *config;
        let expert = config.mlp(&config.expert);
        Self {
            experts: StackedMlp::new(&mut p.sub("experts"), experts, inputs, &expert, None),
            gates: StackedLinear::new(&mut p.sub("gates"), scenarios, inputs + config.dim as i64, experts),
            noise: Noise { std: noise_scale * experts as f64, rng: p.stream("noise") },
            chosen: [specific_experts, shared_experts],
        }
    }

    /// What the chosen experts make of h, and the mean divergences of the specific and of the shared ones.
    ///
    /// # Shapes
    /// h [B, I], s [B, d], scenario i64 `[B]` -> [B, H] and two scalars
    pub fn forward(&self, h: &Tensor, s: &Tensor, scenario: &Tensor, train: bool) -> (Tensor, [Tensor; 2]) {
        let gates = self.gates.on_one(&Tensor::cat(&[h, s], 1), 0..self.gates.copies());
        let gates = if train { self.noise.added(gates) } else { gates };
        let selection = Selection::new(&gates, scenario, self.chosen);
        let mixed = mix(&selection.logits.unsqueeze(1), &self.experts.on_one(h, train)).squeeze_dim(1);
        (mixed, selection.kl)
    }
}

/// Gaussian noise from a stream of its own: libtorch's generator is global.
#[derive(Debug)]
struct Noise {
    std: f64,
    rng: Stream,
}

impl Noise {
    /// # Shapes
    /// x -> the same shape
    fn added(&self, x: Tensor) -> Tensor {
        if self.std == 0.0 {
            return x;
        }
        let noise = normal(&x.size(), &mut self.rng.borrow_mut()) * self.std;
        noise.to_device(x.device()) + x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::rng::stream;
    use std::{cell::RefCell, rc::Rc};
    use tch::{Device, Kind};

    #[test]
    fn noise_has_its_deviation_and_moves_on() {
        let noise = Noise { std: 0.4, rng: Rc::new(RefCell::new(stream(1, "noise"))) };
        let zeros = || Tensor::zeros([100, 12, 4], (Kind::Float, Device::Cpu));
        let (first, second) = (noise.added(zeros()), noise.added(zeros()));
        let of = |t: &Tensor| [t.mean(Kind::Float), t.std(true)].map(|t| t.double_value(&[]));
        let [mean, std] = of(&first);
        assert!(mean.abs() < 0.02 && (std - 0.4).abs() < 0.02, "{mean} {std}");
        // Not the same again: the difference of two draws is wider.
        assert!((of(&(first - second))[1] - 0.4 * 2f64.sqrt()).abs() < 0.03);
        let none = Noise { std: 0.0, rng: Rc::new(RefCell::new(stream(1, "noise"))) };
        assert_eq!(none.added(zeros()), zeros());
    }
}
