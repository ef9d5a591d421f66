//! Functions for kernels: without a branch, so that the compiler makes vectors of them.

/// e^x for x <= 0, within two units of the last place; 0 below -87, where f32 ends. A polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes's) times a
/// power of two.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Added and taken away again it leaves the nearest whole number, whose bits stand in its own last ones.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    let low = x < -87.0;
    let x = if low { 0.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let x = x - n * 0.693_359_4 + n * 2.121_944_4e-4; // ln 2 in two parts
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_3e-1] {
        p = p * x + c;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    let e = (p * x * x + x + 1.0) * power;
    if low { 0.0 } else { e }
}

/// Within three units of the last place: below 0.625 an odd polynomial (Cephes's), beyond it (1 - e^-2|x|) / (1 + e^-2|x|) with x's sign.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let square = x * x;
    let mut p = -5.704_988_7e-3;
    for c in [2.063_908_9e-2, -5.373_971_8e-2, 1.333_144_2e-1, -3.333_328e-1] {
        p = p * square + c;
    }
    let near = p * square * x + x;
    let size = x.abs();
    let e = exp(-2.0 * size);
    let far = ((1.0 - e) / (1.0 + e)).copysign(x);
    if size < 0.625 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_double_precision() {
        assert_eq!((exp(0.0), exp(f32::NEG_INFINITY)), (1.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
        for i in 0..870_000 {
            let x = -(i as f32) * 1e-4;
            let want = f64::from(x).exp();
            let error = (f64::from(exp(x)) - want).abs() / want;
            assert!(error < 2.4e-7, "e^{x}: {} for {want}", exp(x));
        }
    }

    #[test]
    fn hyperbolic_tangents_are_those_of_double_precision() {
        assert_eq!((tanh(0.0), tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)), (0.0, 1.0, -1.0));
        assert!(tanh(f32::NAN).is_nan());
        for x in (-200_000..200_000).map(|i| i as f32 * 1e-4).chain([1e-30, -1e-10, 44.0, -1e30]) {
            let want = f64::from(x).tanh();
            let error = (f64::from(tanh(x)) - want).abs() / want.abs().max(1e-300);
            assert!(x == 0.0 || error < 3.6e-7, "tanh {x}: {} for {want}", tanh(x));
        }
    }
}
