//! How the generator is trained.
use super::features::FREQUENCY;
use anyhow::Result;
use clap::Args;
use scenarec_diffusion::{CsdmConfig, csdm::Coefficient};
use scenarec_train::{cold::SideChoice, config::check};

/// How the generator is made and trained.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct WarmOptions {
    /// Most passes over the old items.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub epochs: usize,
    /// Passes without a smaller error on held-out items after which training stops.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub patience: usize,
    /// Items per batch.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub batch: usize,
    /// Adam's learning rate.
    #[arg(long, value_name = "N", default_value_t = 3e-3)]
    pub lr: f64,
    /// L2 penalty.
    #[arg(long, value_name = "N", default_value_t = 1e-6)]
    pub weight_decay: f64,
    /// ρ: weight of the diffusion loss (Eq. 9).
    #[arg(long, value_name = "N", default_value_t = 1e-3)]
    pub rho: f64,
    /// s: every s-th of the 100 steps is visited in the reverse pass.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub stride: usize,
    /// Dropout probability on h in the forward process and on the noise predictor's state.
    #[arg(long, value_name = "N", default_value_t = 0.5)]
    pub dropout: f64,
    /// Standard deviation of the side tables' initial values.
    #[arg(long, value_name = "N", default_value_t = 0.1)]
    pub side_std: f64,
    /// Side values that fewer old items have count as unknown.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub min_count: usize,
    /// Parts of the old items that are held out in turn to decide when to stop.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub folds: usize,
    /// Decides everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl WarmOptions {
    /// Refuses values with which nothing can be learned.
    pub(super) fn check(&self) -> Result<()> {
        let &Self { epochs, patience, batch, lr, weight_decay, folds, .. } = self;
        check(epochs > 0, "epochs", || "0: nothing would be learned".into())?;
        check(patience > 0, "patience", || "0: training could not begin".into())?;
        check(folds > 1, "folds", || format!("{folds}: at least 2 are needed"))?;
        check(batch > 0, "batch", || "0 items".into())?;
        check(lr > 0.0 && lr.is_finite(), "lr", || format!("{lr} is not above 0"))?;
        check(weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", || {
            format!("{weight_decay} is not a number from 0 on")
        })
    }

    /// CSDM's settings: those of the paper where there is no option.
    pub(super) fn csdm(&self) -> CsdmConfig {
        CsdmConfig {
            name: "csdm".into(),
            coefficient: Coefficient::SqrtC,
            diffusion: true,
            timesteps: 100,
            beta: 1e-5,
            stride: self.stride,
            rho: self.rho,
            train_denoiser: true,
            denoiser_dropout: self.dropout,
            side_dropout: self.dropout,
            dropout_at_generation: false,
            side: SideChoice::FeaturesOnly,
            frequency: FREQUENCY.into(),
            iters: 1,
            epochs: self.epochs,
            warm_epochs: 0,
            keep_finetuned: false,
        }
    }
}
