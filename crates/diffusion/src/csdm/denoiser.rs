//! CSDM's noise predictor: an MLP on the state and a sinusoidal position embedding of t.
use super::reverse::{Layers, Reverse, WIDTHS, by_kernel, composed};
use scenarec_train::{
    Init, Params,
    nn::{Dropout, Linear},
};
use tch::{Device, Tensor};

/// ε̂(z_t, t). Linear(d + 2d → d), tanh, twice Linear(d → d), tanh, and Linear(d → d); dropout on z_t only.
///
/// Parameters `time.*` (2d → 2d) and `0.*` … `3.*`.
#[derive(Debug)]
pub struct Denoiser {
    positions: Tensor,
    time: Linear,
    layers: Vec<Linear>,
    dropout: Dropout,
    d: i64,
}

/// A way to compute the reverse pass.
type Run = fn(&Reverse<'_>) -> Tensor;

/// What the first layer adds for each wanted t, `[n, d]`: the position's part of its product and its bias.
#[derive(Debug)]
pub struct TimeOffsets(Tensor);

impl TimeOffsets {
    /// The offset of the i-th wanted t, `[d]`.
    pub fn at(&self, i: i64) -> Tensor {
        self.0.select(0, i)
    }

    /// One offset per row, `[B, d]`; `t` i64 `[B]` indexes the wanted ones.
    pub fn rows(&self, t: &Tensor) -> Tensor {
        self.0.index_select(0, t)
    }
}

impl Denoiser {
    /// For states of width `d` and indices below `timesteps`.
    pub fn new(p: &mut Params, d: i64, timesteps: usize, dropout: f64) -> Self {
        let linear = |p: &mut Params, name: &str, inputs: i64, outputs: i64| {
            let (weight, bias) = (Init::xavier_normal(inputs, outputs), Init::Normal { std: 0.001 });
            Linear::with_init(&mut p.sub(name), inputs, outputs, weight, bias)
        };
        let time = linear(p, "time", 2 * d, 2 * d);
        let layers = (0..4).map(|i| linear(p, &i.to_string(), if i == 0 { 3 * d } else { d }, d)).collect();
        let positions = positions(timesteps, d).to_device(p.device());
        Self { positions, time, layers, dropout: Dropout::new(p, "dropout", dropout), d }
    }

    /// The offsets of all indices, in order. The position's part is the same for every row, so it is computed once per t
    /// and not once per row.
    pub fn offsets(&self, indices: &[i64]) -> TimeOffsets {
        let wanted = Tensor::from_slice(indices).to_device(self.positions.device());
        self.offsets_of(&self.positions.index_select(0, &wanted))
    }

    /// The offsets of all T indices.
    pub fn all_offsets(&self) -> TimeOffsets {
        self.offsets_of(&self.positions)
    }

    fn offsets_of(&self, positions: &Tensor) -> TimeOffsets {
        let first = &self.layers[0];
        let weight = first.weight().narrow(1, self.d, 2 * self.d);
        TimeOffsets(self.time.forward(positions).linear(&weight, Some(first.bias())))
    }

    /// The reverse pass from h: in each of n steps z becomes a z + b h + c ε̂(z), where a, b and c are a row of `coefficients`. On a CPU
    /// one kernel does all steps for widths of 8, 16, 32 and 64.
    ///
    /// # Shapes
    /// h [B, d], n offsets, coefficients [n, 3] -> [B, d]
    pub fn reverse(&self, h: &Tensor, offsets: &TimeOffsets, coefficients: &Tensor, train: bool) -> Tensor {
        let (b, d) = h.size2().expect("h is a matrix");
        let masks = self.dropout.masks(&[offsets.0.size()[0], b, d], train);
        let run: Run = match h.device() {
            Device::Cpu if WIDTHS.contains(&d) => by_kernel,
            _ => composed,
        };
        self.run(h, offsets, coefficients, masks.as_ref(), run)
    }

    fn run(
        &self,
        h: &Tensor,
        offsets: &TimeOffsets,
        coefficients: &Tensor,
        masks: Option<&Tensor>,
        run: Run,
    ) -> Tensor {
        let of_state = self.of_state();
        run(&Reverse { h, offsets: &offsets.0, coefficients, layers: self.layers(&of_state), masks })
    }

    /// The first layer's weights for the state, [d, d].
    fn of_state(&self) -> Tensor {
        self.layers[0].weight().narrow(1, 0, self.d)
    }

    fn layers<'a>(&'a self, of_state: &'a Tensor) -> Layers<'a> {
        let [_, second, third, last] = &self.layers[..] else { unreachable!("four layers") };
        Layers {
            weights: [of_state, second.weight(), third.weight(), last.weight()],
            biases: [second.bias(), third.bias(), last.bias()],
        }
    }

    /// # Shapes
    /// z [B, d], offset `[d]` or [B, d] -> [B, d]
    pub fn forward(&self, z: &Tensor, offset: &Tensor, train: bool) -> Tensor {
        self.layers(&self.of_state()).noise(&self.dropout.forward(z, train), offset)
    }
}

/// `[T, 2d]`: cos then sin of t·10000^(-i/d), i = 0..d.
fn positions(timesteps: usize, d: i64) -> Tensor {
    let frequency = |i: i64| (-(10_000f64.ln()) * i as f64 / d as f64).exp();
    let row = |t: usize| {
        let angle = move |i: i64| (t as f32 * frequency(i) as f32) as f64;
        (0..d).map(move |i| angle(i).cos() as f32).chain((0..d).map(move |i| angle(i).sin() as f32))
    };
    let values: Vec<f32> = (0..timesteps).flat_map(row).collect();
    Tensor::from_slice(&values).reshape([timesteps as i64, 2 * d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, Isa, ParamSet, isa, limit_isa,
        rng::{normal, stream},
        testing::{distance, magnitude, orders},
        to_vec,
    };
    use tch::Kind;

    /// h, offsets, coefficients and masks of 3 steps over 19 rows, which fill no block.
    fn case(d: i64) -> (Denoiser, [Tensor; 4]) {
        let mut set = ParamSet::new(Device::Cpu, 6, InitScheme::Torch);
        let denoiser = Denoiser::new(&mut set.root(), d, 100, 0.5);
        let draw = |name: &str, shape: &[i64]| normal(shape, &mut stream(3, name));
        let (h, offsets) = (draw("h", &[19, d]), draw("offsets", &[3, d]));
        let masks = denoiser.dropout.mask(&[3, 19, d]);
        (denoiser, [h, offsets, draw("coefficients", &[3, 3]), masks])
    }

    /// z_0, and the gradients by h, the offsets and all parameters but those of the time.
    fn result(denoiser: &Denoiser, case: &[Tensor; 4], masked: bool, run: Run) -> Vec<Tensor> {
        let [h, offsets, coefficients, masks] = case;
        let [h, offsets] = [h, offsets].map(|x| x.detach().copy().set_requires_grad(true));
        let masks = masked.then_some(masks);
        let offsets = TimeOffsets(offsets);
        let z = denoiser.run(&h, &offsets, coefficients, masks, run);
        // Every number of z has a gradient of its own.
        let loss = (&z * normal(&z.size(), &mut stream(4, "loss"))).sum(Kind::Float);
        let layers = denoiser.layers.iter().enumerate();
        // The first layer's bias is part of the offsets.
        let parameters = layers.flat_map(|(i, layer)| [Some(layer.weight()), (i > 0).then(|| layer.bias())]);
        let inputs: Vec<&Tensor> = [&h, &offsets.0].into_iter().chain(parameters.flatten()).collect();
        let mut out = Tensor::run_backward(&[&loss], &inputs, false, false);
        out.push(z.detach());
        out
    }

    #[test]
    fn the_kernel_does_what_libtorchs_operations_do() {
        for d in WIDTHS {
            let (denoiser, case) = case(d);
            for masked in [false, true] {
                let [own, wanted] =
                    [by_kernel as Run, composed].map(|run| result(&denoiser, &case, masked, run));
                for (i, (own, wanted)) in own.iter().zip(&wanted).enumerate() {
                    let error = distance(own, wanted) / magnitude(wanted).max(1e-3);
                    assert!(error < 2e-5, "width {d}, masked {masked}, number {i}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_kernel_gives_the_same_on_every_instruction_set_and_with_any_threads() {
        let (denoiser, mut case) = case(16);
        // More rows than a portion.
        case[0] = normal(&[1000, 16], &mut stream(3, "h"));
        case[3] = denoiser.dropout.mask(&[3, 1000, 16]);
        let now =
            || -> Vec<Vec<f32>> { result(&denoiser, &case, true, by_kernel).iter().map(to_vec).collect() };
        let (best, threads) = (isa(), tch::get_num_threads());
        let first = now();
        for most in [Isa::Avx2, Isa::Portable] {
            limit_isa(most);
            assert!(now() == first, "{most:?}");
        }
        limit_isa(best);
        tch::set_num_threads(3);
        assert!(now() == first, "three threads");
        tch::set_num_threads(threads);
    }

    #[test]
    fn gradients_can_be_differentiated_again() {
        let (denoiser, [h, offsets, coefficients, masks]) = case(16);
        let of = |run: Run| {
            let of_h = |x: &[Tensor]| {
                // The offsets depend on an input too, as on h's in a condition.
                let offsets = TimeOffsets(&offsets * x[0].get(0).exp());
                denoiser.run(&x[0], &offsets, &coefficients, Some(&masks), run)
            };
            orders(of_h, &[&h])
        };
        let (own, wanted) = (of(by_kernel), of(composed));
        for (own, wanted) in own.iter().flatten().zip(wanted.iter().flatten()) {
            let error = distance(own, wanted) / magnitude(wanted);
            assert!(error < 2e-5, "{error}");
        }
    }

    #[test]
    fn a_frozen_predictor_gives_the_same_gradient_by_h() {
        let (denoiser, case) = case(16);
        let whole = result(&denoiser, &case, true, by_kernel).remove(0);
        let [h, offsets, coefficients, masks] = &case;
        let h = h.copy().set_requires_grad(true);
        let z = {
            let weights = denoiser.layers.iter().flat_map(|l| [l.weight(), l.bias()]);
            weights.for_each(|w| drop(w.set_requires_grad(false)));
            let offsets = TimeOffsets(offsets.shallow_clone());
            denoiser.run(&h, &offsets, coefficients, Some(masks), by_kernel)
        };
        let loss = (&z * normal(&z.size(), &mut stream(4, "loss"))).sum(Kind::Float);
        let own = Tensor::run_backward(&[&loss], &[&h], false, false).remove(0);
        assert_eq!(to_vec(&own), to_vec(&whole));
    }
}
