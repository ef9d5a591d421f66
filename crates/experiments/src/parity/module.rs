//! The methods that train something against a frozen net, one loss at a time.
use super::{
    ParityFile,
    batch::{named, read_batch},
};
use crate::methods;
use anyhow::{Context, Result, bail};
use scenarec_baselines::{Cvar, CvarConfig, CvarDraws, MetaE, Mwuf, Velf};
use scenarec_data::Schema;
use scenarec_diffusion::{Csdm, CsdmConfig, CsdmDraws};
use scenarec_train::{
    Build, Net, State, Weights,
    cold::{Generator, GeneratorBatch},
    labels,
};
use serde_yaml::Value;
use tch::{Device, Tensor};

/// What `--module` names.
pub(super) enum Module {
    Csdm(Box<Csdm>),
    Cvar(Box<Cvar>),
    MetaE(Box<MetaE>),
    Mwuf(Box<Mwuf>),
    Velf(Box<Velf>),
}

/// Loss, logits, embeddings in the place of the item id's.
pub(super) type Pass = (Tensor, Tensor, Tensor);

impl Module {
    pub(super) fn new(name: &str, file: &ParityFile, dim: usize, build: Build) -> Result<Self> {
        let mut config =
            file.method.clone().context("--module needs a section `method` in the configuration")?;
        // Dropout has no place in a comparison; in evaluation mode it is off anyway.
        if name == "csdm" {
            for key in ["side_dropout", "denoiser_dropout"] {
                config[key] = Value::from(0.0);
            }
        }
        let resolved = (methods::method(name)?.resolve)(config)?;
        let schema = &file.schema;
        Ok(match name {
            "csdm" => {
                let config: CsdmConfig = serde_yaml::from_value(resolved)?;
                Self::Csdm(Box::new(Csdm::new(&config, schema, dim, build)?))
            }
            "cvar" => {
                let config: CvarConfig = serde_yaml::from_value(resolved)?;
                Self::Cvar(Box::new(Cvar::new(&config, schema, dim, build)?))
            }
            "meta-e" => {
                Self::MetaE(Box::new(MetaE::new(&serde_yaml::from_value(resolved)?, schema, dim, build)?))
            }
            "mwuf" => {
                Self::Mwuf(Box::new(Mwuf::new(&serde_yaml::from_value(resolved)?, schema, dim, build)?))
            }
            "velf" => {
                Self::Velf(Box::new(Velf::new(&serde_yaml::from_value(resolved)?, schema, dim, build)?))
            }
            other => bail!("{other:?} is no module of parity: csdm, cvar, meta-e, mwuf and velf are"),
        })
    }

    /// What is trained, in the order of its losses: each part has a loss and an optimiser of its own.
    pub(super) fn parts(&mut self) -> Vec<&mut Weights> {
        match self {
            Self::Csdm(m) => vec![m.weights()],
            Self::Cvar(m) => vec![m.weights()],
            Self::MetaE(m) => vec![m.weights()],
            Self::Mwuf(m) => m.parts().into(),
            Self::Velf(m) => vec![m.weights()],
        }
    }

    /// One forward pass to the loss of a part.
    pub(super) fn loss(
        &mut self,
        part: usize,
        net: &mut Net,
        batch: &GeneratorBatch<'_>,
        schema: &Schema,
        inputs: &State,
    ) -> Result<Pass> {
        let input = |name: &str| -> Result<Tensor> { Ok(named(inputs, name)?.shallow_clone()) };
        match self {
            Self::Csdm(m) => {
                let draws = CsdmDraws { t: input("t")?, noise: input("noise")? };
                m.loss_with(net, batch, &draws, batch.net_train)
            }
            Self::Cvar(m) => {
                let draws = CvarDraws { posterior: input("noise.posterior")?, prior: input("noise.prior")? };
                m.loss_with(net, batch, &draws)
            }
            Self::MetaE(m) => {
                let rows = &read_batch(schema, inputs, "query.")?;
                let (embedded, labels) = (&net.weights.tables.embed(rows), &labels(rows, Device::Cpu));
                m.loss(net, batch, &GeneratorBatch { batch: rows, embedded, labels, ..*batch })
            }
            Self::Mwuf(m) if part == 0 => Ok(m.cold_loss(net, batch)),
            Self::Mwuf(m) => Ok(m.warm_loss(net, batch, &input("users")?)),
            Self::Velf(m) => m.loss(net, batch, &input("noise")?),
        }
    }
}
