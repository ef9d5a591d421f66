//! The scenario contrast against a literal loop, and what it does at the ends of its range.
use scenarec_contrastive::{Denominator, ScenarioContrast};
use scenarec_train::{
    rng::{normal, stream},
    testing::magnitude,
    to_vec,
};
use tch::{Device, Kind, Tensor};

const B: i64 = 6;
const K: i64 = 4;
const C: i64 = 5;

struct Views {
    anchor: Tensor,
    positive: Tensor,
    scenarios: Tensor,
    own: Tensor,
    counts: Tensor,
}

/// The anchor is the row's own scenario's vector, as in Eq. 5.
fn views() -> Views {
    let mut random = stream(1, "views");
    let scenarios = normal(&[B, K, C], &mut random);
    let own = Tensor::from_slice(&[0i64, 3, 1, 2, 2, 0]);
    let anchor =
        Tensor::stack(&(0..B).map(|b| scenarios.get(b).get(own.int64_value(&[b]))).collect::<Vec<_>>(), 0);
    let counts = Tensor::from_slice(&[1f32, 1.0, 0.0, 1.0, 1.0, 0.0]);
    Views { anchor, positive: normal(&[B, C], &mut random), scenarios, own, counts }
}

fn loss(v: &Views, temperature: f64, denominator: Denominator) -> Tensor {
    ScenarioContrast { temperature, denominator }.loss(
        &v.anchor,
        &v.positive,
        &v.scenarios,
        &v.own,
        &v.counts,
    )
}

fn value(t: &Tensor) -> f64 {
    t.double_value(&[])
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Eq. 5, term by term.
fn literal(v: &Views, temperature: f64, denominator: Denominator) -> f64 {
    let row = |t: &Tensor, b: i64| to_vec(&t.get(b));
    let mut sum = 0.0;
    for b in (0..B).filter(|b| v.counts.double_value(&[*b]) == 1.0) {
        let anchor = row(&v.anchor, b);
        let f = |other: &[f32]| (cosine(&anchor, other) / temperature).exp();
        let positive = f(&row(&v.positive, b));
        let mut below = if denominator == Denominator::PositiveAndOthers { positive } else { 0.0 };
        for k in 0..K {
            if denominator == Denominator::AllScenarios || k != v.own.int64_value(&[b]) {
                below += f(&to_vec(&v.scenarios.get(b).get(k)));
            }
        }
        sum -= (positive / below).ln();
    }
    sum / B as f64
}

#[test]
fn the_loss_is_the_papers() {
    let v = views();
    for denominator in [Denominator::AllScenarios, Denominator::PositiveAndOthers] {
        for temperature in [0.05, 0.1, 1.0] {
            let [ours, theirs] =
                [value(&loss(&v, temperature, denominator)), literal(&v, temperature, denominator)];
            assert!((ours - theirs).abs() < 1e-5 * (1.0 + theirs.abs()), "{ours} {theirs}");
        }
    }
}

#[test]
fn temperatures_at_both_ends() {
    let v = views();
    // Everything alike: one of K, in the rows that count.
    let hot = value(&loss(&v, 1e6, Denominator::AllScenarios));
    assert!((hot - (K as f64).ln() * 4.0 / B as f64).abs() < 1e-4, "{hot}");
    // Nearly a maximum, and no overflow: with itself among them the anchor is the nearest.
    let cold = loss(&v, 1e-4, Denominator::AllScenarios);
    let expected: f64 = (0..B)
        .filter(|b| v.counts.double_value(&[*b]) == 1.0)
        .map(|b| (1.0 - cosine(&to_vec(&v.anchor.get(b)), &to_vec(&v.positive.get(b)))) * 1e4)
        .sum::<f64>()
        / B as f64;
    assert!((value(&cold) / expected - 1.0).abs() < 1e-3, "{} {expected}", value(&cold));
}

#[test]
fn a_step_brings_the_positive_nearer_and_sends_the_others_away() {
    let v = views();
    let leaves = [&v.anchor, &v.positive, &v.scenarios].map(|t| t.detach().copy().set_requires_grad(true));
    let [anchor, positive, scenarios] = &leaves;
    let of = Views {
        anchor: anchor.shallow_clone(),
        positive: positive.shallow_clone(),
        scenarios: scenarios.shallow_clone(),
        own: v.own.shallow_clone(),
        counts: v.counts.shallow_clone(),
    };
    loss(&of, 0.2, Denominator::PositiveAndOthers).backward();
    let moved = |t: &Tensor| t.detach() - t.grad() * 0.1;
    let (before, after) = (to_vec(&v.positive.get(0)), to_vec(&moved(positive).get(0)));
    let near = to_vec(&v.anchor.get(0));
    assert!(cosine(&near, &after) > cosine(&near, &before));
    for k in 1..K {
        let [before, after] = [&v.scenarios, &moved(scenarios)].map(|t| to_vec(&t.get(0).get(k)));
        assert!(cosine(&near, &after) < cosine(&near, &before), "{k}");
    }
    // Rows that do not count have no gradient, nor has the row's own scenario, whose place the positive takes.
    let gradient = scenarios.grad();
    assert_eq!(magnitude(&gradient.get(2)), 0.0);
    assert_eq!(magnitude(&gradient.get(0).get(0)), 0.0);
    assert!(magnitude(&gradient.get(1)) > 1e-4);
}

#[test]
fn nothing_to_compare_is_no_loss() {
    let mut v = views();
    v.counts = Tensor::zeros([B], (Kind::Float, Device::Cpu));
    assert_eq!(value(&loss(&v, 0.1, Denominator::AllScenarios)), 0.0);
    // A vector of zeros has no direction; it is like nothing, and no number is lost.
    let mut v = views();
    v.positive = Tensor::zeros([B, C], (Kind::Float, Device::Cpu));
    assert!(value(&loss(&v, 0.1, Denominator::AllScenarios)).is_finite());
}
