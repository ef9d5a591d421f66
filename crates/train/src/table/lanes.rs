//! Walking along a row in blocks of a constant number of floats, which the compiler turns into vector registers.

/// Something done to a row, block by block.
pub(super) trait RowOp {
    /// Handles the `N` floats from column `at` on. Must be `#[inline(always)]`.
    fn lanes<const N: usize>(&mut self, at: usize);
}

/// Applies `op` to all `dim` columns of a row. (A plain loop over `dim` would be vectorised in blocks of 32 or 64
/// floats, and the usual widths, 8 to 32, would run in its scalar tail.)
#[inline(always)]
pub(super) fn along<O: RowOp>(op: &mut O, dim: usize) {
    let mut at = 0;
    while at + 16 <= dim {
        op.lanes::<16>(at);
        at += 16;
    }
    if at + 8 <= dim {
        op.lanes::<8>(at);
        at += 8;
    }
    if at + 4 <= dim {
        op.lanes::<4>(at);
        at += 4;
    }
    while at < dim {
        op.lanes::<1>(at);
        at += 1;
    }
}

/// The `N` floats of `row` from column `at` on.
#[inline(always)]
pub(super) fn load<const N: usize>(row: &[f32], at: usize) -> [f32; N] {
    let mut out = [0.0; N];
    out.copy_from_slice(&row[at..at + N]);
    out
}

/// Writes `N` floats to `row` from column `at` on.
#[inline(always)]
pub(super) fn store<const N: usize>(row: &mut [f32], at: usize, values: &[f32; N]) {
    row[at..at + N].copy_from_slice(values);
}
