//! The reverse pass as one node of autograd's graph: every row goes through all steps at once, so that what a step leaves stays in registers and
//! the nearest cache. On the way back the steps are done again.
//!
//! Rows go side by side in blocks, sums run in one order on every instruction set and with any number of threads.
use scenarec_train::{
    kernel::{Isa, Job, Kernel, View, in_threads, node, run_within, tanh},
    with_width,
};
use tch::Tensor;

/// Widths that the kernel takes.
pub(super) const WIDTHS: [i64; 4] = [8, 16, 32, 64];
/// Rows in a block.
const ROWS: usize = 8;
/// Rows whose gradients by the weights are added up first: a thread's portion, the same for any number of threads.
const PORTION: usize = 256;
/// Layers of the noise predictor.
const LAYERS: usize = 4;
/// With AVX-512 the compiler gathers and scatters what lies side by side, a third slower.
const MOST: Isa = Isa::Avx2;

/// The noise predictor behind what the time adds to its first layer.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a> {
    /// The layers' weights, each `[d, d]`: the first one's for the state only.
    pub weights: [&'a Tensor; LAYERS],
    /// The biases of the second layer and of those behind it, each `[d]`.
    pub biases: [&'a Tensor; LAYERS - 1],
}

impl Layers<'_> {
    /// # Shapes
    /// seen [B, d], offset `[d]` or [B, d] -> [B, d]
    pub fn noise(&self, seen: &Tensor, offset: &Tensor) -> Tensor {
        let mut x = seen.linear::<&Tensor>(self.weights[0], None) + offset;
        for (weight, bias) in self.weights[1..].iter().zip(self.biases) {
            x = x.tanh().linear(weight, Some(bias));
        }
        x
    }
}

/// What the reverse pass depends on.
pub(super) struct Reverse<'a> {
    /// `[B, d]`.
    pub h: &'a Tensor,
    /// What the first layer adds in each of the n steps, `[n, d]`.
    pub offsets: &'a Tensor,
    /// What multiplies z, h and the predicted noise, `[n, 3]`.
    pub coefficients: &'a Tensor,
    pub layers: Layers<'a>,
    /// What multiplies the state that the predictor sees, `[n, B, d]`.
    pub masks: Option<&'a Tensor>,
}

/// z_0, `[B, d]`, on a CPU and for a width of [`WIDTHS`].
pub(super) fn by_kernel(of: &Reverse<'_>) -> Tensor {
    let inputs = [of.h, of.offsets, of.coefficients];
    let layers = of.layers.weights.into_iter().chain(of.layers.biases);
    let inputs: Vec<&Tensor> = inputs.into_iter().chain(layers).chain(of.masks).collect();
    node::<Steps>(&[], &inputs, &of.h.size())
}

/// The same from libtorch's operations.
pub(super) fn composed(of: &Reverse<'_>) -> Tensor {
    let mut z = of.h.shallow_clone();
    for i in 0..of.offsets.size()[0] {
        let seen = of.masks.map_or_else(|| z.shallow_clone(), |masks| &z * masks.select(0, i));
        let noise = of.layers.noise(&seen, &of.offsets.select(0, i));
        let c = |j: i64| of.coefficients.select(0, i).select(0, j);
        z = z * c(0) + of.h * c(1) + noise * c(2);
    }
    z
}

struct Steps;

