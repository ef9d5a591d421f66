//! Convolutions over very few positions, as products with a matrix.
use super::norm::Unscaled;
use scenarec_train::{Init, Params};
use tch::Tensor;

/// Multiplications by 0 per row up to which one product over all positions takes less time than libtorch's
/// convolution, which takes most of its own elsewhere. Measured on one core with AVX-512.
const WASTED: i64 = 32_768;

/// How output positions read input positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    kernel: i64,
    stride: i64,
    padding: i64,
    /// How often each input position is repeated before it is read.
    repeats: i64,
}

impl Geometry {
    /// As many positions out as in; `kernel` is odd.
    pub(super) fn same(kernel: i64) -> Self {
        Self { kernel, stride: 1, padding: kernel / 2, repeats: 1 }
    }

    /// Half as many: kernel 4, stride 2.
    pub(super) fn halving() -> Self {
        Self { kernel: 4, stride: 2, padding: 1, repeats: 1 }
    }

    /// Twice as many: each repeated, then kernel 3.
    pub(super) fn doubling() -> Self {
        Self { kernel: 3, stride: 1, padding: 1, repeats: 2 }
    }

    /// Positions that come out of `length`.
    pub(super) fn outputs(self, length: i64) -> i64 {
        (length * self.repeats + 2 * self.padding - self.kernel) / self.stride + 1
    }

    fn keeps_length(self) -> bool {
        self.stride == 1 && self.repeats == 1
    }

    /// 1 where output position o reads input position i through tap k, else 0: [k, i o].
    fn reads(self, length: i64) -> Tensor {
        let outputs = self.outputs(length);
        let mut reads = vec![0f32; (self.kernel * length * outputs) as usize];
        for tap in 0..self.kernel {
            for output in 0..outputs {
                let place = output * self.stride + tap - self.padding;
                if (0..length * self.repeats).contains(&place) {
                    let input = place / self.repeats;
                    reads[((tap * length + input) * outputs + output) as usize] = 1.0;
                }
            }
        }
        Tensor::from_slice(&reads).view([self.kernel, length * outputs])
    }
}

/// A convolution with PyTorch's initial values. Parameters `weight` [out, in, k], `bias` `[out]`.
#[derive(Debug)]
pub(super) struct Conv {
    weight: Tensor,
    bias: Tensor,
    geometry: Geometry,
    length: i64,
    /// Where each output's weights are brought to mean 0 and variance 1 before they are used.
    standard: Option<Unscaled>,
    /// For a product over all positions.
    reads: Option<Tensor>,
}

impl Conv {
    pub(super) fn new(p: &mut Params, inputs: i64, outputs: i64, geometry: Geometry, length: i64) -> Self {
        let init = Init::linear(inputs * geometry.kernel);
        let wasted = inputs * outputs * length * (length - geometry.kernel);
        let dense = !geometry.keeps_length() || wasted <= WASTED;
        Self {
            weight: p.parameter("weight", &[outputs, inputs, geometry.kernel], init),
            bias: p.parameter("bias", &[outputs], init),
            geometry,
            length,
            standard: None,
            reads: dense.then(|| geometry.reads(length).to_device(p.device())),
        }
    }

    /// The same with standardised weights (Qiao et al., 2019).
    pub(super) fn standardised(
        p: &mut Params,
        inputs: i64,
        outputs: i64,
        geometry: Geometry,
        length: i64,
    ) -> Self {
        let standard = Some(Unscaled::new(inputs * geometry.kernel, p.device()));
        Self { standard, ..Self::new(p, inputs, outputs, geometry, length) }
    }

    pub(super) fn ready(&self) -> ReadyConv {
        let weight = match &self.standard {
            Some(standard) => standard.forward(&self.weight.flatten(1, 2)).view_as(&self.weight),
            None => self.weight.shallow_clone(),
        };
        let Some(reads) = &self.reads else {
            let bias = self.bias.shallow_clone();
            return ReadyConv::Direct { weight, bias, padding: self.geometry.padding };
        };
        let [outputs, inputs, kernel] = weight.size()[..] else { panic!("a weight [out, in, k]") };
        let (length, positions) = (self.length, self.geometry.outputs(self.length));
        let weight = weight.reshape([outputs * inputs, kernel]).matmul(reads);
        let weight = weight.view([outputs, inputs, length, positions]).permute([0, 3, 1, 2]);
        ReadyConv::Dense {
            weight: weight.reshape([outputs * positions, inputs * length]),
            bias: spread(&self.bias, positions),
            positions,
        }
    }
}

