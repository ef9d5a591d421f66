//! STAR as M3oE's authors ran it: M3oE's domain representation under one network.
use super::StarConfig;
use crate::{config::flat_width, domain_representation::DomainRepresentation};
use scenarec_data::Schema;
use scenarec_train::{
    CtrModel, Embedded, Output, Params,
    nn::{Mlp, MlpConfig, Norm},
};

/// logits = mlp(h), h the domain representation of M3oE's Eqs. 1 and 2: no partitioned normalisation, no auxiliary
/// network, one head for all domains.
///
/// Parameters `representation.*` (as M3oE's), `mlp.*`.
#[derive(Debug)]
pub struct ReducedStar {
    representation: DomainRepresentation,
    mlp: Mlp,
}

impl ReducedStar {
    pub(super) fn new(
        p: &mut Params,
        schema: &Schema,
        config: &StarConfig,
        [star, width]: [i64; 2],
        hidden: &[i64],
    ) -> Self {
        let (domains, tasks) = (schema.scenarios.len() as i64, schema.tasks.len() as i64);
        let inputs = flat_width(schema, config.dim);
        let mlp = MlpConfig { hidden: hidden.to_vec(), norm: Norm::Layer, dropout: config.dropout };
        let representation =
            DomainRepresentation::new(&mut p.sub("representation"), domains, inputs, star, width, false);
        Self { representation, mlp: Mlp::new(&mut p.sub("mlp"), width, &mlp, Some(tasks)) }
    }
}

impl CtrModel for ReducedStar {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let h = self.representation.forward(&x.flat(), &x.groups);
        Output { logits: self.mlp.forward(&h, train), aux: vec![] }
    }
}
