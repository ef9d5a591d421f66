//! The kernel as one node of autograd's graph.
#![allow(unsafe_code)]

use super::kernel::{self, Inputs, Shape};
use crate::shim::checked;
use std::{ffi::c_char, slice};
use tch::{Kind, Tensor};
use torch_sys::C_tensor;

/// See [`attention`](super::attention).
pub(super) fn fused(views: &Tensor, own: Option<&Tensor>, tokens: &Tensor, heads: i64) -> Tensor {
    assert!(own.iter().chain([&views]).all(|x| x.kind() == Kind::Float), "views and own are f32");
    assert_eq!(tokens.kind(), Kind::Int64, "tokens are i64");
    let (b, l, k, width) = views.size4().expect("[B, L, K, 3 d]");
    let [rows, places, count, heads, width] = [b, l, k, heads, width / 3 / heads].map(|n| n as usize);
    let shape = Shape { rows, places, views: count, heads, width };
    let own = own.map_or(std::ptr::null(), Tensor::as_ptr);
    let mut out = std::ptr::null_mut();
    // SAFETY: the tensors live; the shim calls the two functions with the numbers of contiguous tensors of these shapes, now and
    // on the way back, and writes one pointer.
    let error = unsafe {
        scenarec_attention(views.as_ptr(), own, tokens.as_ptr(), shape, forward, backward, &raw mut out)
    };
    checked(error).expect("the attention");
    // SAFETY: without an error it is a new tensor's, and ours.
    unsafe { Tensor::from_ptr(out) }
}

/// # Safety
/// The pointers are those of contiguous tensors of the shape; `own` may be null, and nobody else has `out`.
unsafe extern "C" fn forward(
    shape: Shape,
    views: *const f32,
    own: *const f32,
    tokens: *const i64,
    out: *mut f32,
) {
    // SAFETY: as promised above.
    let (inputs, out) = unsafe {
        (Inputs::new(shape, views, own, tokens), slice::from_raw_parts_mut(out, shape.rows * shape.out()))
    };
    let rows = rows_of_a_thread(shape);
    std::thread::scope(|scope| {
        let mut parts = inputs.chunks(rows).zip(out.chunks_mut(rows * shape.out()));
        let here = parts.next();
        parts.for_each(|(inputs, out)| drop(scope.spawn(move || kernel::forward(inputs, out))));
        here.into_iter().for_each(|(inputs, out)| kernel::forward(inputs, out));
    });
}

/// # Safety
/// As above; `own` and `d_own` may be null, and nobody else has `d_views` and `d_own`.
unsafe extern "C" fn backward(
    shape: Shape,
    views: *const f32,
    own: *const f32,
    tokens: *const i64,
    d_out: *const f32,
    d_views: *mut f32,
    d_own: *mut f32,
) {
    let [out, all, one] = [shape.out(), shape.views(), shape.own()].map(|n| n * shape.rows);
    // SAFETY: as promised above.
    let (inputs, d_out, d_views, d_own) = unsafe {
        (
            Inputs::new(shape, views, own, tokens),
            slice::from_raw_parts(d_out, out),
            slice::from_raw_parts_mut(d_views, all),
            (!d_own.is_null()).then(|| slice::from_raw_parts_mut(d_own, one)),
        )
    };
    let rows = rows_of_a_thread(shape);
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

/// As many of libtorch's threads as it has share the rows.
fn rows_of_a_thread(shape: Shape) -> usize {
    shape.rows.div_ceil(tch::get_num_threads().max(1) as usize).max(1)
}

impl<'a> Inputs<'a> {
    /// # Safety
    /// The pointers are those of contiguous tensors of the shape that live for `'a`; `own` may be null.
    unsafe fn new(shape: Shape, views: *const f32, own: *const f32, tokens: *const i64) -> Self {
        // SAFETY: as promised above.
        unsafe {
            Self {
                shape,
                views: slice::from_raw_parts(views, shape.rows * shape.views()),
                own: (!own.is_null()).then(|| slice::from_raw_parts(own, shape.rows * shape.own())),
                tokens: slice::from_raw_parts(tokens, shape.rows),
            }
        }
    }
}

unsafe extern "C" {
    /// # Safety
    /// The first three are tensors of the shape, of which the second may be null; `out` is written.
    fn scenarec_attention(
        views: *const C_tensor,
        own: *const C_tensor,
        tokens: *const C_tensor,
        shape: Shape,
        forward: unsafe extern "C" fn(Shape, *const f32, *const f32, *const i64, *mut f32),
        backward: unsafe extern "C" fn(
            Shape,
            *const f32,
            *const f32,
            *const i64,
            *const f32,
            *mut f32,
            *mut f32,
        ),
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}
