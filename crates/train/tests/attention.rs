//! The attention's kernel against a literal one in double precision, its gradients against libtorch's.
use scenarec_train::{nn::attention, testing::orders, to_vec};
use tch::{Device, Kind, Tensor};

/// Numbers in [-1, 1] that no symmetry makes equal.
fn numbers(shape: &[i64], seed: f64) -> Tensor {
    let n: i64 = shape.iter().product();
    ((Tensor::arange(n, (Kind::Double, Device::Cpu)) + seed) * 12.9898).sin().view(shape).to_kind(Kind::Float)
}

struct Case {
    places: i64,
    views: i64,
    heads: i64,
    width: i64,
    tokens: &'static [i64],
}

/// Widths of a whole block, below and above one, and the widest; histories of none, one, a block, all places.
const CASES: &[Case] = &[
    Case { places: 20, views: 3, heads: 4, width: 8, tokens: &[0, 1, 16, 17, 20] },
    Case { places: 33, views: 2, heads: 1, width: 5, tokens: &[33, 2, 0] },
    Case { places: 5, views: 1, heads: 16, width: 2, tokens: &[3, 5] },
    Case { places: 7, views: 2, heads: 2, width: 16, tokens: &[7, 4] },
    Case { places: 3, views: 2, heads: 1, width: 32, tokens: &[3, 1] },
    Case { places: 3, views: 2, heads: 1, width: 64, tokens: &[2, 3] },
];

impl Case {
    fn inputs(&self) -> (Tensor, Tensor, Tensor) {
        let (b, d3) = (self.tokens.len() as i64, 3 * self.heads * self.width);
        let views = numbers(&[b, self.places, self.views, d3], 0.3).set_requires_grad(true);
        let own = numbers(&[b, self.places, d3], 0.7).set_requires_grad(true);
        (views, own, Tensor::from_slice(self.tokens))
    }
}

/// One number of the result after the other, from double-precision sums.
fn literal(projected: &Tensor, case: &Case) -> Vec<f64> {
    let x: Vec<f64> = to_vec(projected).into_iter().map(f64::from).collect();
    let [l, k, h, c] = [case.places, case.views, case.heads, case.width].map(|n| n as usize);
    let mut out = vec![0.0; case.tokens.len() * k * l * h * c];
    let at = |b: usize, i: usize, view: usize, part: usize, head: usize| {
        let from = ((((b * l + i) * k + view) * 3 + part) * h + head) * c;
        &x[from..from + c]
    };
    for (b, tokens) in case.tokens.iter().enumerate() {
        let first = l - *tokens as usize;
        for view in 0..k {
            for head in 0..h {
                for i in first..l {
                    let score = |j| -> f64 {
                        let product = at(b, i, view, 0, head).iter().zip(at(b, j, view, 1, head));
                        (product.map(|(q, k)| q * k).sum::<f64>() / (c as f64).sqrt()).exp()
                    };
                    let all: f64 = (first..l).map(score).sum();
                    for j in first..l {
                        for (channel, v) in at(b, j, view, 2, head).iter().enumerate() {
                            out[(((b * k + view) * l + i) * h + head) * c + channel] += score(j) / all * v;
                        }
                    }
                }
            }
        }
    }
    out
}

fn close(ours: &Tensor, want: &[f64], what: &str) {
    let ours = to_vec(&ours.contiguous());
    assert_eq!(ours.len(), want.len());
    for (i, (a, b)) in ours.iter().zip(want).enumerate() {
        assert!((f64::from(*a) - b).abs() < 2e-6 * b.abs().max(1.0), "{what}, number {i}: {a} for {b}");
    }
}

/// The same from libtorch's operations in double precision, for its gradients.
fn composed(views: &Tensor, own: &Tensor, case: &Case) -> Tensor {
    let (b, l, k, h, c) = (case.tokens.len() as i64, case.places, case.views, case.heads, case.width);
    let there = Tensor::arange(l, (Kind::Int64, Device::Cpu))
        .ge_tensor(&(l - Tensor::from_slice(case.tokens)).unsqueeze(1))
        .to_kind(Kind::Double);
    let parts =
        (views + own.unsqueeze(2)).to_kind(Kind::Double).view([b, l, k, 3, h, c]).permute([3, 0, 2, 4, 1, 5]);
    let [q, keys, v] = [0, 1, 2].map(|i| parts.select(0, i));
    let scores =
        q.matmul(&keys.transpose(3, 4)) / (c as f64).sqrt() + ((&there - 1.0) * 1e9).view([b, 1, 1, 1, l]);
    let out = scores.softmax(-1, Kind::Double).matmul(&v).transpose(2, 3).reshape([b, k, l, h * c]);
    out * there.view([b, 1, l, 1])
}

