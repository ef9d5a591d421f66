//! The scenario-tailoring block (Section 4.2).
//!
//! Shapes: B rows, n fields, L tokens (padded), d width, P = 1 or 2 statistics of the pooled behaviours.
use super::{ContextFold, ResidualInput, SfpNetConfig, gate::Gate};
use crate::behaviours::mean_token;
use scenarec_train::{
    EmbeddedSequence, Params,
    nn::{Linear, StackedLinear},
};
use tch::{Kind, Tensor};

/// Added to a variance before its root is taken, whose slope at 0 is infinite.
const EPS: f64 = 1e-8;

/// STB: z = x_1 ‖ … ‖ x_n ‖ pooled v; ẑ = gate(z, s) (SAM); C = W_3 ReLU(W_2 ẑ + b_2) + b_3;
/// x_i' = ReLU(U_i x_i) + σ(G_i x_i) ⊙ c_i, v_j' = ReLU(W_4 v_j) + σ(W_5 v_j) ⊙ c_b (RTM), with biases.
///
/// Parameters `gate.*`, `context.0.*`, `context.1.*`, `fields.*` with n copies of d -> 2 d, U_i beside G_i, and `behaviours.*`, W_4
/// beside W_5.
#[derive(Debug)]
pub(super) struct Block {
    distribution_aware: bool,
    gate: Option<Gate>,
    tailoring: Option<Tailoring>,
}

#[derive(Debug)]
struct Tailoring {
    context: [Linear; 2],
    fields: StackedLinear,
    behaviours: Linear,
    input: ResidualInput,
    fold: ContextFold,
}

impl Block {
    pub fn new(p: &mut Params, n: i64, d: i64, config: &SfpNetConfig) -> Self {
        let statistics = if config.distribution_aware { 2 } else { 1 };
        let width = (n + statistics) * d;
        let gate = |p: &mut Params<'_>| Gate::new(&mut p.sub("gate"), width, d, config.gate);
        Self {
            distribution_aware: config.distribution_aware,
            gate: config.scenario_adaptive.then(|| gate(p)),
            tailoring: config.residual_tailoring.then(|| Tailoring::new(p, n, d, statistics, config)),
        }
    }

    /// # Shapes
    /// x [B, n, d], v [B, L, d], s [B, d] -> [B, n, d], [B, L, d]
    pub fn forward(&self, x: &Tensor, v: EmbeddedSequence, s: &Tensor) -> (Tensor, EmbeddedSequence) {
        let z = Tensor::cat(&[x.flatten(1, 2), self.pooled(&v)], 1);
        let gated = match &self.gate {
            Some(gate) => gate.forward(&z, s),
            None => z,
        };
        let gated_fields = || gated.narrow(1, 0, x.size()[1] * x.size()[2]).view_as(x);
        match &self.tailoring {
            None => (gated_fields(), v),
            Some(tailoring) => {
                let input = match tailoring.input {
                    ResidualInput::BlockInput => x.shallow_clone(),
                    ResidualInput::GatedInput => gated_fields(),
                };
                tailoring.forward(&input, v, &gated)
            }
        }
    }

    /// Distribution-aware pooling (Eq. 2), or the mean alone: [B, P d]. The variance is that around the mean, which rounding
    /// cannot make negative.
    fn pooled(&self, v: &EmbeddedSequence) -> Tensor {
        let mean = mean_token(v);
        if !self.distribution_aware {
            return mean;
        }
        let mask = v.mask.unsqueeze(2);
        let count = v.mask.sum_dim_intlist([1i64].as_slice(), true, Kind::Float).clamp_min(1.0);
        let off = (&v.x - mean.unsqueeze(1)) * mask;
        let variance = off.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float) / count;
        Tensor::cat(&[mean, (variance + EPS).sqrt()], 1)
    }
}

impl Tailoring {
    fn new(p: &mut Params, n: i64, d: i64, statistics: i64, config: &SfpNetConfig) -> Self {
        let width = (n + statistics) * d;
        let gates = if config.context_fold == ContextFold::TwoGates { statistics } else { 1 };
        let mut context = p.sub("context");
        Self {
            context: [
                Linear::new(&mut context.sub("0"), width, config.context),
                Linear::new(&mut context.sub("1"), config.context, width),
            ],
            fields: StackedLinear::new(&mut p.sub("fields"), n, d, 2 * d),
            behaviours: Linear::new(&mut p.sub("behaviours"), d, (1 + gates) * d),
            input: config.residual_input,
            fold: config.context_fold,
        }
    }

    /// # Shapes
    /// x [B, n, d], v [B, L, d], gated [B, (n + P) d] -> [B, n, d], [B, L, d]
    fn forward(&self, x: &Tensor, v: EmbeddedSequence, gated: &Tensor) -> (Tensor, EmbeddedSequence) {
        let [b, n, d] = x.size()[..] else { panic!("fields are [B, n, d]") };
        let contexts = self.context[1].forward(&self.context[0].forward(gated).relu_()).view([b, -1, d]);
        let [of_fields, of_behaviours] =
            [(0, n), (n, contexts.size()[1] - n)].map(|(from, len)| contexts.narrow(1, from, len));

        let own = self.fields.on_each(&x.transpose(0, 1), 0..n).transpose(0, 1);
        let (residual, weight) = (own.narrow(2, 0, d), own.narrow(2, d, d));
        let x = residual.relu() + weight.sigmoid() * of_fields;

        let own = self.behaviours.forward(&v.x);
        let (residual, weights) = (own.narrow(2, 0, d), own.narrow(2, d, own.size()[2] - d).sigmoid());
        let added = match self.fold {
            ContextFold::Sum => weights * of_behaviours.sum_dim_intlist([1i64].as_slice(), true, Kind::Float),
            // Gate by gate: the sum over statistics of gate ⊙ context.
            ContextFold::TwoGates => (weights.unflatten(2, [-1, d]) * of_behaviours.unsqueeze(1))
                .sum_dim_intlist([2i64].as_slice(), false, Kind::Float),
        };
        let v = EmbeddedSequence { x: (residual.relu() + added) * v.mask.unsqueeze(2), mask: v.mask };
        (x, v)
    }
}
