//! The folded reverse steps against what the paper writes.
use scenarec_diffusion::csdm::{Coefficient, Schedule};

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
