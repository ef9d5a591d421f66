//! Rows of different lengths without padding: their tokens one row behind the other.
//!
//! Shapes: B rows, N tokens of all rows together, L tokens of the longest row, w width.
use crate::kernel::{Job, Kernel, View, node, run};
use tch::{Device, Kind, Tensor};

/// Which of N tokens belong to which of B rows: those of row 0 first, then those of row 1, and so on.
#[derive(Debug)]
pub struct Segments {
    /// The row of each token, i64 `[N]`.
    row: Tensor,
    /// Where each token stands among B · L padded places, i64 `[N]`.
    place: Tensor,
    /// Tokens of each row, `[B, 1]`.
    count: Tensor,
    longest: i64,
    /// Whether only the device knows the rows, in a pass that is written down for other batches.
    indexed: bool,
}

impl Segments {
    /// Rows with `lens` tokens.
    pub fn new(lens: &[u32], device: Device) -> Self {
        let longest = lens.iter().copied().max().unwrap_or(0).max(1);
        let tokens = || lens.iter().enumerate().flat_map(|(b, n)| (0..*n).map(move |token| (b, token)));
        let row: Vec<i64> = tokens().map(|(b, _)| b as i64).collect();
        let place: Vec<i64> =
            tokens().map(|(b, token)| b as i64 * i64::from(longest) + i64::from(token)).collect();
        let count: Vec<f32> = lens.iter().map(|n| *n as f32).collect();
        Self {
            row: Tensor::from_slice(&row).to_device(device),
            place: Tensor::from_slice(&place).to_device(device),
            count: Tensor::from_slice(&count).unsqueeze(1).to_device(device),
            longest: i64::from(longest),
            indexed: false,
        }
    }

    /// The same by operations on a mask, `[B, L]`, 1 where there is a token, and the rows' numbers of tokens, `[B]`, that are right
    /// for any other batch of the same L.
    pub(crate) fn indexed(mask: &Tensor, count: &Tensor) -> Self {
        let (longest, place) = (mask.size()[1], mask.flatten(0, 1).nonzero().squeeze_dim(1));
        let row = place.divide_scalar_mode(longest, "floor");
        Self { row, place, count: count.unsqueeze(1).to_kind(Kind::Float), longest, indexed: true }
    }

    /// The tokens among padded ones.
    ///
    /// # Shapes
    /// x `[B, L, w]` -> `[N, w]`
    pub(crate) fn gathered(&self, x: &Tensor) -> Tensor {
        x.flatten(0, 1).index_select(0, &self.place)
    }

    fn rows(&self) -> i64 {
        self.count.size()[0]
    }

    /// Tokens of each row.
    ///
    /// # Shapes
    /// -> `[B, 1]`
    pub fn count(&self) -> &Tensor {
        &self.count
    }

    /// A row's vector for each of its tokens.
    ///
    /// # Shapes
    /// x `[B, w]` -> `[N, w]`
    pub fn spread(&self, x: &Tensor) -> Tensor {
        take(x, &self.row)
    }

    /// The sum over each row's tokens; 0 for a row without.
    ///
    /// # Shapes
    /// x `[N, w]` -> `[B, w]`
    pub fn sum(&self, x: &Tensor) -> Tensor {
        if self.indexed {
            return self.zeros(x).index_add(0, &self.row, x);
        }
        add(x, &self.row, self.rows())
    }

    /// The mean over each row's tokens; 0 for a row without.
    ///
    /// # Shapes
    /// x `[N, w]` -> `[B, w]`
    pub fn mean(&self, x: &Tensor) -> Tensor {
        self.sum(x) / self.count.clamp_min(1.0)
    }

    /// The softmax over each row's tokens.
    ///
    /// # Shapes
    /// scores `[N, w]` -> `[N, w]`
    pub fn softmax(&self, scores: &Tensor) -> Tensor {
        // Whatever is subtracted from all scores of a row, the result is the same: the largest one, so that no power overflows.
        let absent = (self.mask() - 1.0).unsqueeze(2) * 1e30;
        let most = (self.padded(&scores.detach()) + absent).amax([1i64].as_slice(), false);
        let powers = (scores - self.spread(&most)).exp();
        &powers / self.spread(&self.sum(&powers))
    }

