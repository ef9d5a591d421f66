//! The folded forms against what the paper writes.
use scenarec_diffusion::csdm::{Coefficient, Denoiser, Schedule};
use scenarec_train::{InitScheme, ParamSet, State, rng::normal, rng::stream, testing::distance};
use tch::{Device, Kind, Tensor};

const D: i64 = 4;

fn denoiser() -> (Denoiser, State) {
    let mut params = ParamSet::new(Device::Cpu, 3, InitScheme::Torch);
    let denoiser = Denoiser::new(&mut params.root(), D, 100, 0.5);
    (denoiser, params.state())
}

/// The network with the position embedding concatenated to every row, as the released program computes it.
fn literal(state: &State, z: &Tensor, t: &[i64]) -> Tensor {
    let half = Tensor::arange(D, (Kind::Float, Device::Cpu));
    let frequencies = (half * (-(10_000f64.ln()) / D as f64)).exp();
    let angles = Tensor::from_slice(t).to_kind(Kind::Float).unsqueeze(1) * frequencies.unsqueeze(0);
    let positions = Tensor::cat(&[angles.cos(), angles.sin()], 1);
    let linear = |x: &Tensor, name: &str| {
        x.linear(&state[&format!("{name}.weight")], Some(&state[&format!("{name}.bias")]))
    };
    let mut x = Tensor::cat(&[z, &linear(&positions, "time")], 1);
    for layer in ["0", "1", "2"] {
        x = linear(&x, layer).tanh();
    }
    linear(&x, "3")
}

#[test]
fn the_position_may_be_added_once_per_step_instead_of_per_row() {
    let (denoiser, state) = denoiser();
    let z = normal(&[6, D], &mut stream(1, "z"));
    let t = [0i64, 1, 17, 50, 98, 99];
    let rows = denoiser.all_offsets().rows(&Tensor::from_slice(&t));
    assert!(distance(&denoiser.forward(&z, &rows, false), &literal(&state, &z, &t)) < 1e-6);
    let offsets = denoiser.offsets(&[90, 10]);
    for (i, t) in [90, 10].into_iter().enumerate() {
        let ours = denoiser.forward(&z, &offsets.at(i as i64), false);
        assert!(distance(&ours, &literal(&state, &z, &[t; 6])) < 1e-6, "t = {t}");
    }
}

#[test]
fn dropout_acts_on_the_state_in_training_only() {
    let (denoiser, _) = denoiser();
    let z = normal(&[6, D], &mut stream(1, "z"));
    let offset = denoiser.offsets(&[5]).at(0);
    assert_eq!(distance(&denoiser.forward(&z, &offset, false), &denoiser.forward(&z, &offset, false)), 0.0);
    assert!(distance(&denoiser.forward(&z, &offset, true), &denoiser.forward(&z, &offset, false)) > 1e-3);
}

/// Eq. 8 and Eq. 10 step by step, each visited t with the coefficients of the next visited one.
#[test]
fn the_folded_reverse_step_is_equations_8_and_10() {
    for coefficient in [Coefficient::SqrtC, Coefficient::C] {
        let schedule = Schedule::new(100, 1e-5, coefficient);
        for stride in [5, 10, 7, 100] {
            let mut visited: Vec<usize> = (0..100).step_by(stride).map(|i| i + 1).collect();
            visited.reverse();
            let (h, mut z, mut folded) = (0.8, 0.8, 0.8);
            let noise = |z: f64, t: usize| (z * 3.0 + t as f64 * 0.1).sin();
            for (i, step) in schedule.reverse(stride).iter().enumerate() {
                let t = visited[i];
                let (signal, side, spread) = schedule.forward(t);
                let e = noise(z, t);
                let z0 = (z - side * h - spread * e) / signal;
                z = match visited.get(i + 1) {
                    None => z0,
                    Some(next) => {
                        let (signal, side, spread) = schedule.forward(*next);
                        signal * z0 + spread * e + side * h
                    }
                };
                assert_eq!(step.index, t - 1);
                folded = step.z * folded + step.side * h + step.noise * noise(folded, t);
                assert!(
                    (folded - z).abs() < 1e-9,
                    "{coefficient:?}, stride {stride}, t = {t}: {folded} and {z}"
                );
            }
        }
    }
}
