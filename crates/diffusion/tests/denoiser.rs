//! The noise predictor against a literal computation.
use scenarec_diffusion::csdm::Denoiser;
use scenarec_train::{
    InitScheme, ParamSet, State,
    rng::{normal, stream},
    testing::{distance, magnitude},
};
use tch::{Device, Tensor};

/// The state concatenated with the transformed position, through the four layers.
pub fn literal(weights: &State, prefix: &str, z: &Tensor, t: &[i64]) -> Tensor {
    let d = z.size()[1];
    let linear = |x: &Tensor, name: &str| {
        x.matmul(&weights[&format!("{prefix}{name}.weight")].tr()) + &weights[&format!("{prefix}{name}.bias")]
    };
    let position = |t: &i64| -> Vec<f32> {
        let angle = |i: i64| *t as f64 / 10_000f64.powf(i as f64 / d as f64);
        (0..d).map(|i| angle(i).cos() as f32).chain((0..d).map(|i| angle(i).sin() as f32)).collect()
    };
    let positions: Vec<f32> = t.iter().flat_map(position).collect();
    let positions = Tensor::from_slice(&positions).reshape([t.len() as i64, 2 * d]);
    let mut x = Tensor::cat(&[z, &linear(&positions, "time")], 1);
    for i in 0..3 {
        x = linear(&x, &i.to_string()).tanh();
    }
    linear(&x, "3")
}

fn denoiser(dropout: f64) -> (Denoiser, State) {
    let mut set = ParamSet::new(Device::Cpu, 6, InitScheme::Torch);
    let denoiser = Denoiser::new(&mut set.root(), 6, 100, dropout);
    // The biases start near 0; larger ones show whether they count.
    let mut state = set.state();
    for (name, value) in &mut state {
        *value += normal(&value.size(), &mut stream(2, name)) * 0.3;
    }
    set.load(&state, "").unwrap();
    (denoiser, state)
}

#[test]
fn offsets_stand_for_the_positions_part_of_the_first_layer() {
    let (denoiser, state) = denoiser(0.5);
    let z = normal(&[5, 6], &mut stream(1, "z"));
    let t = [99, 0, 40, 40, 7];
    let expected = literal(&state, "", &z, &t);
    // All offsets, one chosen per row.
    let rows = denoiser.all_offsets().rows(&Tensor::from_slice(&t));
    assert_eq!(rows.size(), [5, 6]);
    assert!(distance(&denoiser.forward(&z, &rows, false), &expected) < 2e-5);
    // One wanted offset for all rows.
    let wanted = denoiser.offsets(&[7, 40]);
    for (i, t) in [(0, 7), (1, 40)] {
        let found = denoiser.forward(&z, &wanted.at(i), false);
        assert!(distance(&found, &literal(&state, "", &z, &[t; 5])) < 2e-5, "t = {t}");
    }
    let (a, b) = (denoiser.forward(&z, &wanted.at(0), false), denoiser.forward(&z, &wanted.at(1), false));
    assert!(distance(&a, &b) > 0.01, "t matters");
}

#[test]
fn dropout_meets_the_state_in_training_only() {
    let z = normal(&[5, 6], &mut stream(1, "z"));
    let (with, _) = denoiser(0.5);
    let (without, _) = denoiser(0.0);
    let offset = with.offsets(&[3]).at(0);
    let eval = with.forward(&z, &offset, false);
    assert_eq!(eval, without.forward(&z, &offset, true));
    assert!(distance(&with.forward(&z, &offset, true), &eval) > 0.01);
    // Nothing but the state is dropped: without one, training changes nothing.
    let none = z.zeros_like();
    assert_eq!(with.forward(&none, &offset, true), with.forward(&none, &offset, false));
}

#[test]
fn weights_start_xavier_normal_and_biases_small() {
    let mut set = ParamSet::new(Device::Cpu, 6, InitScheme::Uniform(7.0));
    let _ = Denoiser::new(&mut set.root(), 64, 10, 0.0);
    let state = set.state();
    assert_eq!(state.len(), 10);
    for (name, inputs, outputs) in
        [("time", 128, 128), ("0", 192, 64), ("1", 64, 64), ("2", 64, 64), ("3", 64, 64)]
    {
        let (weight, bias) = (&state[&format!("{name}.weight")], &state[&format!("{name}.bias")]);
        assert_eq!(weight.size(), [outputs, inputs]);
        let (std, expected) = (weight.std(true).double_value(&[]), (2.0 / (inputs + outputs) as f64).sqrt());
        assert!((std / expected - 1.0).abs() < 0.06, "{name}: {std}, not {expected}");
        let std = bias.std(true).double_value(&[]);
        assert!((std / 0.001 - 1.0).abs() < 0.4 && magnitude(bias) < 0.006, "{name}: {std}");
    }
}
