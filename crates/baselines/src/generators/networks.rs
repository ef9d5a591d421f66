//! The networks: multilayer perceptrons without normalisation, which would tie a batch's rows to each other.
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, FeatureEmbedding, InitScheme, ParamSet, Params, Weights,
    config::check,
    nn::{Linear, Mlp, MlpConfig, Norm},
    rng::{Rng, Stream, normal},
};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// Widths of a generator's networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworksConfig {
    /// Width z of the latent vectors.
    pub latent: i64,
    /// Widths of the hidden layers of each network.
    pub hidden: Vec<i64>,
}

impl NetworksConfig {
    pub(super) fn check(&self) -> Result<()> {
        let Self { latent, hidden } = self;
        check(*latent > 0, "networks.latent", || format!("{latent} is no width"))?;
        check(hidden.iter().all(|w| *w > 0), "networks.hidden", || format!("{hidden:?} are no widths"))
    }
}

/// Per hidden width Linear -> ReLU; then Linear to the outputs. Parameters `<i>.linear.*` and `out.*`.
pub(super) fn relu_network(p: &mut Params<'_>, inputs: i64, hidden: &[i64], outputs: i64) -> Mlp {
    let config = MlpConfig { hidden: hidden.to_vec(), norm: Norm::None, dropout: 0.0 };
    Mlp::new(p, inputs, &config, Some(outputs))
}

/// Dense parameters by `build`'s seed and device, and no tables.
pub(super) fn weights<N>(
    build: Build,
    networks: impl FnOnce(&mut Params<'_>) -> Result<N>,
) -> Result<(Weights, N)> {
    let Build { seed, device, backend } = build;
    let none = Schema::default();
    let tables = FeatureEmbedding::new(&none, |_| false, "", 1, InitScheme::Torch, seed, device, backend)?;
    let mut params = ParamSet::new(device, seed, InitScheme::Torch);
    let networks = networks(&mut params.root())?;
    Ok((Weights { tables, params }, networks))
}

/// Latent vectors to rows: a VAE's decoder, a GAN's generator.
#[derive(Debug)]
pub(super) struct Decoder {
    network: Mlp,
    latent: i64,
    shape: [i64; 2],
    device: Device,
    draws: Stream,
}

impl Decoder {
    pub(super) fn new(p: &mut Params<'_>, config: &NetworksConfig, shape: [i64; 2]) -> Self {
        let &NetworksConfig { latent, ref hidden } = config;
        Self {
            network: relu_network(p, latent, hidden, width(shape)),
            latent,
            shape,
            device: p.device(),
            draws: p.stream("draws"),
        }
    }

    /// # Shapes
    /// latent [B, z] -> [B, N]
    pub fn forward(&self, latent: &Tensor) -> Tensor {
        self.network.forward(latent, true)
    }

    /// Fresh latent vectors from N(0, I).
    ///
    /// # Shapes
    /// -> [rows, z]
    pub(super) fn latent(&self, rows: i64, rng: &mut Rng) -> Tensor {
        normal(&[rows, self.latent], rng).to_device(self.device)
    }

    /// Rows for fresh latent vectors from the decoder's own stream.
    ///
    /// # Shapes
    /// -> [n, C, d]
    pub(super) fn draw(&mut self, n: usize) -> Tensor {
        let _guard = tch::no_grad_guard();
        let latent = normal(&[n as i64, self.latent], &mut self.draws.borrow_mut()).to_device(self.device);
        let [c, d] = self.shape;
        self.forward(&latent).reshape([n as i64, c, d])
    }

    /// [C, d]
    pub(super) fn shape(&self) -> [i64; 2] {
        self.shape
    }
}

/// N.
pub(super) fn width([c, d]: [i64; 2]) -> i64 {
    c * d
}

/// Rows to one score each: a critic, or a discriminator's logit. Per hidden width Linear -> LeakyReLU; then Linear to
/// the score.
///
/// Parameters `<i>.linear.*` and `out.*`.
#[derive(Debug)]
pub(super) struct Critic {
    layers: Vec<Linear>,
    out: Linear,
    slope: Tensor,
}

impl Critic {
    pub(super) fn new(p: &mut Params<'_>, inputs: i64, hidden: &[i64], slope: f64) -> Self {
        let mut width = inputs;
        let mut layers = Vec::new();
        for (i, &hidden) in hidden.iter().enumerate() {
            layers.push(Linear::new(&mut p.sub(&i.to_string()).sub("linear"), width, hidden));
            width = hidden;
        }
        let slope = Tensor::from_slice(&[slope as f32]).to_device(p.device());
        Self { layers, out: Linear::new(&mut p.sub("out"), width, 1), slope }
    }

    /// # Shapes
    /// rows [B, N] -> [B, 1]
    pub fn forward(&self, rows: &Tensor) -> Tensor {
        let mut x = rows.shallow_clone();
        for layer in &self.layers {
            // A PReLU whose slope is not learned: tch's LeakyReLU has a fixed slope of 0.01.
            x = layer.forward(&x).prelu(&self.slope);
        }
        self.out.forward(&x)
    }
}
