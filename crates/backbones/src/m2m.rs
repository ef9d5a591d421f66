//! M2M (Zhang et al., WSDM 2022) for binary labels: experts and tasks are attended to and transformed by layers whose
//! weights are made from the scenario's knowledge.
//!
//! The paper's backbone is a transformer over behaviour sequences and its loss Poisson's for advertisers' sales. Here the
//! backbone is a stack of layers on all fields, as the other baselines of M3oE have, and the loss is that of all models.
//! Attention is among a row's experts; no row sees another.
//!
//! Shapes: B rows, T tasks, M experts, W width of experts and tasks, k width of the knowledge, d of embeddings.
mod meta_unit;

use crate::{
    config::{check_stacks, flat_width},
    domain_embedding::DomainEmbedding,
    entry,
};
use anyhow::Result;
use meta_unit::MetaUnit;
use scenarec_data::{Role, Schema};
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, check_number, resolve},
    nn::{Linear, Mlp, MlpConfig, Norm, StackedLinear, mix},
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// M2M's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct M2mConfig {
    /// The registry's name, `m2m`.
    pub name: String,
    /// Width d of all embeddings, the tasks' and, where the data have no domain indicator, the domains' included.
    pub dim: usize,
    /// Widths of the backbone's layers.
    pub bottom: Vec<i64>,
    /// Widths of the layers that make the scenario's knowledge; the last one, k, is linear.
    pub knowledge: Vec<i64>,
    /// Number M of experts.
    pub experts: i64,
    /// Width W of experts, tasks and towers.
    pub width: i64,
    /// Number of a meta tower's layers.
    pub tower_layers: i64,
    /// Normalisation of all hidden layers of backbone and knowledge.
    pub norm: Norm,
    /// Dropout probability after every hidden layer of backbone and knowledge.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl M2mConfig {
    fn check(&self) -> Result<()> {
        check_number(self.experts, "experts")?;
        check_number(self.tower_layers, "tower_layers")?;
        check(self.width > 0, "width", || format!("a width of {}", self.width))?;
        check_stacks(self.dim, self.dropout, &[("bottom", &self.bottom), ("knowledge", &self.knowledge)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "m2m",
    &["{bottom,knowledge,experts,task,attention,tower,out}.*", "{tasks,score,domain}"],
    |value| resolve(value, M2mConfig::check),
    |schema, value, build| M2m::net(schema, &serde_yaml::from_value(value)?, build),
)
.one_logit();

/// With S̃ = knowledge([e_d ; user and context fields]), E_i = lrelu(expert_i(bottom(z))), T_t = lrelu(task(e_t)):
/// a_{t,i} = softmax_i vᵀ lrelu(Meta([E_i ; T_t])), L_t⁰ = Σ_i a_{t,i} E_i, L_t^j = lrelu(Meta_j(L_t^{j−1}) + L_t^{j−1}),
/// logit_t = w_tᵀ L_t + b_t. Domains enter by S̃ only, so there is a head per task; lrelu is the leaky ReLU.
///
/// Parameters `bottom.*`, `knowledge.*`, `domain` where the data have no domain indicator, `experts.*` (M copies),
/// `tasks` [T, d], `task.*`, `attention.*` and `tower.<j>.*` (meta units), `score` `[W]`, `out.weight` [T, W],
/// `out.bias` `[T]`.
#[derive(Debug)]
pub struct M2m {
    bottom: Mlp,
    domain: DomainEmbedding,
    /// Places of the user's and the row's own fields among the embedded fields and among the reals.
    context: [Tensor; 2],
    knowledge: Mlp,
    experts: StackedLinear,
    tasks: Tensor,
    task: Linear,
    attention: MetaUnit,
    score: Tensor,
    tower: Vec<MetaUnit>,
    out: Linear,
}

impl M2m {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &M2mConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &M2mConfig) -> Self {
        let M2mConfig { width, experts, .. } = *config;
        let (tasks, d) = (schema.tasks.len() as i64, config.dim as i64);
        let (bottom, shared) = (config.mlp(&config.bottom), config.bottom[config.bottom.len() - 1]);
        let context = places(schema);
        let known = d * (1 + context[0].len() as i64) + context[1].len() as i64;
        let embeddings = config.init.embeddings(schema.tasks.len(), schema.tasks.len(), config.dim);
        let (k, hidden) = config.knowledge.split_last().expect("checked: a layer at least");
        let mut unit = |name: &str, inputs: i64| MetaUnit::new(&mut p.sub(name), *k, inputs, width);
        let attention = unit("attention", 2 * width);
        let tower = (0..config.tower_layers).map(|j| unit(&format!("tower.{j}"), width)).collect();
        Self {
            bottom: Mlp::new(&mut p.sub("bottom"), flat_width(schema, config.dim), &bottom, None),
            domain: DomainEmbedding::new(p, schema, config.dim, config.init),
            context: context.map(|places| Tensor::from_slice(&places).to_device(p.device())),
            knowledge: Mlp::new(&mut p.sub("knowledge"), known, &config.mlp(hidden), Some(*k)),
            experts: StackedLinear::new(&mut p.sub("experts"), experts, shared, width),
            tasks: p.parameter_exactly("tasks", &[tasks, d], embeddings),
            task: Linear::new(&mut p.sub("task"), d, width),
            attention,
            score: p.parameter("score", &[width], Init::linear(width)),
            tower,
            out: Linear::new(&mut p.sub("out"), width, tasks),
        }
    }

    /// [S̃ ; 1], [B, k + 1].
    fn knowledge(&self, x: &Embedded, train: bool) -> Tensor {
        let [fields, reals] = &self.context;
        let seen = [
            self.domain.forward(x),
            x.fields.index_select(1, fields).flatten(1, 2),
            x.reals.index_select(1, reals),
        ];
        let knowledge = self.knowledge.forward(&Tensor::cat(&seen, 1), train);
        Tensor::cat(&[&knowledge, &knowledge.narrow(1, 0, 1).ones_like()], 1)
    }
}

/// Places of the user's and the context's fields among the embedded fields and among the reals.
fn places(schema: &Schema) -> [Vec<i64>; 2] {
    let known = |role: Role| matches!(role, Role::User | Role::Context);
    let of = |roles: Vec<Role>| (0..roles.len() as i64).filter(|i| known(roles[*i as usize])).collect();
    [of(schema.embedded().map(|(_, f)| f.role).collect()), of(schema.reals().map(|(_, f)| f.role).collect())]
}

impl CtrModel for M2m {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let s = self.knowledge(x, train);
        let shared = self.bottom.forward(&x.flat(), train);
        let experts = self.experts.on_one(&shared, 0..self.experts.copies()).leaky_relu();
        let tasks = self.task.forward(&self.tasks).leaky_relu();
        let attended = self.attention.on_pairs(&experts, &tasks, &s).leaky_relu().matmul(&self.score);
        let mut tower = mix(&attended, &experts.transpose(0, 1));
        for unit in &self.tower {
            tower = (unit.forward(&tower, &s) + &tower).leaky_relu();
        }
        let logits = (tower * self.out.weight()).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float);
        Output { logits: logits + self.out.bias(), aux: vec![] }
    }
}
