//! `EmbeddingTable`, and a dense parameter under RMSprop, against trajectories written by PyTorch itself
//! (golden/gen/optimizers.py, golden/gen/optimizers_rmsprop.py).

use crate::optimizers::weights;
use safetensors::SafeTensors;
use scenarec_train::{
    Init, OptimSpec, Optimizer,
    optim::OptimName,
    table::{Bags, EmbeddingTable, Rule},
    to_vec,
};
use tch::{Kind, Tensor};

/// The settings of the script's cases.
fn cases() -> Vec<(&'static str, Rule)> {
    vec![
        ("adam", Rule::adam(0.0)),
        ("adam_decay", Rule::adam(1e-3)),
        ("adam_betas", Rule::Adam { beta1: 0.5, beta2: 0.99, eps: 1e-5, weight_decay: 0.0 }),
        ("adagrad", Rule::adagrad(0.0)),
        (
            "adagrad_decay",
            Rule::Adagrad { lr_decay: 1e-3, eps: 1e-10, initial_accumulator: 0.1, weight_decay: 1e-3 },
        ),
        ("sgd", Rule::sgd(0.0)),
        ("sgd_decay", Rule::sgd(1e-3)),
        ("sgd_momentum", Rule::Sgd { momentum: 0.9, weight_decay: 0.0 }),
        ("sgd_momentum_decay", Rule::Sgd { momentum: 0.9, weight_decay: 1e-3 }),
    ]
}

fn values<T, const N: usize>(file: &SafeTensors, name: &str, parse: impl Fn([u8; N]) -> T) -> Vec<T> {
    let tensor = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    tensor.data().as_chunks::<N>().0.iter().map(|&bytes| parse(bytes)).collect()
}

#[test]
fn optimizers_equal_pytorch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/optimizers.safetensors");
    let bytes = std::fs::read(path).expect("golden/optimizers.safetensors is part of the repository");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    for (name, rule) in cases() {
        let floats = |key: &str| values(&file, &format!("{name}.{key}"), f32::from_le_bytes);
        let ints = |key: &str| values(&file, &format!("{name}.{key}"), i32::from_le_bytes);
        let lrs = values(&file, &format!("{name}.lrs"), f64::from_le_bytes);
        let ids: Vec<u32> = ints("ids").into_iter().map(|id| id as u32).collect();
        let (grads, counts, fresh, marks) = (floats("grads"), ints("counts"), ints("fresh"), ints("marks"));
        let weights = floats("weights");
        let [_, rows, dim] = file.tensor(&format!("{name}.weights")).unwrap().shape()[..] else {
            panic!("{name}.weights has three dimensions")
        };
        let mut marks = marks.iter().zip(weights.chunks_exact(rows * dim)).peekable();
        let (_, start) = marks.next().expect("the weights before the first step");

        // One table is read at every mark, which brings all its rows up to date; the other one only at the end.
        let mut tables = [true, false].map(|_| EmbeddingTable::new(start.to_vec(), dim).named(name));
        for table in &mut tables {
            table.attach(rule);
        }
        let (mut ids, mut grads) = (&ids[..], &grads[..]);
        let (mut out, mut worst) = (vec![0.0; 8 * dim], 0.0f32);
        for (step, (&lr, &count)) in lrs.iter().zip(&counts).enumerate() {
            let n = count.max(0) as usize;
            for table in &mut tables {
                if fresh.contains(&(step as i32)) {
                    table.attach(rule);
                }
                if count >= 0 {
                    let bags = Bags::ids(&ids[..n]);
                    table.gather(&bags, &mut out, dim);
                    table.accumulate(&bags, &grads[..n * dim], dim);
                }
                assert_eq!(table.step(lr), count >= 0);
            }
            (ids, grads) = (&ids[n..], &grads[n * dim..]);
            if let Some((_, expected)) = marks.next_if(|&(&mark, _)| mark as usize == step + 1) {
                let last = marks.peek().is_none();
                for table in &mut tables[..1 + usize::from(last)] {
                    let ours = table.weights();
                    let distance = |x: &[f32], y: &[f32]| {
                        x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
                    };
                    // In the first steps weights move by little more than their own resolution, 3e-8 above 0.25.
                    let error = (distance(ours, expected) - 3e-8).max(0.0) / distance(expected, start);
                    assert!(error < 1e-5, "{name} after {} steps: {error:e}", step + 1);
                    worst = worst.max(error);
                }
            }
        }
        assert!(
            ids.is_empty() && grads.is_empty() && marks.next().is_none(),
            "{name}: all of the file is used"
        );
        println!("{name}: max |difference| / max |movement| {worst:.1e}");
    }
}

#[test]
fn rmsprop_equals_pytorch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/optimizers-rmsprop.safetensors");
    let bytes = std::fs::read(path).expect("golden/optimizers-rmsprop.safetensors is part of the repository");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    // The settings of the script's cases.
    let plain = OptimSpec { name: OptimName::Rmsprop, ..OptimSpec::adam(1e-3, 0.0) };
    let cases = [
        ("rmsprop", plain),
        ("rmsprop_decay", OptimSpec { weight_decay: 1e-2, ..plain }),
        ("rmsprop_alpha", OptimSpec { lr: 1e-2, alpha: 0.9, eps: 1e-3, ..plain }),
    ];
    for (name, spec) in cases {
        let floats = |key: &str| values(&file, &format!("{name}.{key}"), f32::from_le_bytes);
        let ints = |key: &str| values(&file, &format!("{name}.{key}"), i32::from_le_bytes);
        let lrs = values(&file, &format!("{name}.lrs"), f64::from_le_bytes);
        let (grads, used, expected) = (floats("grads"), ints("used"), floats("weights"));
        let n = grads.len() / lrs.len();
        let mut marks = ints("marks").into_iter().zip(expected.chunks_exact(n)).peekable();
        let (_, start) = marks.next().expect("the weights before the first step");

        let (mut weights, a, _) = weights();
        let p = weights.params.root().parameter("w", &[n as i64], Init::Constant(0.0));
        tch::no_grad(|| p.shallow_clone().copy_(&Tensor::from_slice(start)));
        let mut optimizer = Optimizer::new(spec, &mut weights);
        for (step, (&lr, grad)) in lrs.iter().zip(grads.chunks_exact(n)).enumerate() {
            optimizer.set_lr(lr);
            // A loss without the parameter still has to depend on something.
            let loss = if used[step] == 1 { &p * Tensor::from_slice(grad) } else { &a * 1.0 };
            optimizer.step(&loss.sum(Kind::Float), &mut weights).unwrap();
            if let Some((_, expected)) = marks.next_if(|&(mark, _)| mark as usize == step + 1) {
                let distance =
                    |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
                // In the first steps weights move by little more than their own resolution, 6e-8 above 0.5.
                let error = (distance(&to_vec(&p), expected) - 6e-8).max(0.0) / distance(expected, start);
                assert!(error < 1e-5, "{name} after {} steps: {error:e}", step + 1);
            }
        }
        assert!(marks.next().is_none(), "{name}: all of the file is used");
    }
}
