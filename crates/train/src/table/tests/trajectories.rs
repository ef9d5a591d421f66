//! Thousands of random sparse steps: max |difference| / max |movement| < 1e-5.

use rand::RngExt;

use super::reference::{Pair, distance};
use crate::kernel::{Isa, isa, limit_isa};
use crate::table::{EmbeddingTable, Rule};

const BOUND: f64 = 1e-5;

fn rules() -> Vec<Rule> {
    let adam = |beta1, beta2, eps, weight_decay| Rule::Adam { beta1, beta2, eps, weight_decay };
    let adagrad = |lr_decay, initial_accumulator, weight_decay| Rule::Adagrad {
        lr_decay,
        eps: 1e-10,
        initial_accumulator,
        weight_decay,
    };
    let sgd = |momentum, weight_decay| Rule::Sgd { momentum, weight_decay };
    vec![
        adam(0.9, 0.999, 1e-8, 0.0),
        adam(0.5, 0.999, 1e-8, 0.0),
        adam(0.0, 0.9, 1e-8, 0.0),
        adam(0.9, 0.99, 1e-3, 0.0),
        adam(0.99, 0.999, 1e-8, 0.0),
        adam(0.9, 0.999, 1e-8, 1e-6),
        adam(0.9, 0.999, 1e-8, 1e-3),
        adagrad(0.0, 0.0, 0.0),
        adagrad(1e-3, 0.1, 1e-3),
        sgd(0.0, 0.0),
        sgd(0.0, 1e-3),
        sgd(0.9, 0.0),
        sgd(0.9, 1e-3),
    ]
}

/// A rate under which weights move by about their size, changing from step to step.
fn rate(rule: Rule, step: usize) -> f64 {
    let base = match rule {
        Rule::Adam { .. } => 1e-3,
        Rule::Adagrad { .. } => 1e-2,
        Rule::Sgd { .. } => 1e-1,
    };
    base * match step % 1000 {
        0..100 => 0.01 + step as f64 % 1000.0 / 100.0,
        100..500 => 1.0,
        500..600 => 0.0,
        _ => 0.1,
    }
}

#[test]
fn equal_to_dense_over_thousands_of_steps() {
    for (n, rule) in rules().into_iter().enumerate() {
        for (rows, dim) in [(300, 16), (60, 10), (100, 1), (20, 70)] {
            let mut pair = Pair::new(rows, dim, rule, n as u64);
            let mut worst = 0.0f64;
            for step in 0..2500 {
                pair.step(rate(rule, step));
                if [150, 777].contains(&step) {
                    worst = worst.max(pair.error());
                }
            }
            worst = worst.max(pair.error());
            let [own, torch] = pair.rounding();
            println!("{rule:?} {rows}x{dim}: {worst:.1e}; from exact {own:.1e}, dense {torch:.1e}");
            assert!(worst < BOUND, "{rule:?} {rows}x{dim}: {worst}");
        }
    }
}

/// Fresh optimisers, saving and restoring, overwritten rows and single reads, at random.
#[test]
fn equal_to_dense_through_interruptions() {
    for (n, rule) in rules().into_iter().enumerate() {
        let mut pair = Pair::new(200, 8, rule, 100 + n as u64);
        let mut worst = 0.0f64;
        for step in 0..3000 {
            pair.step(rate(rule, step));
            match pair.rng.random_range(0..400) {
                0 => {
                    let other = rules()[pair.rng.random_range(0..rules().len())];
                    // Adam's and SGD's useful rates differ a hundredfold.
                    let same = std::mem::discriminant(&other) == std::mem::discriminant(&rule);
                    let next = if same { other } else { rule };
                    pair.table.attach(next);
                    pair.dense.attach(next);
                    pair.exact.attach(next);
                }
                1 => {
                    let saved = pair.table.state();
                    pair.table = EmbeddingTable::new(vec![0.0; 200 * 8], 8);
                    pair.table.restore(&saved);
                    assert_eq!(pair.table.state(), saved);
                }
                2 => {
                    let id = pair.rng.random_range(0..200);
                    let values: Vec<f32> = (0..8).map(|k| 0.01 * k as f32).collect();
                    pair.table.set_rows(&[id], &values);
                    pair.dense.set_row(id, &values);
                    pair.exact.set_row(id, &values);
                }
                3..20 => {
                    let id = pair.rng.random_range(0..200);
                    pair.table.row(id);
                }
                // Before, weights have hardly moved in comparison with their own rounding.
                20..22 if step > 300 => worst = worst.max(pair.error()),
                _ => {}
            }
        }
        worst = worst.max(pair.error());
        let [own, torch] = pair.rounding();
        println!("{rule:?}: {worst:.1e}; from exact {own:.1e}, dense {torch:.1e}");
        assert!(worst < BOUND, "{rule:?}: {worst}");
    }
}

/// Reading brings rows up to date earlier, which must not change where they go.
#[test]
fn reading_never_changes_the_trajectory() {
    for (n, rule) in rules().into_iter().enumerate() {
        let mut quiet = Pair::new(150, 16, rule, 200 + n as u64);
        let mut read = Pair::new(150, 16, rule, 200 + n as u64);
        for step in 0..2000 {
            let ids = [(step * 7 % 150) as u32, (step * step % 150) as u32];
            let grad: Vec<f32> = (0..32).map(|k| ((step * 31 + k * 17) % 23) as f32 * 1e-3 - 0.01).collect();
            let bags = crate::table::Bags::ids(&ids);
            for pair in [&mut quiet, &mut read] {
                pair.table.accumulate(&bags, &grad, 16);
                pair.table.step(rate(rule, step));
            }
            match step % 50 {
                0 => _ = read.table.weights(),
                1..40 => _ = read.table.row((step * 13 % 150) as u32),
                _ => {}
            }
        }
        let (quiet, read, start) = (quiet.table.weights().to_vec(), read.table.weights(), &quiet.start);
        let error = distance(&quiet, read) / distance(&quiet, start);
        println!("{rule:?}: {error:.1e}");
        assert!(error < BOUND, "{rule:?}: {error}");
    }
}

/// No fused multiply-add, no reduction in an order that depends on the width: the same bits everywhere.
#[test]
fn instruction_sets_agree_to_the_bit() {
    let best = isa();
    let run = |rule, most| {
        limit_isa(most);
        let mut pair = Pair::new(100, 21, rule, 5);
        for step in 0..700 {
            pair.step(rate(rule, step));
        }
        let weights: Vec<u32> = pair.table.weights().iter().map(|w| w.to_bits()).collect();
        limit_isa(best);
        weights
    };
    for rule in rules() {
        let portable = run(rule, Isa::Portable);
        assert!(portable == run(rule, Isa::Avx2), "{rule:?}: AVX2");
        assert!(portable == run(rule, Isa::Avx512), "{rule:?}: AVX-512");
    }
}
