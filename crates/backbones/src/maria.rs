//! MARIA (Tian et al., SIGIR 2023): groups of fields are scaled by the scenario, refined by networks that the row selects
//! among, and correlated with one another; experts are mixed for every scenario, and a tower that all scenarios share helps
//! each scenario's own.
//!
//! Shapes: B rows, D domains (scenarios), T tasks, d width of embeddings, I width of Q, the fields and reals, G groups.
mod coupling;
mod groups;
mod refinement;

use crate::{
    config::{check_stacks, flat_width},
    domain_embedding, entry,
    heads::Heads,
    pnn::pairs,
};
use anyhow::Result;
use coupling::coupling;
use groups::FieldGroups;
use refinement::Refinement;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, check_number, resolve},
    nn::{Linear, Mlp, MlpConfig, Norm, StackedLinear, StackedMlp, mix},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// MARIA's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MariaConfig {
    /// The registry's name, `maria`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Widths of the hidden layers of the network that scales the features.
    pub scaling: Vec<i64>,
    /// Number of refiners of each group.
    pub refiners: RefinersConfig,
    /// Width of a refiner's output.
    pub refined: i64,
    /// Temperature of the selectors' softmax.
    pub temperature: f64,
    /// Whether selectors draw in training (Gumbel-softmax). In evaluation they never do.
    pub sampling: bool,
    /// Width of the vectors whose products are the groups' correlations.
    pub correlation: i64,
    /// Number of experts.
    pub experts: i64,
    /// Widths of an expert's layers.
    pub expert: Vec<i64>,
    /// Widths of a tower's hidden layers, the shared one's included.
    pub tower: Vec<i64>,
    /// Normalisation of all hidden layers but the refiners.
    pub norm: Norm,
    /// Dropout probability after every hidden layer but the refiners.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

/// Numbers of refiners by group. Groups that the data lack have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefinersConfig {
    /// Of the pooled behaviours.
    pub behaviours: i64,
    /// Of the user's other fields.
    pub user: i64,
    /// Of the item's fields.
    pub item: i64,
    /// Of the row's own fields and the scenario's.
    pub context: i64,
}

impl MariaConfig {
    fn check(&self) -> Result<()> {
        let RefinersConfig { behaviours, user, item, context } = self.refiners;
        check_number(behaviours, "refiners.behaviours")?;
        check_number(user, "refiners.user")?;
        check_number(item, "refiners.item")?;
        check_number(context, "refiners.context")?;
        check_number(self.refined, "refined")?;
        check_number(self.correlation, "correlation")?;
        check_number(self.experts, "experts")?;
        check(self.temperature.is_finite() && self.temperature > 0.0, "temperature", || {
            format!("{} is not above 0", self.temperature)
        })?;
        let stacks: [(&str, &[i64]); 3] =
            [("scaling", &self.scaling), ("expert", &self.expert), ("tower", &self.tower)];
        check_stacks(self.dim, self.dropout, &stacks)
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "maria",
    // Not `domain`: every scenario's coupling reads all rows of it.
    &["gates.*", "towers.*"],
    |value| resolve(value, MariaConfig::check),
    |schema, value, build| Maria::net(schema, &serde_yaml::from_value(value)?, build),
)
.isolated();

/// With e the scenario's vector, Q the fields and reals, sg the stop of gradients: Q̂ = 2 σ(scaling([sg(Q) ‖ e])) ⊙ Q, cut
/// into groups; z_f = refinement_f(q̂_f, e); p_f = P_f z_f + b_f; h = [z_1 ‖ … ‖ z_G ‖ ⟨p_f, p_g⟩ for f < g];
/// u_{d,t} = Σ_i g_{d,t,i}(h) expert_i(h); logit_{d,t} = tower_{d,t}(u_{d,t}) + α_d extra_t(u_{d,t}), with the coupling
/// α_d = mean over the other scenarios k of σ(cos(e_d, e_k)).
///
/// The coupling compares the vectors of all scenarios, of which a batch's fields show those of its rows only. So e is of a table
/// of the model's own, also where the data have a scenario field; that is one of the context's.
///
/// Parameters `domain` [D, d]; `scaling.*`; of every group `groups.<group>.refiners.*`, `.selector.*` and `.common.*`;
/// `experts.*`; `gates.*` and `towers.*` with D·T copies; `extra.*` with T copies. One scenario has no other to be coupled
/// with, and one group none to be correlated with: they have no `extra`, no `common`.
#[derive(Debug)]
pub struct Maria {
    domain: Tensor,
    scaling: Mlp,
    groups: FieldGroups,
    refinements: Vec<Refinement>,
    common: Vec<Linear>,
    /// Places of the pairs in the flattened matrix of all products, i64.
    pairs: Tensor,
    experts: StackedMlp,
    gates: StackedLinear,
    towers: Heads,
    extra: Option<StackedMlp>,
    tasks: i64,
}

impl Maria {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &MariaConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &MariaConfig) -> Self {
        let (d, tasks, domains) =
            (config.dim as i64, schema.tasks.len() as i64, schema.scenarios.len() as i64);
        let inputs = flat_width(schema, config.dim);
        let groups = FieldGroups::new(schema, d);
        let (mut refinements, mut common) = (Vec::new(), Vec::new());
        for (group, width) in groups.widths() {
            let mut p = p.sub(&format!("groups.{}", group.name()));
            refinements.push(Refinement::new(&mut p, group.refiners(&config.refiners), width, d, config));
            if groups.count() > 1 {
                let refined = refinements[refinements.len() - 1].width();
                common.push(Linear::new(&mut p.sub("common"), refined, config.correlation));
            }
        }
        let pairs = pairs(common.len() as i64);
        let refined = refinements.iter().map(Refinement::width).sum::<i64>() + pairs.len() as i64;
        let (m, expert, tower) = (config.experts, config.mlp(&config.expert), config.mlp(&config.tower));
        let width = config.expert[config.expert.len() - 1];
        let extra = |p: &mut Params| StackedMlp::new(&mut p.sub("extra"), tasks, width, &tower, Some(1));
        Self {
            domain: domain_embedding::table(p, schema, config.dim, config.init),
            scaling: Mlp::new(&mut p.sub("scaling"), inputs + d, &config.mlp(&config.scaling), Some(inputs)),
            groups,
            refinements,
            common,
            pairs: Tensor::from_slice(&pairs).to_device(p.device()),
            experts: StackedMlp::new(&mut p.sub("experts"), m, refined, &expert, None),
            gates: StackedLinear::new(&mut p.sub("gates"), domains * tasks, refined, m),
            towers: Heads::new(&mut p.sub("towers"), schema, width, &tower),
            extra: (domains > 1).then(|| extra(p)),
            tasks,
        }
    }

