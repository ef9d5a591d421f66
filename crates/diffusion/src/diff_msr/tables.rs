//! What takes the place of a net's tables where there are none.
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{Build, FeatureEmbedding, InitScheme};

/// The tables of a module that has none.
pub(super) fn no_tables(build: Build) -> Result<FeatureEmbedding> {
    let Build { seed, device, backend } = build;
    FeatureEmbedding::new(&Schema::default(), |_| false, "", 1, InitScheme::Torch, seed, device, backend)
}