/// Each entry of the first dimension `times` times in a row.
pub(super) fn spread(x: &Tensor, times: i64) -> Tensor {
    let mut shape = x.size();
    shape.insert(1, times);
    x.unsqueeze(1).expand(shape, false).flatten(0, 1)
}

/// A convolution's weights in the form in which they are multiplied.
#[derive(Debug)]
pub(super) enum ReadyConv {
    /// libtorch's convolution.
    Direct { weight: Tensor, bias: Tensor, padding: i64 },
    /// A product of all channels and positions, weight [out positions, in length].
    Dense { weight: Tensor, bias: Tensor, positions: i64 },
}

impl ReadyConv {
    /// # Shapes
    /// x [B, in, L] -> [B, out, L']
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Direct { weight, bias, padding } => x.conv1d(weight, Some(bias), 1, *padding, 1, 1),
            Self::Dense { weight, bias, positions } => {
                let y = x.flatten(1, 2).linear(weight, Some(bias));
                let outputs = y.size()[1] / positions;
                y.view([-1, outputs, *positions])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{
        InitScheme, ParamSet,
        rng::{normal, stream},
        testing::{distance, magnitude},
    };
    use tch::Device;

    /// libtorch's convolution of the repeated positions.
    fn literal(set: &ParamSet, x: &Tensor, g: Geometry, standardise: bool) -> Tensor {
        let state = set.state();
        let (mut weight, bias) = (state["weight"].shallow_clone(), &state["bias"]);
        if standardise {
            let flat = weight.flatten(1, 2);
            let mean = flat.mean_dim(1, true, None);
            let std = ((&flat - &mean).square().mean_dim(1, true, None) + 1e-5).sqrt();
            weight = ((flat - mean) / std).view(&weight.size()[..]);
        }
        let x = x.repeat_interleave_self_int(g.repeats, 2, None);
        x.conv1d(&weight, Some(bias), g.stride, g.padding, 1, 1)
    }

    #[test]
    fn every_form_is_libtorchs_convolution() {
        let mut seen = [0; 2];
        let geometries = [Geometry::same(1), Geometry::same(3), Geometry::halving(), Geometry::doubling()];
        for g in geometries {
            for length in [2, 4, 32] {
                for standardise in [false, true] {
                    let mut set = ParamSet::new(Device::Cpu, 3, InitScheme::Torch);
                    let build = if standardise { Conv::standardised } else { Conv::new };
                    let conv = build(&mut set.root(), 10, 6, g, length);
                    let x = normal(&[7, 10, length], &mut stream(1, "x"));
                    let found = conv.ready().forward(&x);
                    let expected = literal(&set, &x, g, standardise);
                    assert_eq!(found.size(), [7, 6, g.outputs(length)]);
                    assert!(distance(&found, &expected) < 1e-5, "{g:?}, length {length}");
                    seen[usize::from(matches!(conv.ready(), ReadyConv::Direct { .. }))] += 1;
                }
            }
        }
        // Two ways are tested, not one.
        assert_eq!(seen, [20, 4]);
    }

    #[test]
    fn weights_start_as_pytorchs() {
        let mut set = ParamSet::new(Device::Cpu, 3, InitScheme::Torch);
        let _ = Conv::new(&mut set.root(), 48, 64, Geometry::same(3), 8);
        let bound = 1.0 / 144f64.sqrt();
        let state = set.state();
        assert_eq!((state["weight"].size(), state["bias"].size()), (vec![64, 48, 3], vec![64]));
        for tensor in state.values() {
            let most = magnitude(tensor);
            assert!(most <= bound && most > 0.95 * bound, "{most}, not {bound}");
        }
    }
}
