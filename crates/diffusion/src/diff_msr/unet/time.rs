//! What the network is told of a row's step.
use scenarec_train::{Params, nn::Linear};
use tch::Tensor;

/// Sinusoids of the step, Linear, GELU, Linear, and the SiLU with which every block begins to read it. Parameters
/// `0.*` (w → 4w) and `1.*` (4w → 4w), where w is the number of the first channels.
#[derive(Debug)]
pub(super) struct TimeEmbedding {
    positions: Tensor,
    first: Linear,
    second: Linear,
}

impl TimeEmbedding {
    pub(super) fn new(p: &mut Params, width: i64, timesteps: usize) -> Self {
        let positions = positions(timesteps, width).to_device(p.device());
        let first = Linear::new(&mut p.sub("0"), width, 4 * width);
        Self { positions, first, second: Linear::new(&mut p.sub("1"), 4 * width, 4 * width) }
    }

    /// Width of the embedding.
    pub(super) fn width(width: i64) -> i64 {
        4 * width
    }

    /// # Shapes
    /// t i64 `[B]` -> [B, 4w]
    pub(super) fn forward(&self, t: &Tensor) -> Tensor {
        self.of(&self.positions.index_select(0, t))
    }

    /// Of every step, [T, 4w].
    pub(super) fn all(&self) -> Tensor {
        self.of(&self.positions)
    }

    fn of(&self, positions: &Tensor) -> Tensor {
        self.second.forward(&self.first.forward(positions).gelu("none")).silu()
    }
}

/// [T, w]: sin, then cos, of t·10000^(-i/(w/2 - 1)), i = 0..w/2.
fn positions(timesteps: usize, width: i64) -> Tensor {
    let half = width / 2;
    let angle = |t: usize, i: i64| t as f64 * 10_000f64.powf(-(i as f64) / (half as f64 - 1.0));
    let row = |t: usize| {
        let sines = (0..half).map(move |i| angle(t, i).sin() as f32);
        sines.chain((0..half).map(move |i| angle(t, i).cos() as f32))
    };
    Tensor::from_slice(&(0..timesteps).flat_map(row).collect::<Vec<f32>>()).view([timesteps as i64, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::to_vec;

    #[test]
    fn positions_are_sines_and_cosines_of_eight_frequencies() {
        let all = positions(500, 16);
        assert_eq!(all.size(), [500, 16]);
        let row = to_vec(&all.get(123));
        for i in 0..8 {
            let angle = 123.0 * (-(10_000f64.ln()) * i as f64 / 7.0).exp();
            assert!((f64::from(row[i]) - angle.sin()).abs() < 1e-6);
            assert!((f64::from(row[8 + i]) - angle.cos()).abs() < 1e-6);
        }
    }
}
