//! The scenario contrast on a model of your own: all it takes is a vector of the user for every scenario and a second view of the
//! one at hand. Here a linear map per scenario makes the vectors from what the user did, and a map of its own makes the second view.
//!
//!     cargo run -p scenarec-contrastive --example scenario_contrast
use anyhow::Result;
use scenarec_contrastive::{Denominator, ScenarioContrast};
use scenarec_train::{
    Init, InitScheme, ParamSet, Params,
    rng::{normal, stream},
};
use tch::{Device, Kind, Reduction, Tensor};

const ROWS: i64 = 512;
const SCENARIOS: i64 = 4;
const WIDTH: i64 = 16;

/// logit = <W_s u, t>, s the row's scenario.
struct Model {
    /// [K, C, C].
    of_scenario: Tensor,
    /// [C, C].
    second: Tensor,
}

impl Model {
    fn new(p: &mut Params) -> Self {
        Self {
            of_scenario: p.parameter("of_scenario", &[SCENARIOS, WIDTH, WIDTH], Init::linear(WIDTH)),
            second: p.parameter("second", &[WIDTH, WIDTH], Init::linear(WIDTH)),
        }
    }

    /// The user's vector in every scenario.
    ///
    /// # Shapes
    /// user [B, C] -> [B, K, C]
    fn views(&self, user: &Tensor) -> Tensor {
        Tensor::einsum("bc,kcd->bkd", &[user, &self.of_scenario], None::<&[i64]>)
    }
}

fn mean(x: &Tensor) -> f64 {
    x.mean(Kind::Float).double_value(&[])
}

/// Trains with this weight of the contrast; the loss of clicks, and how alike a user's vectors in two scenarios are.
fn train(weight: f64) -> Result<(f64, f64)> {
    let contrast = ScenarioContrast { temperature: 0.1, denominator: Denominator::PositiveAndOthers };
    let mut params = ParamSet::new(Device::Cpu, 1, InitScheme::Torch);
    let model = Model::new(&mut params.root());
    let mut random = stream(1, "rows");
    let (user, item) = (normal(&[ROWS, WIDTH], &mut random), normal(&[ROWS, WIDTH], &mut random));
    let scenario = Tensor::arange(ROWS, (Kind::Int64, Device::Cpu)).remainder(SCENARIOS);
    let every = Tensor::ones([ROWS], (Kind::Float, Device::Cpu));
    let clicks =
        (&user * &item).sum_dim_intlist([1i64].as_slice(), false, Kind::Float).gt(0.0).to_kind(Kind::Float);

    let mut velocity: Vec<Tensor> = Vec::new();
    let leaves: Vec<Tensor> = params.active().into_iter().map(|(_, tensor)| tensor).collect();
    let mut last = (f64::NAN, f64::NAN);
    for _ in 0..300 {
        let views = model.views(&user);
        let place = Tensor::arange(ROWS, (Kind::Int64, Device::Cpu)) * SCENARIOS + &scenario;
        let own = views.flatten(0, 1).index_select(0, &place);
        let logits = (&own * &item).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        let loss = logits.binary_cross_entropy_with_logits::<Tensor>(&clicks, None, None, Reduction::Mean);
        let apart = contrast.loss(&own, &user.matmul(&model.second), &views, &scenario, &every);
        let gradients = Tensor::run_backward(&[&loss + weight * apart], &leaves, false, false);
        let _guard = tch::no_grad_guard();
        velocity.resize_with(gradients.len(), || Tensor::zeros([1], (Kind::Float, Device::Cpu)));
        for ((leaf, gradient), velocity) in leaves.iter().zip(&gradients).zip(&mut velocity) {
            *velocity = &*velocity * 0.9 + gradient;
            let _ = leaf.shallow_clone().subtract_(&(&*velocity * 0.05));
        }
        let cosine = Tensor::cosine_similarity(&views.select(1, 0), &views.select(1, 1), 1, 1e-8);
        last = (loss.double_value(&[]), mean(&cosine));
    }
    Ok(last)
}

fn main() -> Result<()> {
    for weight in [0.0, 0.1] {
        let (loss, cosine) = train(weight)?;
        println!("weight {weight}: loss of clicks {loss:.3}, cosine between scenarios {cosine:+.3}");
    }
    Ok(())
}
