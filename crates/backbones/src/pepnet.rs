//! PEPNet (Chang et al., KDD 2023) with one tower: gates scale the embeddings by the scenario (EPNet), and what goes into each
//! layer by who looks at what (PPNet).
//!
//! Shapes: B rows, T tasks, d width of embeddings, I width of E, the reals and all fields but the scenario's.
mod gate;

use crate::{config::check_stacks, domain_embedding::DomainEmbedding, entry};
use anyhow::Result;
use gate::GateNu;
use scenarec_data::{Role, Schema};
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, resolve},
    nn::{Mlp, MlpConfig, Norm},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// PEPNet's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PepNetConfig {
    /// The registry's name, `pepnet`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Fields whose embeddings are PPNet's prior information, by name: the item's author, its shop. The ids of user and item,
    /// where the data name them, and the scenario are so always.
    pub prior: Vec<String>,
    /// Widths of the tower's hidden layers.
    pub hidden: Vec<i64>,
    /// Normalisation of the tower's hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer of the tower.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl PepNetConfig {
    fn check(&self) -> Result<()> {
        check_stacks(self.dim, self.dropout, &[("hidden", &self.hidden)])
    }

    /// The places of the prior's fields, without the scenario's, among the embedded ones.
    fn prior(&self, schema: &Schema) -> Result<Vec<i64>> {
        let fields: Vec<_> = schema.embedded().map(|(_, f)| f).collect();
        let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        let mut places = Vec::new();
        for name in schema.user_id.iter().chain(&schema.item_id).chain(&self.prior) {
            let place = known.iter().position(|n| n == name);
            check(place.is_some(), "prior", || {
                format!("no embedded field is called {name:?}; there are {}", known.join(", "))
            })?;
            let new = place.filter(|p| !places.contains(&(*p as i64)) && fields[*p].role != Role::Scenario);
            check(new.is_some(), "prior", || {
                format!("{name:?} is there already: the ids of user and item and the scenario always are")
            })?;
            places.extend(new.map(|p| p as i64));
        }
        Ok(places)
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "pepnet",
    &["{domain,epnet.*,gates.*,tower.*}"],
    |value| resolve(value, PepNetConfig::check),
    |schema, value, build| PepNet::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// With s the scenario's embedding, P the prior's and sg the stop of gradients: O = epnet([s ‖ sg(E)]) ⊙ E;
/// H_0 = O, H_{l+1} = ReLU(W_l (gate_l([P ‖ s ‖ sg(O)]) ⊙ H_l) + b_l), and the last layer, gated likewise, has no ReLU and
/// an output for each task.
///
/// The scenario is no part of E: it is what E is gated by. The paper gates a layer's hidden units on their way into the next
/// one; here what goes into the first layer has a gate too.
///
/// Parameters `epnet.*`, `gates.<l>.*` (Gate NUs), `tower.*`, and `domain` where the data have no scenario field.
#[derive(Debug)]
pub struct PepNet {
    scenario: DomainEmbedding,
    /// Places of the prior's fields among the embedded ones, i64.
    prior: Tensor,
    epnet: GateNu,
    gates: Vec<GateNu>,
    tower: Mlp,
}

impl PepNet {
    /// The model with its tables.
    ///
    /// # Errors
    /// Prior fields that the data lack, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &PepNetConfig, build: Build) -> Result<Net> {
        let prior = config.prior(schema)?;
        Net::new(schema, config.dim, config.init, build, |p| {
            Ok(Box::new(Self::new(p, schema, config, &prior)))
        })
    }

    fn new(p: &mut Params, schema: &Schema, config: &PepNetConfig, prior: &[i64]) -> Self {
        let d = config.dim as i64;
        let scenario = DomainEmbedding::new(p, schema, config.dim, config.init);
        let inputs = scenario.width_of_others(schema, config.dim);
        let seen = (prior.len() as i64 + 1) * d + inputs;
        let tower = MlpConfig { hidden: config.hidden.clone(), norm: config.norm, dropout: config.dropout };
        let gate =
            |(l, width): (usize, &i64)| GateNu::new(&mut p.sub("gates").sub(&l.to_string()), seen, *width);
        Self {
            gates: [inputs].iter().chain(&config.hidden).enumerate().map(gate).collect(),
            epnet: GateNu::new(&mut p.sub("epnet"), d + inputs, inputs),
            tower: Mlp::new(&mut p.sub("tower"), inputs, &tower, Some(schema.tasks.len() as i64)),
            prior: Tensor::from_slice(prior).to_device(p.device()),
            scenario,
        }
    }
}

impl CtrModel for PepNet {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let (s, e) = (self.scenario.forward(x), self.scenario.others(x));
        let o = self.epnet.forward(&Tensor::cat(&[&s, &e.detach()], 1)) * e;
        let prior = x.fields.index_select(1, &self.prior).flatten(1, 2);
        let seen = Tensor::cat(&[prior, s, o.detach()], 1);
        let logits = self.tower.forward_gated(&o, train, |l, h| self.gates[l].forward(&seen) * h);
        Output { logits, aux: vec![] }
    }
}
