//! AITM (Xi et al., KDD 2021) with domains in the place of its steps of a conversion: a bottom and towers for each domain,
//! and what one domain knows is handed to the next in their order, by attention.
//!
//! Shapes: B rows, D domains, T tasks, K = D·T heads (head d·T + t), E last width of a bottom.
mod transfer;

use crate::{
    config::{check_stacks, flat_width},
    entry,
    heads::Heads,
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, resolve},
    nn::{MlpConfig, Norm, StackedMlp},
};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::{Kind, Tensor};
use transfer::Transfers;

/// AITM's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AitmConfig {
    /// The registry's name, `aitm`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Widths of a domain's own layers below the transfers.
    pub bottom: Vec<i64>,
    /// Widths of a tower's hidden layers.
    pub tower: Vec<i64>,
    /// In which order domains hand on what they know.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub order: DomainOrder,
    /// Whether all transfers have one attention, or each its own.
    pub shared_attention: bool,
    /// Weight α of α Σ max(ŷ_d − ŷ_{d−1}, 0), summed over transfers, a mean over rows and tasks: in the paper a later step
    /// of a conversion is no likelier than an earlier one. Domains are no such steps: 0 leaves it out.
    pub funnel: f64,
    /// Normalisation of all hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// An order of the domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainOrder {
    /// The data's own.
    Schema,
    /// By name, each once.
    Scenarios(Vec<String>),
}

impl DomainOrder {
    /// The domains' numbers in this order.
    fn numbers(&self, schema: &Schema) -> Result<Vec<i64>> {
        let Self::Scenarios(names) = self else { return Ok((0..schema.scenarios.len() as i64).collect()) };
        let place = |name: &String| names.iter().position(|n| n == name);
        let each_once =
            names.len() == schema.scenarios.len() && schema.scenarios.iter().all(|s| place(s).is_some());
        check(each_once, "order.scenarios", || {
            format!("{} is no order of {}", names.join(", "), schema.scenarios.join(", "))
        })?;
        let mut numbers: Vec<i64> = (0..names.len() as i64).collect();
        numbers.sort_by_key(|d| place(&schema.scenarios[*d as usize]));
        Ok(numbers)
    }
}

impl AitmConfig {
    fn check(&self) -> Result<()> {
        let funnel = self.funnel;
        check(funnel.is_finite() && funnel >= 0.0, "funnel", || format!("a weight of {funnel}"))?;
        check_stacks(self.dim, self.dropout, &[("bottom", &self.bottom), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

// A domain's specific parameters reach the domains behind it.
pub(crate) const ENTRY: ModelEntry = entry(
    "aitm",
    &["{bottoms,transfers,towers}.*"],
    |value| resolve(value, AitmConfig::check),
    |schema, value, build| Aitm::net(schema, &serde_yaml::from_value(value)?, build),
);

/// logit_{d,t} = tower_{d,t}(z_d), z_d = q_d for the first domain, else transfer_d(z_{d−1}, q_d); q_d = bottom_d(z), z = fields
/// and reals.
///
/// All rows run all bottoms and transfers: a row needs those of the domains before its own, and the largest domain, where
/// it is the last, all of them.
///
/// Parameters `bottoms.*` (D copies, in the data's order), `transfers.info.*` (D − 1 copies, in the order of the transfers),
/// `attention.*` (3 copies) or `transfers.attention.*` (3 (D − 1) copies), `towers.*`.
#[derive(Debug)]
pub struct Aitm {
    bottoms: StackedMlp,
    transfers: Transfers,
    towers: Heads,
    /// The domains' numbers in the order of the transfers, and the same as a tensor.
    order: Vec<i64>,
    places: Tensor,
    tasks: i64,
    funnel: f64,
}

impl Aitm {
    /// The model with its tables.
    ///
    /// # Errors
    /// An order that does not name the data's domains, and what [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &AitmConfig, build: Build) -> Result<Net> {
        let order = config.order.numbers(schema)?;
        Net::new(schema, config.dim, config.init, build, |p| {
            Ok(Box::new(Self::new(p, schema, config, order)))
        })
    }

    fn new(p: &mut Params, schema: &Schema, config: &AitmConfig, order: Vec<i64>) -> Self {
        let (inputs, width) = (flat_width(schema, config.dim), config.bottom[config.bottom.len() - 1]);
        let (domains, bottom) = (order.len() as i64, config.mlp(&config.bottom));
        Self {
            bottoms: StackedMlp::new(&mut p.sub("bottoms"), domains, inputs, &bottom, None),
            transfers: Transfers::new(p, domains - 1, width, config.shared_attention),
            towers: Heads::new(&mut p.sub("towers"), schema, width, &config.mlp(&config.tower)),
            places: Tensor::from_slice(&order).to_device(p.device()),
            order,
            tasks: schema.tasks.len() as i64,
            funnel: config.funnel,
        }
    }

    /// z_d of all domains for all rows, once for each task, [B, K, E].
    fn representations(&self, x: &Embedded, train: bool) -> Tensor {
        let mut z = self.bottoms.on_one(&x.flat(), train).unbind(0);
        for (step, ends) in self.order.windows(2).enumerate() {
            let [before, d] = [ends[0] as usize, ends[1] as usize];
            z[d] = self.transfers.forward(step as i64, &z[before], &z[d]);
        }
        let z = Tensor::stack(&z, 1);
        if self.tasks == 1 { z } else { z.repeat_interleave_self_int(self.tasks, 1, None) }
    }

    /// The funnel loss of the logits [B, K] of all heads.
    fn funnel_loss(&self, logits: &Tensor) -> Tensor {
        let steps = self.order.len() as i64 - 1;
        let y = logits.sigmoid().unflatten(1, [-1, self.tasks]).index_select(1, &self.places);
        let rises = (y.narrow(1, 1, steps) - y.narrow(1, 0, steps)).relu();
        rises.sum(Kind::Float) * (self.funnel / (y.size()[0] * self.tasks) as f64)
    }
}

impl CtrModel for Aitm {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]; the funnel loss, where it has a weight
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let z = self.representations(x, train);
        if self.funnel > 0.0 {
            let all = self.towers.all(&z, train);
            let aux = vec![("funnel", self.funnel_loss(&all))];
            return Output { logits: self.towers.own(&all, &x.groups), aux };
        }
        let own = |heads: Range<i64>, z: &Tensor| z.narrow(1, heads.start, heads.end - heads.start);
        let z = self.towers.layers(&z, &x.groups, train, own);
        Output { logits: self.towers.on_each(&z, &x.groups, train), aux: vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarec_train::testing::schema;

    #[test]
    fn an_order_names_every_domain_once() {
        let schema = schema(1);
        let numbers = |names: &[&str]| {
            DomainOrder::Scenarios(names.iter().map(|n| (*n).to_string()).collect()).numbers(&schema)
        };
        assert_eq!(DomainOrder::Schema.numbers(&schema).unwrap(), [0, 1]);
        assert_eq!(numbers(&["home", "search"]).unwrap(), [0, 1]);
        assert_eq!(numbers(&["search", "home"]).unwrap(), [1, 0]);
        for names in [&["home"][..], &["home", "home"], &["home", "search", "home"], &["home", "serach"]] {
            let error = numbers(names).unwrap_err().to_string();
            let expected = format!("order.scenarios: {} is no order of home, search", names.join(", "));
            assert_eq!(error, expected);
        }
    }
}
