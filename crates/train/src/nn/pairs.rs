//! The second order of a factorization machine.
use crate::kernel::{Job, Kernel, View, in_threads, node, run};
use tch::{Device, Kind, Tensor};

/// The inner products of all pairs of a row's vectors, summed: ½ Σ_d [(Σ_f e)² − Σ_f e²] (Rendle, ICDM 2010, Lemma 3.1). On a CPU one
/// kernel reads every number once forward and twice back; libtorch's operations pass over them many times.
///
/// # Shapes
/// e [B, F, d] -> [B, 1]
pub fn pairs(e: &Tensor) -> Tensor {
    match e.device() {
        Device::Cpu => node::<Pairs>(&[], &[e], &[e.size()[0], 1]),
        _ => composed(e),
    }
}

fn composed(e: &Tensor) -> Tensor {
    let one = [1i64].as_slice();
    let sum = e.sum_dim_intlist(one, false, Kind::Float);
    let squares = e.flatten(1, 2).square().sum_dim_intlist(one, true, Kind::Float);
    (sum.square().sum_dim_intlist(one, true, Kind::Float) - squares) * 0.5
}

struct Pairs;

impl Kernel for Pairs {
    fn forward(_: &[i64], inputs: &[View<'_>], out: &mut [f32]) {
        let shape = Shape::of(inputs);
        let parts =
            inputs[0].floats().chunks(shape.of_a_thread()).zip(out.chunks_mut(shape.rows_of_a_thread()));
        in_threads(parts.map(|(e, out)| move || run(Forward { shape, e, out })).collect());
    }

    fn backward(_: &[i64], inputs: &[View<'_>], d_out: &[f32], d_inputs: &mut [Option<&mut [f32]>]) {
        let shape = Shape::of(inputs);
        let Some(d) = d_inputs[0].as_deref_mut() else { return };
        let e = inputs[0].floats().chunks(shape.of_a_thread());
        let parts = e.zip(d_out.chunks(shape.rows_of_a_thread())).zip(d.chunks_mut(shape.of_a_thread()));
        in_threads(parts.map(|((e, d_out), d)| move || run(Backward { shape, e, d_out, d })).collect());
    }

    fn composed(_: &[i64], inputs: &[Tensor]) -> Tensor {
        composed(&inputs[0])
    }
}

/// B, F · d and d.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    row: usize,
    width: usize,
}

impl Shape {
    fn of(inputs: &[View<'_>]) -> Self {
        let &[rows, fields, width] = inputs[0].sizes() else { panic!("[B, F, d]") };
        let [rows, fields, width] = [rows, fields, width].map(|n| n as usize);
        // Chunks of nothing are none.
        Self { rows, row: (fields * width).max(1), width: width.max(1) }
    }

    fn rows_of_a_thread(self) -> usize {
        self.rows.div_ceil(tch::get_num_threads().max(1) as usize).max(1)
    }

    fn of_a_thread(self) -> usize {
        self.rows_of_a_thread() * self.row
    }
}

/// Σ_f e of a row.
#[inline(always)]
fn sum_of(e: &[f32], sum: &mut [f32]) {
    sum.fill(0.0);
    for e in e.chunks_exact(sum.len()) {
        sum.iter_mut().zip(e).for_each(|(sum, e)| *sum += e);
    }
}

struct Forward<'a> {
    shape: Shape,
    e: &'a [f32],
    out: &'a mut [f32],
}

impl Job for Forward<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { shape, e, out } = self;
        let (mut sum, mut squares) = (vec![0.0f32; shape.width], vec![0.0f32; shape.width]);
        for (e, out) in e.chunks_exact(shape.row).zip(out) {
            sum_of(e, &mut sum);
            squares.fill(0.0);
            for e in e.chunks_exact(shape.width) {
                squares.iter_mut().zip(e).for_each(|(sum, e)| *sum = e.mul_add(*e, *sum));
            }
            *out =
                0.5 * sum.iter().zip(&squares).map(|(sum, squares)| sum.mul_add(*sum, -squares)).sum::<f32>();
        }
    }
}

struct Backward<'a> {
    shape: Shape,
    e: &'a [f32],
    d_out: &'a [f32],
    d: &'a mut [f32],
}

impl Job for Backward<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { shape, e, d_out, d } = self;
        let mut sum = vec![0.0f32; shape.width];
        let rows = e.chunks_exact(shape.row).zip(d_out).zip(d.chunks_exact_mut(shape.row));
        for ((e, d_out), d) in rows {
            sum_of(e, &mut sum);
            for (e, d) in e.chunks_exact(shape.width).zip(d.chunks_exact_mut(shape.width)) {
                d.iter_mut().zip(e).zip(&sum).for_each(|((d, e), sum)| *d = (sum - e) * d_out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rng::{normal, stream},
        testing::{distance, magnitude, orders},
    };

    #[test]
    fn gradients_can_be_differentiated_again() {
        let e = normal(&[9, 5, 16], &mut stream(1, "e"));
        // An input that is not contiguous, and one behind a function.
        let of = |f: fn(&Tensor) -> Tensor| orders(|e| f(&e[0].tanh().transpose(0, 1)), &[&e]);
        for (own, wanted) in of(pairs).iter().flatten().zip(of(composed).iter().flatten()) {
            assert!(distance(own, wanted) <= 1e-5 * magnitude(wanted), "{}", distance(own, wanted));
        }
    }

    #[test]
    fn pairs_are_what_libtorchs_operations_give() {
        for shape in [[7, 5, 16], [300, 11, 10], [1, 1, 3], [0, 4, 8]] {
            let of = |f: fn(&Tensor) -> Tensor| {
                let e = normal(&shape, &mut stream(1, "e")).set_requires_grad(true);
                let out = f(&e);
                let loss = (&out * normal(&out.size(), &mut stream(2, "d"))).sum(Kind::Float);
                [Tensor::run_backward(&[&loss], &[&e], false, false).remove(0), out.detach()]
            };
            for (own, wanted) in of(pairs).iter().zip(&of(composed)) {
                assert_eq!(own.size(), wanted.size());
                assert!(wanted.numel() == 0 || distance(own, wanted) <= 1e-5 * magnitude(wanted).max(1e-3));
            }
        }
    }
}
