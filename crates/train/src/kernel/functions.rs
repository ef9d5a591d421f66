//! Functions for kernels: without a branch, so that the compiler makes vectors of them.

/// e^x for x <= 0, within two units of the last place; 0 below -87, where f32 ends. A polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes's) times a
/// power of two.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Added and taken away again it leaves the nearest whole number, whose bits stand in its own last ones.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    let low = x < -87.0;
    let x = if low { 0.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let x = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x)); // ln 2 in two parts
    let mut p = 1.987_569_1e-4f32;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_3e-1] {
        p = p.mul_add(x, c);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    let e = (p.mul_add(x * x, x) + 1.0) * power;
    if low { 0.0 } else { e }
}

/// Within five units of the last place: Eigen's rational function of degrees 13 and 6, which stays where it is from 8 on.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    const ABOVE: [f32; 7] = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297_3e-8,
        1.485_722_4e-5,
        6.372_619_4e-4,
        4.893_524_6e-3,
    ];
    const BELOW: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_7e-3, 4.893_525_4e-3];
    let x = x.clamp(-7.998_812, 7.998_812);
    let square = x * x;
    let polynomial =
        |coefficients: &[f32]| coefficients.iter().fold(0.0f32, |sum, c| sum.mul_add(square, *c));
    x * polynomial(&ABOVE) / polynomial(&BELOW)
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
        assert_eq!(tanh(0.0), 0.0);
        assert!(tanh(f32::NAN).is_nan());
        for x in
            (-200_000..200_000).map(|i| i as f32 * 1e-4).chain([1e-30, -1e-10, 44.0, -1e30, f32::INFINITY])
        {
            let want = f64::from(x).tanh();
            let error = (f64::from(tanh(x)) - want).abs() / want.abs().max(1e-300);
            assert!(x == 0.0 || error < 4.8e-7, "tanh {x}: {} for {want}", tanh(x));
        }
    }
}