    /// The tokens of a row side by side, 0 behind them.
    ///
    /// # Shapes
    /// x `[N, w]` -> `[B, L, w]`; L is 1 where no row has a token
    pub fn padded(&self, x: &Tensor) -> Tensor {
        if self.indexed {
            let zeros = self.zeros(x).repeat([self.longest, 1]);
            return zeros.index_add(0, &self.place, x).unflatten(0, [-1, self.longest]);
        }
        add(x, &self.place, self.rows() * self.longest).view([self.rows(), self.longest, -1])
    }

    /// [B, w], for x [N, w], without a number of rows in it.
    fn zeros(&self, x: &Tensor) -> Tensor {
        self.count.zeros_like().repeat([1, x.size()[1]])
    }

    /// 1 where [`padded`](Self::padded) has a token, 0 at padding.
    ///
    /// # Shapes
    /// -> `[B, L]`
    pub fn mask(&self) -> Tensor {
        let place = Tensor::arange(self.longest, (Kind::Float, self.count.device()));
        place.lt_tensor(&self.count).to_kind(Kind::Float)
    }
}

/// Row `index[n]` of x, for every n.
///
/// # Shapes
/// x `[M, w]`, index i64 `[N]` -> `[N, w]`
fn take(x: &Tensor, index: &Tensor) -> Tensor {
    match x.device() {
        Device::Cpu => node::<Take>(&[], &[x, index], &[index.size()[0], x.size()[1]]),
        _ => x.index_select(0, index),
    }
}

/// What [`take`] is the transpose of: row m is the sum of the rows n of x whose `index[n]` is m.
///
/// # Shapes
/// x `[N, w]`, index i64 `[N]` -> `[rows, w]`
fn add(x: &Tensor, index: &Tensor, rows: i64) -> Tensor {
    match x.device() {
        Device::Cpu => node::<Add>(&[rows], &[x, index], &[rows, x.size()[1]]),
        _ => composed_add(x, index, rows),
    }
}

fn composed_add(x: &Tensor, index: &Tensor, rows: i64) -> Tensor {
    Tensor::zeros([rows, x.size()[1]], (Kind::Float, x.device())).index_add(0, index, x)
}

/// libtorch's own `index_select`, whose way back takes each row on its own.
struct Take;

