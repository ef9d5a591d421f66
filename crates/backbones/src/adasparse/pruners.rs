//! The factors of neurons, and what their sparsity costs.
use super::{Growing, PruningForm, Sparsity};
use scenarec_train::{Init, Params};
use tch::{Kind, Tensor};

/// Layer by layer π(W [e ‖ h]); the form says what π is.
///
/// Parameters `<l>.weight` [H_l, d + H_l], without a bias; buffer `steps` `[]`: training steps so far.
#[derive(Debug)]
pub(super) struct Pruners {
    weights: Vec<Tensor>,
    form: PruningForm,
    /// Steps, not α: repeated additions in single precision would be rounded.
    steps: Tensor,
}

impl Pruners {
    pub fn new(p: &mut Params, domain: i64, hidden: &[i64], form: PruningForm) -> Self {
        let mut weight = |(l, width): (usize, &i64)| {
            let inputs = domain + width;
            p.sub(&l.to_string()).parameter("weight", &[*width, inputs], Init::linear(inputs))
        };
        let weights = hidden.iter().enumerate().map(&mut weight).collect();
        Self { weights, form, steps: p.buffer("steps", &[], 0.0) }
    }

    /// π of a layer's neurons.
    ///
    /// # Shapes
    /// domain [B, d], h [B, H] -> [B, H]
    pub fn factors(&self, layer: usize, domain: &Tensor, h: &Tensor) -> Tensor {
        let u = Tensor::cat(&[domain, h], 1).linear(&self.weights[layer], None::<&Tensor>);
        self.of_outputs(&u)
    }

    /// # Shapes
    /// u [B, H] -> π [B, H]
    fn of_outputs(&self, u: &Tensor) -> Tensor {
        match self.form {
            PruningForm::Binarisation { alpha, epsilon, .. } => {
                let v = (u * self.grown(alpha)).sigmoid();
                // The difference is 0 and has the gradient of v.
                v.gt(epsilon) + (&v - v.detach())
            }
            PruningForm::Scaling { beta } => u.sigmoid() * beta,
            PruningForm::Fusion { alpha, beta, epsilon } => {
                let v = (u * self.grown(alpha)).sigmoid() * beta;
                &v * v.gt(epsilon)
            }
        }
    }

    /// What the sparsity of all layers costs, a scalar; only binarisation has a range to keep to.
    ///
    /// # Shapes
    /// factors [B, H_l] of every layer
    pub fn regulariser(&self, factors: &[Tensor]) -> Option<Tensor> {
        let PruningForm::Binarisation { sparsity: Sparsity { min, max, weight }, .. } = self.form else {
            return None;
        };
        let kept = |factors: &Tensor| factors.mean_dim([1i64].as_slice(), false, Kind::Float);
        let pruned: Tensor = 1.0 - Tensor::stack(&factors.iter().map(kept).collect::<Vec<_>>(), 1);
        let outside = pruned.lt(min).logical_or(&pruned.gt(max));
        let distance = (pruned - (min + max) / 2.0).abs();
        let weights = distance.detach() * outside * self.grown(weight);
        Some((weights * distance).mean(Kind::Float))
    }

    /// Counts a training step.
    pub fn count_step(&self) {
        let _ = self.steps.shallow_clone().g_add_scalar_(1.0);
    }