    /// The refined groups and their correlations: [B, refined].
    fn refined(&self, x: &Embedded, e: &Tensor, train: bool) -> Tensor {
        let q = x.flat();
        let scales = self.scaling.forward(&Tensor::cat(&[&q.detach(), e], 1), train).sigmoid_() * 2.0;
        let groups = self.groups.split(&(scales * q)).into_iter().zip(&self.refinements);
        let mut parts: Vec<Tensor> = groups.map(|(q, own)| own.forward(&q, e, train)).collect();
        if !self.common.is_empty() {
            let common: Vec<Tensor> = parts.iter().zip(&self.common).map(|(z, own)| own.forward(z)).collect();
            let common = Tensor::stack(&common, 1);
            let products = common.bmm(&common.transpose(1, 2)).flatten(1, 2);
            parts.push(products.index_select(1, &self.pairs));
        }
        Tensor::cat(&parts, 1)
    }

    /// Every row's representations, of its own scenario, through the towers of all scenarios.
    ///
    /// # Shapes
    /// u [B, T, E] or [B, D·T, E] -> [B, T]
    fn shared(&self, extra: &StackedMlp, u: &Tensor, x: &Embedded, train: bool) -> Tensor {
        let tasks = self.tasks;
        let of_all = u.size()[1] > tasks;
        let u = if of_all { self.towers.own(u, &x.groups) } else { u.shallow_clone() };
        extra.some_on_each(&u.transpose(0, 1), 0..tasks, train).squeeze_dim(2).transpose(0, 1)
    }
}

impl CtrModel for Maria {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let e = self.domain.index_select(0, &x.scenario);
        let h = self.refined(x, &e, train);
        let gates = self.towers.layers(&h, &x.groups, train, |heads, rows| self.gates.on_one(rows, heads));
        let u = mix(&gates, &self.experts.on_one(&h, train));
        let own = self.towers.on_each(&u, &x.groups, train);
        let logits = match &self.extra {
            Some(extra) => {
                let weights = coupling(&self.domain).index_select(0, &x.scenario).unsqueeze(1);
                own + weights * self.shared(extra, &u, x, train)
            }
            None => own,
        };
        Output { logits, aux: vec![] }
    }
}