#[test]
fn the_kernel_is_the_literal_attention() {
    for case in CASES {
        let (views, own, tokens) = case.inputs();
        let projected = (&views + own.unsqueeze(2)).detach();
        let want = literal(&projected, case);
        close(&attention(&views, Some(&own), &tokens, case.heads), &want, "with a part of the row's own");
        close(&attention(&projected, None, &tokens, case.heads), &want, "without");
        let turned = projected.transpose(0, 1).contiguous().transpose(0, 1);
        close(&attention(&turned, None, &tokens, case.heads), &want, "from another layout");
    }
}

#[test]
fn gradients_are_autograds() {
    for case in CASES {
        let (views, own, tokens) = case.inputs();
        let ours = attention(&views, Some(&own), &tokens, case.heads);
        let weight = numbers(&ours.size(), 0.1);
        let inputs = [&views, &own];
        let ours = Tensor::run_backward(&[(&ours * &weight).sum(Kind::Float)], &inputs, false, false);
        let want = (composed(&views, &own, case) * &weight).sum(Kind::Double);
        let want = Tensor::run_backward(&[want], &inputs, false, false);
        for ((ours, want), what) in ours.iter().zip(&want).zip(["views", "own"]) {
            let want: Vec<f64> = to_vec(&want.contiguous()).into_iter().map(f64::from).collect();
            close(ours, &want, what);
        }
    }
}

#[test]
fn gradients_can_be_differentiated_again() {
    for case in &CASES[..2] {
        let (views, own, tokens) = case.inputs();
        let ours = orders(|x| attention(&x[0], Some(&x[1]), &tokens, case.heads), &[&views, &own]);
        let wanted = orders(|x| composed(&x[0], &x[1], case).to_kind(Kind::Float), &[&views, &own]);
        for (ours, wanted) in ours.iter().flatten().zip(wanted.iter().flatten()) {
            let wanted: Vec<f64> = to_vec(&wanted.contiguous()).into_iter().map(f64::from).collect();
            close(ours, &wanted, "twice");
        }
    }
}

#[test]
fn threads_and_instruction_sets_change_nothing() {
    let case = &CASES[0];
    let run = || {
        let (views, own, tokens) = case.inputs();
        let out = attention(&views, Some(&own), &tokens, case.heads);
        let loss = (&out * numbers(&out.size(), 0.1)).sum(Kind::Float);
        let gradients = Tensor::run_backward(&[loss], &[&views, &own], false, false);
        [to_vec(&out.detach()), to_vec(&gradients[0]), to_vec(&gradients[1])]
    };
    let best = scenarec_train::isa();
    let want = run();
    for most in [scenarec_train::Isa::Portable, scenarec_train::Isa::Avx2] {
        scenarec_train::limit_isa(most);
        assert!(run() == want, "{most:?}");
    }
    scenarec_train::limit_isa(best);
    let threads = tch::get_num_threads();
    tch::set_num_threads(3);
    assert!(run() == want, "three threads");
    tch::set_num_threads(threads);
}

#[test]
fn nothing_gives_nothing() {
    for (rows, places) in [(0, 20), (3, 0)] {
        let views = Tensor::zeros([rows, places, 2, 24], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let own = Tensor::zeros([rows, places, 24], (Kind::Float, Device::Cpu));
        let tokens = Tensor::zeros([rows], (Kind::Int64, Device::Cpu));
        let out = attention(&views, Some(&own), &tokens, 1);
        assert_eq!(out.size(), [rows, 2, places, 8]);
        out.sum(Kind::Float).backward();
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    let case = &CASES[0];
    let (views, own, tokens) = case.inputs();
    let _ = own.detach().get(3).get(case.places - 1).fill_(f64::NAN);
    let out = attention(&views, Some(&own), &tokens, case.heads);
    assert!(out.get(3).isnan().any().int64_value(&[]) == 1 && out.get(4).isnan().any().int64_value(&[]) == 0);
}

#[test]
#[should_panic(expected = "3 heads of a third of 96")]
fn heads_that_do_not_fit_are_refused() {
    let (views, _, tokens) = CASES[0].inputs();
    let _out = attention(&views, None, &tokens, 3);
}
