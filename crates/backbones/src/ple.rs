//! PLE (Tang et al., RecSys 2020): levels of experts, some of a head's own and some that all heads share; every pair of a
//! domain and a task is a head. With one level it is CGC.
//!
//! Shapes: B rows, D domains, T tasks, K = D·T heads (head d·T + t), m experts of a head's own, m_s shared ones, E an
//! expert's last width.
use crate::{
    config::{check_stacks, flat_width},
    entry,
    heads::{Heads, of_heads, on_one_or_each},
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, InitScheme, ModelEntry, Net, Output, Params,
    config::{check_number, resolve},
    nn::{Linear, MlpConfig, Norm, StackedLinear, StackedMlp, mix},
};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::{Kind, Tensor};

/// PLE's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PleConfig {
    /// The registry's name, `ple`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Number of levels. With several, a row needs all heads' experts in all levels but the last, because the shared
    /// experts read them: the cost grows with D·T, where one level's grows with T.
    pub levels: i64,
    /// Number m of experts of each head's own.
    pub specific_experts: i64,
    /// Number m_s of shared experts.
    pub shared_experts: i64,
    /// Widths of an expert's layers, in every level.
    pub expert: Vec<i64>,
    /// Widths of a tower's hidden layers.
    pub tower: Vec<i64>,
    /// Normalisation of all hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl PleConfig {
    fn check(&self) -> Result<()> {
        check_number(self.levels, "levels")?;
        check_number(self.specific_experts, "specific_experts")?;
        check_number(self.shared_experts, "shared_experts")?;
        check_stacks(self.dim, self.dropout, &[("expert", &self.expert), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64]) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm: self.norm, dropout: self.dropout }
    }
}

// With several levels the shared experts read all heads' own: a domain's specific parameters reach all domains.
pub(crate) const ENTRY: ModelEntry = entry(
    "ple",
    &["levels.*.specific.*", "levels.*.gates.*", "towers.*"],
    |value| resolve(value, PleConfig::check),
    |schema, value, build| Ple::net(schema, &serde_yaml::from_value(value)?, build),
);

/// logit_k = tower_k(q_k^L); q_k^0 = q_s^0 = z, the fields and reals.
///
/// Parameters `levels.<l>.specific.*` (K·m copies, head-major), `.shared.*` (m_s copies), `.gates.*` (K copies, of the
/// head's input -> m + m_s, its own experts first) and, but in the last level, `.shared_gate.*` (-> K·m + m_s); `towers.*`.
#[derive(Debug)]
pub struct Ple {
    levels: Vec<Level>,
    towers: Heads,
}

#[derive(Debug)]
struct Level {
    specific: StackedMlp,
    shared: StackedMlp,
    gates: StackedLinear,
    shared_gate: Option<Linear>,
    own: i64,
}

impl Ple {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &PleConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &PleConfig) -> Self {
        let heads = (schema.scenarios.len() * schema.tasks.len()) as i64;
        let width = config.expert[config.expert.len() - 1];
        let mut inputs = flat_width(schema, config.dim);
        let levels = (0..config.levels).map(|l| {
            let mut p = p.sub("levels");
            let level = Level::new(&mut p.sub(&l.to_string()), heads, inputs, l + 1 == config.levels, config);
            inputs = width;
            level
        });
        let levels = levels.collect();
        Self { levels, towers: Heads::new(&mut p.sub("towers"), schema, width, &config.mlp(&config.tower)) }
    }
}

impl Level {
    fn new(p: &mut Params, heads: i64, inputs: i64, last: bool, config: &PleConfig) -> Self {
        let (m, shared, expert) =
            (config.specific_experts, config.shared_experts, config.mlp(&config.expert));
        let all = heads * m + shared;
        Self {
            specific: StackedMlp::new(&mut p.sub("specific"), heads * m, inputs, &expert, None),
            shared: StackedMlp::new(&mut p.sub("shared"), shared, inputs, &expert, None),
            gates: StackedLinear::new(&mut p.sub("gates"), heads, inputs, m + shared),
            shared_gate: (!last).then(|| Linear::new(&mut p.sub("shared_gate"), inputs, all)),
            own: m,
        }
    }

    /// The outputs of some heads' own experts: q [B, in], the same for all heads, or [B, K, in] -> [B, h m, E].
    fn specific(&self, q: &Tensor, heads: Range<i64>, train: bool) -> Tensor {
        let copies = heads.start * self.own..heads.end * self.own;
        let outputs = if q.dim() == 2 {
            self.specific.some_on_one(q, copies, train)
        } else {
            let each = of_heads(q, heads).repeat_interleave_self_int(self.own, 0, None);
            self.specific.some_on_each(&each, copies, train)
        };
        outputs.transpose(0, 1)
    }

    /// The weights of some heads' experts: q as above -> [B, h, m + m_s].
    fn weights(&self, q: &Tensor, heads: Range<i64>) -> Tensor {
        on_one_or_each(&self.gates, q, heads).softmax(-1, Kind::Float)
    }

    /// q_k: weights [B, h, m + m_s], specific [B, h m, E], shared [B, m_s, E] -> [B, h, E].
    fn mixed(&self, weights: &Tensor, specific: &Tensor, shared: &Tensor) -> Tensor {
        let sum = |weights: Tensor, experts: Tensor| {
            (weights.unsqueeze(-1) * experts).sum_dim_intlist([2i64].as_slice(), false, Kind::Float)
        };
        let (heads, others) = (weights.size()[1], weights.size()[2] - self.own);
        let own = sum(weights.narrow(2, 0, self.own), specific.unflatten(1, [heads, self.own]));
        own + sum(weights.narrow(2, self.own, others), shared.unsqueeze(1))
    }
}

impl CtrModel for Ple {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let z = x.flat();
        let (mut q, mut q_shared) = (z.shallow_clone(), z);
        for level in &self.levels {
            let shared = level.shared.on_one(&q_shared, train);
            let by_row = shared.transpose(0, 1);
            q = match &level.shared_gate {
                Some(gate) => {
                    let heads = 0..level.gates.copies();
                    let specific = level.specific(&q, heads.clone(), train);
                    let all = Tensor::cat(&[&specific.transpose(0, 1), &shared], 0);
                    let q = level.mixed(&level.weights(&q, heads), &specific, &by_row);
                    q_shared = mix(&gate.forward(&q_shared).unsqueeze(1), &all).squeeze_dim(1);
                    q
                }
                // Nobody reads the last level's other heads.
                None => {
                    let specific = |heads: Range<i64>, q: &Tensor| level.specific(q, heads, train);
                    let weights = |heads: Range<i64>, q: &Tensor| level.weights(q, heads);
                    let specific = self.towers.layers(&q, &x.groups, train, specific);
                    let weights = self.towers.layers(&q, &x.groups, train, weights);
                    level.mixed(&weights, &specific, &by_row)
                }
            };
        }
        Output { logits: self.towers.on_each(&q, &x.groups, train), aux: vec![] }
    }
}