    /// The value in the present step, a scalar on the net's device.
    fn grown(&self, growing: Growing) -> Tensor {
        &self.steps * growing.growth + growing.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::{InitScheme, ParamSet, testing::distance, to_vec};
    use tch::Device;

    const ALPHA: Growing = Growing { start: 1.0, growth: 0.5 };
    const SPARSITY: Sparsity = Sparsity { min: 0.3, max: 0.6, weight: Growing { start: 0.01, growth: 0.02 } };

    fn pruners(form: PruningForm) -> (ParamSet, Pruners) {
        let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
        let pruners = Pruners::new(&mut params.root(), 2, &[4, 3], form);
        (params, pruners)
    }

    fn sigmoid(x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn every_form_has_its_factors() {
        let u = [-3.0f32, -1.0, -0.4, 0.0, 0.7, 2.0];
        let of = |form| {
            let (_params, pruners) = pruners(form);
            pruners.count_step();
            pruners.count_step();
            // α is 2 after two steps.
            to_vec(&pruners.of_outputs(&Tensor::from_slice(&u)))
        };
        let near = |form, expected: &dyn Fn(f32) -> f32| {
            for (own, u) in of(form).into_iter().zip(u) {
                assert!((own - expected(u)).abs() < 1e-6, "{form:?} of {u}: {own}");
            }
        };
        near(PruningForm::Scaling { beta: 2.0 }, &|u| 2.0 * sigmoid(u));
        let kept = |v: f32, factor: f32, epsilon: f32| if v > epsilon { factor } else { 0.0 };
        near(PruningForm::Fusion { alpha: ALPHA, beta: 2.0, epsilon: 0.25 }, &|u| {
            let v = 2.0 * sigmoid(2.0 * u);
            kept(v, v, 0.25)
        });
        let binary = PruningForm::Binarisation { alpha: ALPHA, epsilon: 0.25, sparsity: SPARSITY };
        near(binary, &|u| kept(sigmoid(2.0 * u), 1.0, 0.25));
        assert_eq!(of(binary), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        let fused = of(PruningForm::Fusion { alpha: ALPHA, beta: 2.0, epsilon: 0.25 });
        assert_eq!(fused[..2], [0.0, 0.0]);
        assert!(fused[2] > 0.25, "{fused:?}");
    }

    /// The outputs are W [e ‖ h].
    #[test]
    fn a_pruner_reads_the_domain_and_the_neurons() {
        let (params, pruners) = pruners(PruningForm::Scaling { beta: 2.0 });
        let (e, h) = (Tensor::from_slice2(&[[0.5f32, -1.0]]), Tensor::from_slice2(&[[1.0f32, 0.0, 2.0]]));
        let weight = to_vec(&params.state()["1.weight"]);
        let input = [0.5f32, -1.0, 1.0, 0.0, 2.0];
        let expected: Vec<f32> = weight
            .chunks(5)
            .map(|row| 2.0 * sigmoid(row.iter().zip(input).map(|(w, x)| w * x).sum()))
            .collect();
        let factors = pruners.factors(1, &e, &h);
        assert!(distance(&factors, &Tensor::from_slice(&expected).unsqueeze(0)) < 1e-6);
    }

    #[test]
    fn the_step_passes_the_gradient_of_the_sigmoid() {
        let (_params, pruners) =
            pruners(PruningForm::Binarisation { alpha: ALPHA, epsilon: 0.4, sparsity: SPARSITY });
        let u = Tensor::from_slice(&[-2.0f32, 0.0, 1.5]).set_requires_grad(true);
        let sum = (pruners.of_outputs(&u) * Tensor::from_slice(&[1.0f32, 2.0, 3.0])).sum(Kind::Float);
        sum.backward();
        let slope = |u: f32| sigmoid(u) * (1.0 - sigmoid(u));
        let expected = [slope(-2.0), 2.0 * slope(0.0), 3.0 * slope(1.5)];
        assert!(distance(&u.grad(), &Tensor::from_slice(&expected)) < 1e-6);
    }

    #[test]
    fn sparsity_outside_of_its_range_costs() {
        let (_params, pruners) =
            pruners(PruningForm::Binarisation { alpha: ALPHA, epsilon: 0.4, sparsity: SPARSITY });
        // Shares 0 and 1/2 of the first layer's, 1/3 and 1 of the second's; the middle of the range is 0.45.
        let factors = [
            Tensor::from_slice2(&[[1.0f32, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0]]).set_requires_grad(true),
            Tensor::from_slice2(&[[1.0f32, 1.0, 0.0], [0.0, 0.0, 0.0]]),
        ];
        let expected = |weight: f64| weight * (0.45f64.powi(2) + 0.55f64.powi(2)) / 4.0;
        let loss = pruners.regulariser(&factors).unwrap();
        assert!((loss.double_value(&[]) - expected(0.01)).abs() < 1e-8);
        loss.backward();
        // d/dπ of λ̂ · 0.45 · |1 − mean π − 0.45| / 4: the first factor is a constant.
        let slope = (0.01 * 0.45 / 4.0 / 4.0) as f32;
        let gradient = Tensor::from_slice2(&[[slope; 4], [0.0; 4]]);
        assert!(distance(&factors[0].grad(), &gradient) < 1e-9);
        pruners.count_step();
        let after = pruners.regulariser(&factors).unwrap().double_value(&[]);
        assert!((after - expected(0.03)).abs() < 1e-8);
    }

    #[test]
    fn only_binarisation_has_a_regulariser() {
        let factors = [Tensor::from_slice2(&[[1.0f32, 0.0]])];
        for form in [
            PruningForm::Scaling { beta: 2.0 },
            PruningForm::Fusion { alpha: ALPHA, beta: 2.0, epsilon: 0.1 },
        ] {
            assert!(pruners(form).1.regulariser(&factors).is_none());
        }
    }
}
