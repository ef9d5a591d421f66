//! What Meta-E's, MWUF's and VELF's networks have in common.
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, FeatureEmbedding, InitScheme, Params,
    nn::{Mlp, MlpConfig, Norm},
};

/// Width of the hidden layer.
const HIDDEN: i64 = 16;

/// Linear to 16, ReLU, linear to `outputs`. Parameters `0.linear.*` and `out.*`.
pub(crate) fn two_layers(p: &mut Params<'_>, inputs: i64, outputs: usize) -> Mlp {
    let config = MlpConfig { hidden: vec![HIDDEN], norm: Norm::None, dropout: 0.0 };
    Mlp::new(p, inputs, &config, Some(outputs as i64))
}

/// The tables of a module that has none.
pub(crate) fn no_tables(schema: &Schema, dim: usize, build: Build) -> Result<FeatureEmbedding> {
    let Build { seed, device, backend } = build;
    FeatureEmbedding::new(schema, |_| false, "", dim, InitScheme::Torch, seed, device, backend)
}
