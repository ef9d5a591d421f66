//! Nodes of autograd's graph whose numbers come from kernels in Rust, for what libtorch's operations do in many small steps.
#![allow(unsafe_code)]

use crate::shim::checked;
use std::{ffi::c_char, marker::PhantomData, mem::ManuallyDrop, slice};
use tch::Tensor;
use torch_sys::C_tensor;

/// A function of tensors on the CPU, and its gradients.
pub trait Kernel {
    /// Writes every number of the result.
    fn forward(settings: &[i64], inputs: &[View<'_>], out: &mut [f32]);

    /// Writes every number of the gradients by those inputs for which there is a place, from `d_out`, the gradient by the result.
    fn backward(settings: &[i64], inputs: &[View<'_>], d_out: &[f32], d_inputs: &mut [Option<&mut [f32]>]);

    /// The same function of the same inputs by libtorch's operations, for who differentiates the gradients again: those that
    /// [`backward`](Self::backward) writes are numbers without a graph.
    fn composed(settings: &[i64], inputs: &[Tensor]) -> Tensor;
}

/// An input: a contiguous tensor's numbers and its shape.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    raw: RawView,
    life: PhantomData<&'a [f32]>,
}

impl<'a> View<'a> {
    /// The sizes of its dimensions.
    pub fn sizes(&self) -> &'a [i64] {
        // SAFETY: the shim gives the sizes of a living tensor.
        unsafe { part(self.raw.sizes, self.raw.dims) }
    }

    fn len(&self) -> usize {
        self.sizes().iter().product::<i64>() as usize
    }

    /// # Panics
    /// Where it holds integers.
    pub fn floats(&self) -> &'a [f32] {
        assert!(!self.raw.integers, "integers are no f32");
        // SAFETY: the shim gives the numbers of a living, contiguous tensor of these sizes, all f32 or i64.
        unsafe { part(self.raw.numbers.cast(), self.len()) }
    }

    /// # Panics
    /// Where it holds real numbers.
    pub fn integers(&self) -> &'a [i64] {
        assert!(self.raw.integers, "real numbers are no i64");
        // SAFETY: as above.
        unsafe { part(self.raw.numbers.cast(), self.len()) }
    }
}

/// The kernel's result for `inputs`, f32 or i64 on the CPU, as a tensor of `shape` in autograd's graph. `settings` are for the kernel to read.
/// Gradients of its gradients, where they are asked for, are those of [`Kernel::composed`].
///
/// # Panics
/// Where an input is of another kind or on another device.
pub fn node<K: Kernel>(settings: &[i64], inputs: &[&Tensor], shape: &[i64]) -> Tensor {
    let inputs: Vec<*mut C_tensor> = inputs.iter().map(|x| x.as_ptr().cast_mut()).collect();
    let mut out = std::ptr::null_mut();
    // SAFETY: the tensors live; the shim calls the two functions with what they are written for, now and on the way back, and writes one
    // pointer.
    let error = unsafe {
        scenarec_node(
            inputs.as_ptr(),
            inputs.len(),
            Numbers::of(settings),
            Numbers::of(shape),
            forward::<K>,
            backward::<K>,
            composed::<K>,
            &raw mut out,
        )
    };
    checked(error).expect("a kernel");
    // SAFETY: without an error it is a new tensor's, and ours.
    unsafe { Tensor::from_ptr(out) }
}

/// The shim's `View`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RawView {
    numbers: *const std::ffi::c_void,
    sizes: *const i64,
    dims: usize,
    integers: bool,
}

/// The shim's `Settings`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Numbers {
    numbers: *const i64,
    count: usize,
}

impl Numbers {
    fn of(numbers: &[i64]) -> Self {
        Self { numbers: numbers.as_ptr(), count: numbers.len() }
    }
}

/// A slice that may be empty and then have no address.
///
/// # Safety
/// Where `len` is not 0, as many numbers live from `start` on for `'a`.
unsafe fn part<'a, T>(start: *const T, len: usize) -> &'a [T] {
    // SAFETY: as promised above.
    if len == 0 { &[] } else { unsafe { slice::from_raw_parts(start, len) } }
}

/// # Safety
/// As [`part`], and nobody else has the numbers.
unsafe fn part_mut<'a, T>(start: *mut T, len: usize) -> &'a mut [T] {
    // SAFETY: as promised above.
    if len == 0 { &mut [] } else { unsafe { slice::from_raw_parts_mut(start, len) } }
}

/// # Safety
/// The pointers are those of living numbers, as many as the counts say; nobody else has `out`.
unsafe extern "C" fn forward<K: Kernel>(
    settings: Numbers,
    inputs: *const RawView,
    count: usize,
    out: *mut f32,
    len: usize,
) {
    // SAFETY: as promised above.
    let (settings, inputs, out) =
        unsafe { (part(settings.numbers, settings.count), part(inputs, count), part_mut(out, len)) };
    K::forward(settings, &of_raw(inputs), out);
}

/// # Safety
/// As above; `d_inputs` has a pointer for each input, null or to as many numbers as the input has, which nobody else has.
unsafe extern "C" fn backward<K: Kernel>(
    settings: Numbers,
    inputs: *const RawView,
    count: usize,
    d_out: *const f32,
    len: usize,
    d_inputs: *const *mut f32,
) {
    // SAFETY: as promised above.
    unsafe {
        let (settings, d_out) = (part(settings.numbers, settings.count), part(d_out, len));
        let inputs = of_raw(part(inputs, count));
        let places = part(d_inputs, count).iter().zip(&inputs);
        let mut d_inputs: Vec<Option<&mut [f32]>> =
            places.map(|(d, x)| (!d.is_null()).then(|| part_mut(*d, x.len()))).collect();
        K::backward(settings, &inputs, d_out, &mut d_inputs);
    }
}

/// # Safety
/// The pointers are those of living tensors, as many as the counts say.
unsafe extern "C" fn composed<K: Kernel>(
    settings: Numbers,
    inputs: *const *mut C_tensor,
    count: usize,
) -> *mut C_tensor {
    // SAFETY: as promised above; a clone counts as another owner of the numbers.
    let (settings, inputs): (_, Vec<Tensor>) = unsafe {
        let inputs = part(inputs, count).iter().map(|x| Tensor::clone_from_ptr(*x));
        (part(settings.numbers, settings.count), inputs.collect())
    };
    // The caller deletes it.
    ManuallyDrop::new(K::composed(settings, &inputs)).as_mut_ptr()
}

fn of_raw<'a>(inputs: &[RawView]) -> Vec<View<'a>> {
    inputs.iter().map(|raw| View { raw: *raw, life: PhantomData }).collect()
}

unsafe extern "C" {
    /// # Safety
    /// The inputs are tensors; the functions are called with what they promise to take; `out` is written.
    fn scenarec_node(
        inputs: *const *mut C_tensor,
        count: usize,
        settings: Numbers,
        shape: Numbers,
        forward: unsafe extern "C" fn(Numbers, *const RawView, usize, *mut f32, usize),
        backward: unsafe extern "C" fn(Numbers, *const RawView, usize, *const f32, usize, *const *mut f32),
        composed: unsafe extern "C" fn(Numbers, *const *mut C_tensor, usize) -> *mut C_tensor,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}
