//! Missed steps made up for one by one, with the values of many rows in registers.
//!
//! With weight decay every missed step depends on the one before, so all must be done. But a row is loaded and stored
//! only once for all of them, and rows are packed side by side, so that vectors are full whatever the width of a row,
//! and the long latencies of roots and divisions overlap.

use super::optimiser::{Rows, Stale};
use crate::kernel::Job;

/// Floats side by side.
const LANES: usize = 64;
/// Floats handled by one run of the inner loop; unused blocks are left out.
const BLOCK: usize = 16;

/// A step of an optimiser for a weight without a gradient.
pub(super) trait Recurrence {
    /// State vectors per row, at most 2.
    fn vectors(&self) -> usize;

    /// The scalars of a step.
    type Scalars: Copy;

    /// The scalars of step `t`, from 1.
    fn scalars(&self, t: u32) -> Self::Scalars;

    /// The step, for a weight and its state. Must be `#[inline(always)]`.
    fn coast(&self, scalars: Self::Scalars, weight: &mut f32, a: &mut f32, b: &mut f32);

    /// What is stored of a state value: the place to drop negligible ones.
    fn settle(&self, state: f32) -> f32;
}

/// Brings rows up to date with step `now`.
pub(super) struct Replay<'a, R> {
    pub recurrence: &'a R,
    pub rows: Rows<'a>,
    pub stale: &'a mut [Stale],
    pub now: u32,
}

type Lanes = [f32; LANES];

impl<R: Recurrence> Job for Replay<'_, R> {
    #[inline(always)]
    fn run(self) {
        let Self { recurrence, rows: Rows { weights, state, dim }, stale, now } = self;
        let vectors = recurrence.vectors();
        // Packed rows should have missed about the same steps. Rows do not depend on each other, so order is free.
        stale.sort_unstable_by_key(|stale| (stale.last, stale.row));
        let width = dim.min(LANES);
        for group in stale.chunks(LANES / width) {
            for at in (0..dim).step_by(LANES) {
                let width = width.min(dim - at);
                let mut w: Lanes = [0.0; LANES];
                let mut s: [Lanes; 2] = [[0.0; LANES]; 2];
                let mut from = [now; LANES];
                for (r, &Stale { row, last }) in group.iter().enumerate() {
                    let row = row as usize;
                    let lane = r * width;
                    w[lane..lane + width].copy_from_slice(&weights[row * dim + at..][..width]);
                    for (k, s) in s.iter_mut().enumerate().take(vectors) {
                        s[lane..lane + width]
                            .copy_from_slice(&state[(row * vectors + k) * dim + at..][..width]);
                    }
                    from[lane..lane + width].fill(last);
                }
                advance(recurrence, group, now, group.len() * width, &from, &mut w, &mut s);
                for (r, &Stale { row, .. }) in group.iter().enumerate() {
                    let row = row as usize;
                    let lane = r * width;
                    weights[row * dim + at..][..width].copy_from_slice(&w[lane..lane + width]);
                    for (k, s) in s.iter_mut().enumerate().take(vectors) {
                        let s = &mut s[lane..lane + width];
                        s.iter_mut().for_each(|x| *x = recurrence.settle(*x));
                        state[(row * vectors + k) * dim + at..][..width].copy_from_slice(s);
                    }
                }
            }
        }
    }
}

/// Does the steps for one group, whose members are sorted by `last`.
#[inline(always)]
fn advance<R: Recurrence>(
    recurrence: &R,
    group: &[Stale],
    now: u32,
    used: usize,
    from: &[u32; LANES],
    w: &mut Lanes,
    s: &mut [Lanes; 2],
) {
    let blocks = used.div_ceil(BLOCK);
    let (first, all) = (group[0].last, group[group.len() - 1].last);
    let [a, b] = s;
    // Steps that only some of the rows missed.
    for t in first + 1..=all {
        let scalars = recurrence.scalars(t);
        for block in 0..blocks {
            let (w, a, b) = (part(w, block), part(a, block), part(b, block));
            let from = &from.as_chunks::<BLOCK>().0[block];
            for i in 0..BLOCK {
                let (mut w2, mut a2, mut b2) = (w[i], a[i], b[i]);
                recurrence.coast(scalars, &mut w2, &mut a2, &mut b2);
                let missed = from[i] < t;
                w[i] = if missed { w2 } else { w[i] };
                a[i] = if missed { a2 } else { a[i] };
                b[i] = if missed { b2 } else { b[i] };
            }
        }
    }
    // Steps that all missed.
    for t in all + 1..=now {
        let scalars = recurrence.scalars(t);
        for block in 0..blocks {
            let (w, a, b) = (part(w, block), part(a, block), part(b, block));
            for i in 0..BLOCK {
                recurrence.coast(scalars, &mut w[i], &mut a[i], &mut b[i]);
            }
        }
    }
}

#[inline(always)]
fn part(lanes: &mut Lanes, block: usize) -> &mut [f32; BLOCK] {
    &mut lanes.as_chunks_mut::<BLOCK>().0[block]
}
