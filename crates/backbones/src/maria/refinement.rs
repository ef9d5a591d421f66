//! Feature refinement.
use super::MariaConfig;
use scenarec_train::{
    Params,
    nn::{Linear, StackedLinear},
    rng::{Stream, gumbel},
};
use tch::{Kind, Tensor};

/// z = β_1 ReLU(W_1 q + b_1) ‖ … ‖ β_N ReLU(W_N q + b_N), β = softmax((V [q ‖ e] + v + noise) / τ), with noise of the Gumbel
/// distribution in training, if the configuration has it, and without in evaluation.
///
/// Parameters `refiners.*` with N copies, and `selector.*`, which one refiner alone lacks: its weight would be 1.
#[derive(Debug)]
pub(super) struct Refinement {
    refiners: StackedLinear,
    selector: Option<Selector>,
    width: i64,
}

#[derive(Debug)]
struct Selector {
    linear: Linear,
    temperature: f64,
    /// libtorch's generator is global: the noise is of a stream of the selector's own.
    noise: Option<Stream>,
}

impl Refinement {
    /// `n` refiners of a group `inputs` wide in a scenario whose vector is `d` wide.
    pub fn new(p: &mut Params, n: i64, inputs: i64, d: i64, config: &MariaConfig) -> Self {
        let selector = |p: &mut Params| Selector {
            linear: Linear::new(&mut p.sub("selector"), inputs + d, n),
            temperature: config.temperature,
            noise: config.sampling.then(|| p.stream("noise")),
        };
        Self {
            refiners: StackedLinear::new(&mut p.sub("refiners"), n, inputs, config.refined),
            selector: (n > 1).then(|| selector(p)),
            width: n * config.refined,
        }
    }

    /// Width of z.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// # Shapes
    /// q [B, in], e [B, d] -> [B, width]
    pub fn forward(&self, q: &Tensor, e: &Tensor, train: bool) -> Tensor {
        let refined = self.refiners.on_one(q, 0..self.refiners.copies()).relu();
        let chosen = match &self.selector {
            Some(selector) => refined * selector.forward(q, e, train).unsqueeze(2),
            None => refined,
        };
        chosen.flatten(1, 2)
    }
}

impl Selector {
    /// # Shapes
    /// q [B, in], e [B, d] -> [B, N], weights that sum to 1
    fn forward(&self, q: &Tensor, e: &Tensor, train: bool) -> Tensor {
        let mut scores = self.linear.forward(&Tensor::cat(&[q, e], 1));
        if let (true, Some(noise)) = (train, &self.noise) {
            scores = &scores + gumbel(&scores.size(), &mut noise.borrow_mut()).to_device(scores.device());
        }
        (scores / self.temperature).softmax(-1, Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        rng::{normal, stream},
        testing::distance,
    };
    use std::{cell::RefCell, rc::Rc};
    use tch::Device;

    fn selector(temperature: f64) -> Selector {
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let linear = Linear::new(&mut params.root(), 5, 3);
        Selector { linear, temperature, noise: Some(Rc::new(RefCell::new(stream(1, "noise")))) }
    }

    /// The largest of scores with Gumbel noise is each with its softmax's probability; near temperature 0 it takes all.
    #[test]
    fn cold_selectors_choose_one_refiner_with_its_probability() {
        let (q, e) = (normal(&[1, 3], &mut stream(1, "q")), normal(&[1, 2], &mut stream(1, "e")));
        let probabilities = selector(1.0).forward(&q, &e, false);
        let many = |x: &Tensor| x.expand([20_000, -1], false);
        let chosen = selector(1e-3).forward(&many(&q), &many(&e), true);
        assert!(chosen.max_dim(1, false).0.mean(Kind::Float).double_value(&[]) > 0.99);
        assert!(distance(&chosen.mean_dim([0i64].as_slice(), true, Kind::Float), &probabilities) < 0.02);
    }

    #[test]
    fn the_temperature_divides_the_scores() {
        let (q, e) = (normal(&[4, 3], &mut stream(1, "q")), normal(&[4, 2], &mut stream(1, "e")));
        let [one, two] = [1.0, 2.0].map(|t| selector(t).forward(&q, &e, false));
        let root = one.sqrt();
        let expected = &root / root.sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        assert!(distance(&two, &expected) < 1e-6);
    }
}