impl Kernel for Take {
    fn forward(_: &[i64], inputs: &[View<'_>], out: &mut [f32]) {
        run(Copy { width: width(inputs), x: inputs[0].floats(), index: inputs[1].integers(), out });
    }

    fn backward(_: &[i64], inputs: &[View<'_>], d_out: &[f32], d_inputs: &mut [Option<&mut [f32]>]) {
        let Some(out) = d_inputs[0].as_deref_mut() else { return };
        run(Sum { width: width(inputs), x: d_out, index: inputs[1].integers(), out });
    }

    fn composed(_: &[i64], inputs: &[Tensor]) -> Tensor {
        inputs[0].index_select(0, &inputs[1])
    }
}

struct Add;

impl Kernel for Add {
    fn forward(_: &[i64], inputs: &[View<'_>], out: &mut [f32]) {
        run(Sum { width: width(inputs), x: inputs[0].floats(), index: inputs[1].integers(), out });
    }

    fn backward(_: &[i64], inputs: &[View<'_>], d_out: &[f32], d_inputs: &mut [Option<&mut [f32]>]) {
        let Some(out) = d_inputs[0].as_deref_mut() else { return };
        run(Copy { width: width(inputs), x: d_out, index: inputs[1].integers(), out });
    }

    fn composed(settings: &[i64], inputs: &[Tensor]) -> Tensor {
        composed_add(&inputs[0], &inputs[1], settings[0])
    }
}

/// w; chunks of nothing are none.
fn width(inputs: &[View<'_>]) -> usize {
    (inputs[0].sizes()[1] as usize).max(1)
}

struct Copy<'a> {
    width: usize,
    x: &'a [f32],
    index: &'a [i64],
    out: &'a mut [f32],
}

impl Job for Copy<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { width, x, index, out } = self;
        for (out, from) in out.chunks_exact_mut(width).zip(index) {
            out.copy_from_slice(&x[*from as usize * width..][..width]);
        }
    }
}

struct Sum<'a> {
    width: usize,
    x: &'a [f32],
    index: &'a [i64],
    out: &'a mut [f32],
}

impl Job for Sum<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { width, x, index, out } = self;
        out.fill(0.0);
        for (x, to) in x.chunks_exact(width).zip(index) {
            let out = &mut out[*to as usize * width..][..width];
            out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
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

    const LENS: [u32; 5] = [3, 0, 1, 5, 2];

    /// The rows' tokens one by one.
    fn rows_of(x: &Tensor) -> Vec<Tensor> {
        let ends = LENS.iter().scan(0, |end, n| {
            *end += i64::from(*n);
            Some((*end - i64::from(*n), i64::from(*n)))
        });
        ends.map(|(from, n)| x.narrow(0, from, n)).collect()
    }

    #[test]
    fn rows_are_summed_padded_and_weighted_one_by_one() {
        let of = Segments::new(&LENS, Device::Cpu);
        let x = normal(&[11, 4], &mut stream(1, "x"));
        let zero = [0i64].as_slice();
        let (sum, mean, padded, mask) = (of.sum(&x), of.mean(&x), of.padded(&x), of.mask());
        let (spread, softmax) = (rows_of(&of.spread(&sum)), rows_of(&of.softmax(&(&x * 60.0))));
        assert_eq!((padded.size(), mask.size(), of.rows()), (vec![5, 5, 4], vec![5, 5], 5));
        for (b, own) in rows_of(&x).iter().enumerate() {
            let (row, n) = (b as i64, i64::from(LENS[b]));
            let wanted = own.sum_dim_intlist(zero, false, Kind::Float);
            assert!(distance(&sum.get(row), &wanted) < 1e-6);
            assert!(distance(&mean.get(row), &(&wanted / n.max(1) as f64)) < 1e-6);
            assert_eq!(padded.get(row).narrow(0, 0, n), *own);
            assert_eq!(magnitude(&padded.get(row).narrow(0, n, 5 - n)), 0.0);
            assert_eq!(Vec::<f32>::try_from(mask.get(row)).unwrap().iter().sum::<f32>(), n as f32);
            assert!(n == 0 || distance(&spread[b], &wanted.expand_as(own)) < 1e-6);
            assert!(n == 0 || distance(&softmax[b], &(own * 60.0).softmax(0, Kind::Float)) < 1e-5);
        }
        // The same of what a mask tells, for a module for serving.
        let told = Segments::indexed(&mask, &of.count().squeeze_dim(1).to_kind(Kind::Int64));
        for (own, wanted) in [
            (told.gathered(&padded), x.shallow_clone()),
            (told.padded(&x), padded),
            (told.mean(&x), mean),
            (told.softmax(&x), of.softmax(&x)),
            (told.mask(), mask),
        ] {
            assert!(distance(&own, &wanted) < 1e-6);
        }
        let none = Segments::new(&[0, 0], Device::Cpu);
        let x = Tensor::zeros([0, 4], (Kind::Float, Device::Cpu));
        assert_eq!((none.mean(&x).size(), none.padded(&x).size()), (vec![2, 4], vec![2, 1, 4]));
        assert_eq!(magnitude(&none.mean(&x)) + magnitude(&none.mask()), 0.0);
    }

    #[test]
    fn both_kernels_and_their_gradients_are_what_libtorchs_operations_give() {
        let index = Tensor::from_slice(&[3i64, 0, 0, 2, 3, 3]);
        let short = normal(&[4, 5], &mut stream(1, "short"));
        let long = normal(&[5, 6], &mut stream(2, "long"));
        // Not contiguous, and behind a function.
        let own = orders(|x| take(&x[0].tanh(), &index), &[&short]);
        let wanted = orders(|x| x[0].tanh().index_select(0, &index), &[&short]);
        let own_add = orders(|x| add(&x[0].tanh().transpose(0, 1), &index, 4), &[&long]);
        let wanted_add = orders(|x| composed_add(&x[0].tanh().transpose(0, 1), &index, 4), &[&long]);
        let pairs = own.iter().chain(&own_add).flatten().zip(wanted.iter().chain(&wanted_add).flatten());
        for (own, wanted) in pairs {
            assert_eq!(own.size(), wanted.size());
            assert!(distance(own, wanted) <= 1e-5 * magnitude(wanted), "{}", distance(own, wanted));
        }
    }
}
