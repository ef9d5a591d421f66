//! VAE (Kingma and Welling, ICLR 2014): a variational autoencoder of rows.
//!
//! Of small rows it learns the mean alone: along a direction in which their variance is below ½, knowing z costs more
//! divergence than it saves distance. Trained on rows whose numbers have deviation 0.077 it draws rows with 0.001.
use super::{
    NetworksConfig, TrainingConfig,
    networks::{Decoder, relu_network, weights, width},
};
use crate::Gaussian;
use anyhow::Result;
use scenarec_train::{
    Build, Carrier, Fitting, Optimizer, Resumable, RowSource, Trained, Weights, nn::Mlp, rng::stream,
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub(super) const NAME: &str = "vae";

/// VAE's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaeConfig {
    /// Encoder and decoder.
    pub networks: NetworksConfig,
    /// How they are trained.
    pub training: TrainingConfig,
}

impl VaeConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.networks.check()?;
        self.training.check()
    }

    /// A VAE of rows of `shape` [C, d].
    pub fn source(&self, shape: [i64; 2], build: Build) -> Result<Vae> {
        self.check()?;
        let NetworksConfig { latent, hidden } = &self.networks;
        let (weights, (encoder, decoder)) = weights(build, |p| {
            let encoder = relu_network(&mut p.sub("encoder"), width(shape), hidden, 2 * latent);
            Ok((encoder, Decoder::new(&mut p.sub("decoder"), &self.networks, shape)))
        })?;
        Ok(Vae { weights, encoder, decoder, training: self.training })
    }
}

/// The autoencoder. Parameters `encoder.*`, to the mean and the log-variance of the latent vector, and `decoder.*`.
#[derive(Debug)]
pub struct Vae {
    weights: Weights,
    encoder: Mlp,
    decoder: Decoder,
    training: TrainingConfig,
}

/// ‖x − x̂‖² + KL(q ‖ N(0, I)) with KL = ½ Σ (μ² + σ² − log σ² − 1), each summed over a row's numbers, mean over rows.
///
/// # Shapes
/// rows, decoded [B, N], posterior [B, z] -> scalar
pub fn vae_loss(rows: &Tensor, decoded: &Tensor, posterior: &Gaussian) -> Tensor {
    let distance = (rows - decoded).square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    distance.mean(Kind::Float) + posterior.divergence_from_standard()
}

impl Vae {
    /// [`vae_loss`] of real rows with z = μ + σ ε.
    ///
    /// # Shapes
    /// rows [B, N], noise ε [B, z] -> scalar
    pub fn loss(&self, rows: &Tensor, noise: &Tensor) -> Tensor {
        let mut halves = self.encoder.forward(rows, true).chunk(2, 1);
        let (log_var, mean) = (halves.remove(1), halves.remove(0));
        let posterior = Gaussian { mean, log_var };
        vae_loss(rows, &self.decoder.forward(&posterior.sample(noise)), &posterior)
    }
}

impl Resumable for Vae {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        self.weights.carry(carrier)
    }
}

impl RowSource for Vae {
    fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    fn fit(&mut self, fitting: &mut Fitting<'_>) -> Result<Trained> {
        let optimizer = Optimizer::new(self.training.optim, &mut self.weights);
        let noise = stream(fitting.seed, "vae.noise");
        let (training, shape) = (self.training, self.decoder.shape());
        let mut learner = (self, optimizer, noise);
        training.run(NAME, &mut learner, fitting, shape, 1, |(vae, optimizer, noise), rows| {
            let loss = vae.loss(rows, &vae.decoder.latent(rows.size()[0], noise));
            optimizer.step(&loss, &mut vae.weights)?;
            Ok(loss)
        })
    }

    fn draw(&mut self, n: usize) -> Result<Tensor> {
        Ok(self.decoder.draw(n))
    }
}
