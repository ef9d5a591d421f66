//! The kernel as a node of autograd's graph.
use super::{
    composed,
    kernel::{self, Inputs, Shape},
};
use crate::kernel::{Kernel, View, node};
use tch::Tensor;

/// See [`attention`](super::attention).
pub(super) fn fused(views: &Tensor, own: Option<&Tensor>, tokens: &Tensor, heads: i64) -> Tensor {
    let (b, l, k, width) = views.size4().expect("[B, L, K, 3 d]");
    let inputs: Vec<&Tensor> = [views, tokens].into_iter().chain(own).collect();
    node::<Attention>(&[heads], &inputs, &[b, k, l, width / 3])
}

struct Attention;

impl<'a> Inputs<'a> {
    /// Of the views, the tokens and, where there are any, the rows' own parts.
    fn of(settings: &[i64], given: &[View<'a>]) -> Self {
        let &[b, l, k, width] = given[0].sizes() else { panic!("[B, L, K, 3 d]") };
        let [rows, places, views, heads, width] =
            [b, l, k, settings[0], width / 3 / settings[0]].map(|n| n as usize);
        Self {
            shape: Shape { rows, places, views, heads, width },
            views: given[0].floats(),
            own: given.get(2).map(View::floats),
            tokens: given[1].integers(),
        }
    }
}

impl Kernel for Attention {
    fn forward(settings: &[i64], inputs: &[View<'_>], out: &mut [f32]) {
        let inputs = Inputs::of(settings, inputs);
        let rows = rows_of_a_thread(inputs.shape);
        std::thread::scope(|scope| {
            let mut parts = inputs.chunks(rows).zip(out.chunks_mut(rows * inputs.shape.out()));
            let here = parts.next();
            parts.for_each(|(inputs, out)| drop(scope.spawn(move || kernel::forward(inputs, out))));
            here.into_iter().for_each(|(inputs, out)| kernel::forward(inputs, out));
        });
    }

    fn backward(settings: &[i64], inputs: &[View<'_>], d_out: &[f32], d_inputs: &mut [Option<&mut [f32]>]) {
        let inputs = Inputs::of(settings, inputs);
        let shape = inputs.shape;
        let rows = rows_of_a_thread(shape);
        let mut d_own = d_inputs.get_mut(2).and_then(Option::take);
        d_own.iter_mut().for_each(|d| d.fill(0.0));
        let mut unwanted = Vec::new();
        let d_views = d_inputs[0].take().unwrap_or_else(|| {
            unwanted.resize(inputs.views.len(), 0.0);
            &mut unwanted
        });
        std::thread::scope(|scope| {
            let mut d_own = d_own.map(|d| d.chunks_mut(rows * shape.own()));
            let d_out = d_out.chunks(rows * shape.out());
            let d_views = d_views.chunks_mut(rows * shape.views());
            let mut parts = inputs.chunks(rows).zip(d_out).zip(d_views).map(|((inputs, d_out), d_views)| {
                let d_own = d_own.as_mut().and_then(Iterator::next);
                move || kernel::backward(inputs, d_out, d_views, d_own)
            });
            let here = parts.next();
            parts.for_each(|part| drop(scope.spawn(part)));
            here.into_iter().for_each(|part| part());
        });
    }

    fn composed(settings: &[i64], inputs: &[Tensor]) -> Tensor {
        composed(&inputs[0], inputs.get(2), &inputs[1], settings[0])
    }
}

/// As many of libtorch's threads as it has share the rows.
fn rows_of_a_thread(shape: Shape) -> usize {
    shape.rows.div_ceil(tch::get_num_threads().max(1) as usize).max(1)
}