impl Kernel for Steps {
    fn forward(_: &[i64], inputs: &[View<'_>], out: &mut [f32]) {
        with_width!([8, 16, 32, 64], inputs[0].sizes()[1], W => {
            let net = Net::<W>::new(inputs);
            let portions = out.chunks_mut(PORTION * W).enumerate();
            in_threads(portions.map(|(at, out)| {
                let (net, rows) = (&net, Rows::<W>::new(inputs, at));
                move || run_within(MOST, Forward { net, rows, out })
            }).collect());
        });
    }

    fn backward(_: &[i64], inputs: &[View<'_>], d_out: &[f32], d_inputs: &mut [Option<&mut [f32]>]) {
        with_width!([8, 16, 32, 64], inputs[0].sizes()[1], W => {
            let net = Net::<W>::new(inputs);
            let mut d_h = vec![0.0; d_out.len()];
            let learns = d_inputs[1..].iter().any(Option::is_some);
            let portions = d_out.len().div_ceil(PORTION * W);
            let mut sums: Vec<Gradients<W>> = (0..portions).map(|_| Gradients::new(net.steps.len())).collect();
            let places = d_out.chunks(PORTION * W).zip(d_h.chunks_mut(PORTION * W)).zip(&mut sums);
            in_threads(places.enumerate().map(|(at, ((d_out, d_h), sums))| {
                let (net, rows) = (&net, Rows::<W>::new(inputs, at));
                move || run_within(MOST, Backward { net, rows, d_out, d_h, sums, learns })
            }).collect());
            let mut all = Gradients::<W>::new(net.steps.len());
            sums.iter().for_each(|sum| all.add(sum));
            let by_input = [d_h.as_slice(), all.offsets.as_flattened()].into_iter().map(Some);
            let by_input = by_input.chain([None]).chain(all.weights.iter().map(|w| Some(w.as_flattened())));
            let by_input = by_input.chain(all.biases.iter().map(|b| Some(b.as_slice())));
            for (place, d) in d_inputs.iter_mut().zip(by_input) {
                if let (Some(place), Some(d)) = (place, d) {
                    place.copy_from_slice(d);
                }
            }
        });
    }

    fn composed(_: &[i64], inputs: &[Tensor]) -> Tensor {
        composed(&of_inputs(inputs))
    }
}

/// What [`by_kernel`] gave the node.
fn of_inputs(inputs: &[Tensor]) -> Reverse<'_> {
    let all: Vec<&Tensor> = inputs.iter().collect();
    let (weights, behind) = all[3..].split_first_chunk().expect("weights");
    let (biases, masks) = behind.split_first_chunk().expect("biases");
    let layers = Layers { weights: *weights, biases: *biases };
    Reverse { h: all[0], offsets: all[1], coefficients: all[2], layers, masks: masks.first().copied() }
}

type Matrix<const W: usize> = [[f32; W]; W];
type Block<const W: usize> = [[f32; W]; ROWS];

struct Step<const W: usize> {
    offset: [f32; W],
    z: f32,
    h: f32,
    noise: f32,
}

/// The noise predictor and the steps.
struct Net<const W: usize> {
    steps: Vec<Step<W>>,
    weights: Box<[Matrix<W>; LAYERS]>,
    /// Of each, the matrix with rows and columns exchanged.
    transposed: Box<[Matrix<W>; LAYERS]>,
    /// Of the second layer and of those behind it.
    biases: [[f32; W]; LAYERS - 1],
}

fn row<const W: usize>(numbers: &[f32], at: usize) -> [f32; W] {
    numbers[at * W..][..W].try_into().expect("a row of this width")
}

impl<const W: usize> Net<W> {
    fn new(inputs: &[View<'_>]) -> Self {
        let (offsets, coefficients) = (inputs[1].floats(), inputs[2].floats());
        let steps = coefficients.chunks_exact(3).enumerate();
        let steps = steps.map(|(at, c)| Step { offset: row(offsets, at), z: c[0], h: c[1], noise: c[2] });
        let mut weights = Box::new([[[0.0; W]; W]; LAYERS]);
        let mut transposed = weights.clone();
        for layer in 0..LAYERS {
            let numbers = inputs[3 + layer].floats();
            for i in 0..W {
                weights[layer][i] = row(numbers, i);
                for j in 0..W {
                    transposed[layer][j][i] = numbers[i * W + j];
                }
            }
        }
        let biases = std::array::from_fn(|at| row(inputs[3 + LAYERS + at].floats(), 0));
        Self { steps: steps.collect(), weights, transposed, biases }
    }
}

/// A portion of the rows.
struct Rows<'a, const W: usize> {
    h: &'a [f32],
    /// Of all rows, and which of them come first here.
    masks: Option<(&'a [f32], usize)>,
    all: usize,
}

impl<'a, const W: usize> Rows<'a, W> {
    fn new(inputs: &[View<'a>], portion: usize) -> Self {
        let h = inputs[0].floats();
        let start = portion * PORTION * W;
        let masks = inputs.get(3 + 2 * LAYERS - 1).map(|masks| (masks.floats(), start));
        Self { h: &h[start..h.len().min(start + PORTION * W)], masks, all: h.len() }
    }

    /// Some rows of a block, 0 beyond the last.
    #[inline(always)]
    fn block(numbers: &[f32], at: usize) -> Block<W> {
        let mut block = [[0.0; W]; ROWS];
        for (to, from) in block.iter_mut().zip(numbers[at..].chunks_exact(W)) {
            to.copy_from_slice(from);
        }
        block
    }

    /// The state that the predictor sees in a step, and gradients on their way back from there.
    #[inline(always)]
    fn mask(&self, step: usize, at: usize, z: &mut Block<W>) {
        if let Some((masks, start)) = self.masks {
            let masks = &masks[step * self.all..][start + at..self.all];
            for (z, mask) in z.iter_mut().zip(masks.chunks_exact(W)) {
                z.iter_mut().zip(mask).for_each(|(z, mask)| *z *= mask);
            }
        }
    }
}

/// sum += x M, where the rows of M are what each number of x counts with.
#[inline(always)]
fn product<const W: usize>(x: &Block<W>, m: &Matrix<W>, sum: &mut Block<W>) {
    // Four rows at once: one row's sums would wait for each other. They have names so that they stay in registers.
    for (x, sum) in x.chunks_exact(4).zip(sum.chunks_exact_mut(4)) {
        let (mut a, mut b, mut c, mut d) = (sum[0], sum[1], sum[2], sum[3]);
        for (j, m) in m.iter().enumerate() {
            add(&mut a, x[0][j], m);
            add(&mut b, x[1][j], m);
            add(&mut c, x[2][j], m);
            add(&mut d, x[3][j], m);
        }
        sum.copy_from_slice(&[a, b, c, d]);
    }
}

/// sum += a x
#[inline(always)]
fn add<const W: usize>(sum: &mut [f32; W], a: f32, x: &[f32; W]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum = x.mul_add(a, *sum);
    }
}

/// sum += dᵀ x
#[inline(always)]
fn outer<const W: usize>(d: &Block<W>, x: &Block<W>, sum: &mut Matrix<W>) {
    // Four rows at once, as in a product.
    for (i, sum) in (0..W).step_by(4).zip(sum.chunks_exact_mut(4)) {
        let (mut a, mut b, mut c, mut e) = (sum[0], sum[1], sum[2], sum[3]);
        for (d, x) in d.iter().zip(x) {
            add(&mut a, d[i], x);
            add(&mut b, d[i + 1], x);
            add(&mut c, d[i + 2], x);
            add(&mut e, d[i + 3], x);
        }
        sum.copy_from_slice(&[a, b, c, e]);
    }
}

/// d by what goes into tanh, from d by what comes out of it.
#[inline(always)]
fn tanh_back<const W: usize>(d: &mut Block<W>, out: &Block<W>) {
    for (d, a) in d.as_flattened_mut().iter_mut().zip(out.as_flattened()) {
        *d *= 1.0 - a * a;
    }
}

impl<const W: usize> Net<W> {
    /// What each layer is given, where the first one has the state that the predictor sees.
    #[inline(always)]
    fn layers(&self, step: &Step<W>, inputs: &mut [Block<W>; LAYERS]) {
        for layer in 0..LAYERS - 1 {
            let bias = if layer == 0 { &step.offset } else { &self.biases[layer - 1] };
            let (given, out) = inputs.split_at_mut(layer + 1);
            out[0].fill(*bias);
            product(&given[layer], &self.transposed[layer], &mut out[0]);
            for x in out[0].as_flattened_mut() {
                *x = tanh(*x);
            }
        }
    }

