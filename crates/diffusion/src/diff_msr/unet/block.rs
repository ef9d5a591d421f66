//! Residual blocks that are told the step.
use super::{
    conv::{Conv, Geometry, ReadyConv, spread},
    norm::Unscaled,
};
use scenarec_train::{Init, Params, nn::Linear};
use tch::Tensor;

/// Groups of channels that are normalised together.
pub(super) const GROUPS: i64 = 8;

/// A standardised convolution and a group normalisation. Parameters `conv.*`, `norm.weight`, `norm.bias` `[out]`.
#[derive(Debug)]
struct Half {
    conv: Conv,
    weight: Tensor,
    bias: Tensor,
}

impl Half {
    fn new(p: &mut Params, inputs: i64, outputs: i64, kernel: i64, length: i64) -> Self {
        let geometry = Geometry::same(kernel);
        let conv = Conv::standardised(&mut p.sub("conv"), inputs, outputs, geometry, length);
        let mut norm = p.sub("norm");
        Self {
            conv,
            weight: norm.parameter("weight", &[outputs], Init::Constant(1.0)),
            bias: norm.parameter("bias", &[outputs], Init::Constant(0.0)),
        }
    }
}

/// Two halves, each ended by a SiLU; the step scales and shifts what the first one has normalised. The input is
/// added, through a convolution of its own where channels change.
///
/// Parameters `time.*` (4w → 2 out), `0.*`, `1.*` and `skip.*`.
#[derive(Debug)]
pub(super) struct ResBlock {
    time: Linear,
    halves: [Half; 2],
    skip: Option<Conv>,
    length: i64,
    norm: Unscaled,
}

impl ResBlock {
    /// `time` is the width of the step's embedding.
    pub(super) fn new(
        p: &mut Params,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        length: i64,
        time: i64,
    ) -> Self {
        let first = Half::new(&mut p.sub("0"), inputs, outputs, kernel, length);
        let second = Half::new(&mut p.sub("1"), outputs, outputs, kernel, length);
        let skip = (inputs != outputs)
            .then(|| Conv::new(&mut p.sub("skip"), inputs, outputs, Geometry::same(1), length));
        Self {
            time: Linear::new(&mut p.sub("time"), time, 2 * outputs),
            halves: [first, second],
            skip,
            length,
            norm: Unscaled::new(outputs / GROUPS * length, p.device()),
        }
    }

    pub(super) fn ready(&self) -> ReadyResBlock {
        let [first, second] = &self.halves;
        // (γ x̂ + β)(1 + scale) + shift, with scale and shift linear in the step's embedding, is x̂ times one
        // linear map of it plus another one. Each is wanted at all positions.
        let halves = |t: &Tensor| <[Tensor; 2]>::try_from(t.chunk(2, 0)).expect("two halves");
        let ([scale, shift], [scale_bias, shift_bias]) =
            (halves(self.time.weight()), halves(self.time.bias()));
        let (gamma, beta) = (first.weight.unsqueeze(1), first.bias.unsqueeze(1));
        let weight = Tensor::cat(&[&gamma * &scale, &beta * &scale + shift], 0);
        let one = scale_bias + 1.0;
        let bias = Tensor::cat(&[&first.weight * &one, &first.bias * &one + shift_bias], 0);
        ReadyResBlock {
            convs: [first.conv.ready(), second.conv.ready()],
            time: [weight, bias].map(|t| spread(&t, self.length)),
            weight: spread(&second.weight, self.length),
            bias: spread(&second.bias, self.length),
            skip: self.skip.as_ref().map(Conv::ready),
            norm: self.norm.shallow_clone(),
        }
    }
}

/// A [`ResBlock`] with everything computed that does not depend on rows or steps.
#[derive(Debug)]
pub(super) struct ReadyResBlock {
    convs: [ReadyConv; 2],
    /// Weight [2 out L, 4w] and bias of the maps from the step's embedding to the first half's scale and shift.
    time: [Tensor; 2],
    /// The second half's scale and shift, `[out L]`.
    weight: Tensor,
    bias: Tensor,
    skip: Option<ReadyConv>,
    norm: Unscaled,
}

impl ReadyResBlock {
    /// # Shapes
    /// x [B, in, L], time [B, 4w], or [1, 4w] for rows at one step -> [B, out, L]
    pub(super) fn forward(&self, x: &Tensor, time: &Tensor) -> Tensor {
        let [weight, bias] = &self.time;
        let of_time = time.linear(weight, Some(bias)).chunk(2, 1);
        let y = self.convs[0].forward(x);
        let shape = y.size();
        let y = of_time[1].addcmul(&self.group_norm(&y), &of_time[0]).silu();
        let y = self.convs[1].forward(&y.view(&shape[..]));
        let y = self.bias.addcmul(&self.group_norm(&y), &self.weight).silu().view(&shape[..]);
        match &self.skip {
            Some(skip) => y + skip.forward(x),
            None => y + x,
        }
    }

    /// A group normalisation without scale and shift.
    ///
    /// # Shapes
    /// x [B, out, L] -> [B, out L]
    fn group_norm(&self, x: &Tensor) -> Tensor {
        self.norm.forward(&x.view([x.size()[0], GROUPS, -1])).flatten(1, 2)
    }
}
