//! The scenario-tailoring block (Section 4.2).
//!
//! Shapes: B rows, n fields, N tokens of all rows, d width, P = 1 or 2 statistics of the pooled behaviours.
use super::{ContextFold, ResidualInput, SfpNetConfig, gate::Gate};
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
    /// x [B, n, d], v [N, d], s [B, d] -> [B, n, d], [N, d]
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
        let mean = v.rows.mean(&v.x);
        if !self.distribution_aware {
            return mean;
        }
        let variance = v.rows.mean(&(&v.x - v.rows.spread(&mean)).square());
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
    /// x [B, n, d], v [N, d], gated [B, (n + P) d] -> [B, n, d], [N, d]
    fn forward(&self, x: &Tensor, v: EmbeddedSequence, gated: &Tensor) -> (Tensor, EmbeddedSequence) {
        let [_, n, d] = x.size()[..] else { panic!("fields are [B, n, d]") };
        let contexts = self.context[1].forward(&self.context[0].forward(gated).relu_()).unflatten(1, [-1, d]);
        let [of_fields, of_behaviours] =
            [(0, n), (n, contexts.size()[1] - n)].map(|(from, len)| contexts.narrow(1, from, len));

        let own = self.fields.on_each(&x.transpose(0, 1), 0..n).transpose(0, 1);
        let [residual, weight] = &own.split(d, 2)[..] else { panic!("a residual and a weight") };
        let x = residual.relu().addcmul(&weight.sigmoid(), &of_fields);

        let own = self.behaviours.forward(&v.x);
        let gates = own.size()[1] - d;
        let [residual, weights] = &own.split_with_sizes([d, gates], 1)[..] else {
            panic!("a residual and weights")
        };
        let (residual, weights) = (residual.relu(), weights.sigmoid());
        let tailored = match self.fold {
            ContextFold::Sum => {
                let context = of_behaviours.sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
                residual.addcmul(&weights, &v.rows.spread(&context))
            }
            // Gate by gate: the sum over statistics of gate ⊙ context.
            ContextFold::TwoGates => {
                let added = weights * v.rows.spread(&of_behaviours.flatten(1, 2));
                residual + added.unflatten(1, [-1, d]).sum_dim_intlist([1i64].as_slice(), false, Kind::Float)
            }
        };
        (x, v.with(tailored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviours::{DinConfig, TokenVector};
    use scenarec_train::{
        InitScheme, ParamSet,
        nn::Segments,
        rng::{normal, stream},
        testing::distance,
    };
    use std::rc::Rc;
    use tch::Device;

    fn block() -> Block {
        let config = SfpNetConfig {
            name: "sfpnet".into(),
            dim: 4,
            tokens: TokenVector::Mean,
            blocks: 1,
            distribution_aware: true,
            scenario_adaptive: true,
            residual_tailoring: true,
            residual_input: ResidualInput::BlockInput,
            context_fold: ContextFold::Sum,
            gate: 32,
            context: 32,
            attention: DinConfig { hidden: vec![3], softmax: false },
            hidden: vec![3],
            scenario_dnn: true,
            init: InitScheme::Torch,
        };
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        Block::new(&mut params.root(), 2, 4, &config)
    }

    /// Rows of 3, 2 and no tokens.
    fn tokens(x: Tensor) -> EmbeddedSequence {
        EmbeddedSequence { x, rows: Rc::new(Segments::new(&[3, 2, 0], Device::Cpu)) }
    }

    #[test]
    fn pooled_are_mean_and_deviation_of_what_is_there() {
        let x = normal(&[5, 4], &mut stream(1, "x"));
        let same = x.narrow(0, 0, 1).expand([5, 4], false).contiguous();
        let block = block();
        let pooled = block.pooled(&tokens(x.shallow_clone()));
        let whole = x.narrow(0, 0, 3);
        let expected = Tensor::cat(
            &[
                whole.mean_dim([0i64].as_slice(), false, Kind::Float),
                whole.std_dim([0i64].as_slice(), false, false),
            ],
            0,
        );
        assert!(distance(&pooled.get(0), &expected) < 1e-5);
        let half = (x.get(3) - x.get(4)).abs() / 2.0;
        assert!(distance(&pooled.get(1).narrow(0, 4, 4), &half) < 1e-4);
        // Nothing, and the same thing again and again, have no deviation but EPS's.
        assert!(
            distance(&pooled.get(2).narrow(0, 0, 4), &Tensor::zeros([4], (Kind::Float, Device::Cpu))) == 0.0
        );
        let pooled = block.pooled(&tokens(same));
        assert!(pooled.narrow(1, 4, 4).max().double_value(&[]) < 2e-4);
    }

    #[test]
    fn another_scenario_tailors_every_field_and_behaviour_otherwise() {
        let mut random = stream(1, "x");
        let (x, v) = (normal(&[3, 2, 4], &mut random), normal(&[5, 4], &mut random));
        let s = [normal(&[3, 4], &mut random), normal(&[3, 4], &mut random)];
        let block = block();
        let [(x_a, v_a), (x_b, v_b)] =
            [&s[0], &s[1]].map(|s| block.forward(&x, tokens(v.shallow_clone()), s));
        let moved =
            |a: &Tensor, b: &Tensor| (a - b).abs().sum_dim_intlist([-1i64].as_slice(), false, Kind::Float);
        assert!(moved(&x_a, &x_b).min().double_value(&[]) > 1e-4);
        assert!(moved(&v_a.x, &v_b.x).min().double_value(&[]) > 1e-4, "every behaviour moves");
    }
}
