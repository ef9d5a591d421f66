//! CSDM's noise predictor: an MLP on the state and a sinusoidal position embedding of t.
use scenarec_train::{
    Init, Params,
    nn::{Dropout, Linear},
};
use tch::Tensor;

/// ε̂(z_t, t). Linear(d + 2d → d), tanh, twice Linear(d → d), tanh, and Linear(d → d); dropout on z_t only.
///
/// Parameters `time.*` (2d → 2d) and `0.*` … `3.*`.
#[derive(Debug)]
pub struct Denoiser {
    positions: Tensor,
    time: Linear,
    layers: Vec<Linear>,
    dropout: Dropout,
    d: i64,
}

/// What the first layer adds for each wanted t, `[n, d]`: the position's part of its product and its bias.
#[derive(Debug)]
pub struct TimeOffsets(Tensor);

impl TimeOffsets {
    /// The offset of the i-th wanted t, `[d]`.
    pub fn at(&self, i: i64) -> Tensor {
        self.0.select(0, i)
    }

    /// One offset per row, `[B, d]`; `t` i64 `[B]` indexes the wanted ones.
    pub fn rows(&self, t: &Tensor) -> Tensor {
        self.0.index_select(0, t)
    }
}

impl Denoiser {
    /// For states of width `d` and indices below `timesteps`.
    pub fn new(p: &mut Params, d: i64, timesteps: usize, dropout: f64) -> Self {
        let linear = |p: &mut Params, name: &str, inputs: i64, outputs: i64| {
            let (weight, bias) = (Init::xavier_normal(inputs, outputs), Init::Normal { std: 0.001 });
            Linear::with_init(&mut p.sub(name), inputs, outputs, weight, bias)
        };
        let time = linear(p, "time", 2 * d, 2 * d);
        let layers = (0..4).map(|i| linear(p, &i.to_string(), if i == 0 { 3 * d } else { d }, d)).collect();
        let positions = positions(timesteps, d).to_device(p.device());
        Self { positions, time, layers, dropout: Dropout::new(p, "dropout", dropout), d }
    }

    /// The offsets of all indices, in order. The position's part is the same for every row, so it is computed once per t
    /// and not once per row.
    pub fn offsets(&self, indices: &[i64]) -> TimeOffsets {
        let wanted = Tensor::from_slice(indices).to_device(self.positions.device());
        self.offsets_of(&self.positions.index_select(0, &wanted))
    }

    /// The offsets of all T indices.
    pub fn all_offsets(&self) -> TimeOffsets {
        self.offsets_of(&self.positions)
    }

    fn offsets_of(&self, positions: &Tensor) -> TimeOffsets {
        let first = &self.layers[0];
        let weight = first.weight().narrow(1, self.d, 2 * self.d);
        TimeOffsets(self.time.forward(positions).linear(&weight, Some(first.bias())))
    }

    /// # Shapes
    /// z [B, d], offset `[d]` or [B, d] -> [B, d]
    pub fn forward(&self, z: &Tensor, offset: &Tensor, train: bool) -> Tensor {
        let x = self.dropout.forward(z, train);
        let state = self.layers[0].weight().narrow(1, 0, self.d);
        let mut x = (x.linear::<&Tensor>(&state, None) + offset).tanh();
        for layer in &self.layers[1..3] {
            x = layer.forward(&x).tanh();
        }
        self.layers[3].forward(&x)
    }
}

/// `[T, 2d]`: cos then sin of t·10000^(-i/d), i = 0..d.
fn positions(timesteps: usize, d: i64) -> Tensor {
    let frequency = |i: i64| (-(10_000f64.ln()) * i as f64 / d as f64).exp();
    let row = |t: usize| {
        let angle = move |i: i64| (t as f32 * frequency(i) as f32) as f64;
        (0..d).map(move |i| angle(i).cos() as f32).chain((0..d).map(move |i| angle(i).sin() as f32))
    };
    let values: Vec<f32> = (0..timesteps).flat_map(row).collect();
    Tensor::from_slice(&values).reshape([timesteps as i64, 2 * d])
}