    /// From a state to the next one.
    #[inline(always)]
    fn next(&self, step: &Step<W>, h: &Block<W>, last: &Block<W>, z: &mut Block<W>) {
        let mut noise = [self.biases[LAYERS - 2]; ROWS];
        product(last, &self.transposed[LAYERS - 1], &mut noise);
        let others = h.as_flattened().iter().zip(noise.as_flattened());
        for (z, (h, noise)) in z.as_flattened_mut().iter_mut().zip(others) {
            *z = *z * step.z + h * step.h + noise * step.noise;
        }
    }
}

struct Forward<'a, const W: usize> {
    net: &'a Net<W>,
    rows: Rows<'a, W>,
    out: &'a mut [f32],
}

impl<const W: usize> Job for Forward<'_, W> {
    #[inline(always)]
    fn run(self) {
        let Self { net, rows, out } = self;
        let mut inputs = [[[0.0; W]; ROWS]; LAYERS];
        for at in (0..out.len()).step_by(ROWS * W) {
            let h = Rows::block(rows.h, at);
            let mut z = h;
            for (i, step) in net.steps.iter().enumerate() {
                inputs[0] = z;
                rows.mask(i, at, &mut inputs[0]);
                net.layers(step, &mut inputs);
                net.next(step, &h, &inputs[LAYERS - 1], &mut z);
            }
            for (to, from) in out[at..].chunks_exact_mut(W).zip(&z) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// Gradients by what all rows share.
struct Gradients<const W: usize> {
    offsets: Vec<[f32; W]>,
    weights: Box<[Matrix<W>; LAYERS]>,
    biases: [[f32; W]; LAYERS - 1],
}

impl<const W: usize> Gradients<W> {
    fn new(steps: usize) -> Self {
        let weights = Box::new([[[0.0; W]; W]; LAYERS]);
        Self { offsets: vec![[0.0; W]; steps], weights, biases: [[0.0; W]; LAYERS - 1] }
    }

    fn add(&mut self, other: &Self) {
        let own = self.weights.as_flattened_mut().iter_mut().chain(&mut self.biases).chain(&mut self.offsets);
        let others = other.weights.as_flattened().iter().chain(&other.biases).chain(&other.offsets);
        own.zip(others).for_each(|(sum, d)| add_row(sum, d));
    }
}

#[inline(always)]
fn add_row<const W: usize>(sum: &mut [f32; W], x: &[f32; W]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}

struct Backward<'a, const W: usize> {
    net: &'a Net<W>,
    rows: Rows<'a, W>,
    d_out: &'a [f32],
    d_h: &'a mut [f32],
    sums: &'a mut Gradients<W>,
    /// Whether the predictor does.
    learns: bool,
}

impl<const W: usize> Job for Backward<'_, W> {
    #[inline(always)]
    fn run(self) {
        let Self { net, rows, d_out, d_h: d_h_of_all, sums, learns } = self;
        // Of every step.
        let mut inputs = vec![[[[0.0; W]; ROWS]; LAYERS]; net.steps.len()];
        for at in (0..d_out.len()).step_by(ROWS * W) {
            let h = Rows::block(rows.h, at);
            let mut z = h;
            for (i, (step, inputs)) in net.steps.iter().zip(&mut inputs).enumerate() {
                inputs[0] = z;
                rows.mask(i, at, &mut inputs[0]);
                net.layers(step, inputs);
                net.next(step, &h, &inputs[LAYERS - 1], &mut z);
            }
            // Rows beyond the last have no gradient and so add nothing to the sums.
            let mut d = Rows::block(d_out, at);
            let mut d_h = [[0.0; W]; ROWS];
            for (i, (step, inputs)) in net.steps.iter().zip(&inputs).enumerate().rev() {
                let mut by_layer = d;
                by_layer.as_flattened_mut().iter_mut().for_each(|d| *d *= step.noise);
                for layer in (0..LAYERS).rev() {
                    if learns {
                        let bias =
                            if layer == 0 { &mut sums.offsets[i] } else { &mut sums.biases[layer - 1] };
                        by_layer.iter().for_each(|d| add_row(bias, d));
                        outer(&by_layer, &inputs[layer], &mut sums.weights[layer]);
                    }
                    let mut by_input = [[0.0; W]; ROWS];
                    product(&by_layer, &net.weights[layer], &mut by_input);
                    if layer > 0 {
                        tanh_back(&mut by_input, &inputs[layer]);
                    }
                    by_layer = by_input;
                }
                rows.mask(i, at, &mut by_layer);
                let both = d_h.as_flattened_mut().iter_mut().zip(d.as_flattened_mut());
                for ((d_h, d), by_state) in both.zip(by_layer.as_flattened()) {
                    *d_h += *d * step.h;
                    *d = *d * step.z + by_state;
                }
            }
            for ((to, d_h), d) in d_h_of_all[at..].chunks_exact_mut(W).zip(&d_h).zip(&d) {
                to.iter_mut().zip(d_h).zip(d).for_each(|((to, d_h), d)| *to = d_h + d);
            }
        }
    }
}
