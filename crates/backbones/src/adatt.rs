//! AdaTT (Li et al., KDD 2023) and AdaTT-sp: levels of units, each with experts of its own, in which every unit mixes all
//! units' experts and adds its own. AdaTT has a shared unit besides those of the heads, AdaTT-sp has none. Every pair of
//! a domain and a task is a head.
//!
//! Shapes: B rows, D domains, T tasks, K = D·T heads (head d·T + t), U units (the heads', then the shared one), m experts
//! of a head's, m_s of the shared unit, M = K·m + m_s experts of a level, E an expert's last width.
use crate::{
    config::{check_stacks, flat_width},
    entry,
    heads::{Heads, on_one_or_each},
};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, check_number, resolve},
    nn::{MlpConfig, Norm, StackedLinear, StackedMlp, mix},
};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::{Kind, Tensor};

/// AdaTT's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaTtConfig {
    /// The registry's name, `adatt`.
    pub name: String,
    /// Width d of all embeddings.
    pub dim: usize,
    /// Number of levels.
    pub levels: i64,
    /// Number m of experts of a head's unit.
    pub native_experts: i64,
    /// Number m_s of experts of the shared unit; 0 is AdaTT-sp, which has none.
    pub shared_experts: i64,
    /// Widths of an expert's layers, in every level; without normalisation, as the authors have them.
    pub expert: Vec<i64>,
    /// Widths of a tower's hidden layers.
    pub tower: Vec<i64>,
    /// Normalisation of the towers' hidden layers.
    pub norm: Norm,
    /// Dropout probability after every hidden layer.
    pub dropout: f64,
    /// Initial values.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl AdaTtConfig {
    fn check(&self) -> Result<()> {
        check_number(self.levels, "levels")?;
        check_number(self.native_experts, "native_experts")?;
        let shared = self.shared_experts;
        check(shared >= 0, "shared_experts", || format!("{shared} is below 0"))?;
        check_stacks(self.dim, self.dropout, &[("expert", &self.expert), ("tower", &self.tower)])
    }

    fn mlp(&self, hidden: &[i64], norm: Norm) -> MlpConfig {
        MlpConfig { hidden: hidden.to_vec(), norm, dropout: self.dropout }
    }
}

// With several levels every unit mixes what the others' gates below chose: a domain's specific parameters reach all
// domains.
pub(crate) const ENTRY: ModelEntry = entry(
    "adatt",
    &["{towers.*,levels.*.gates.*,levels.*.native}"],
    |value| resolve(value, AdaTtConfig::check),
    |schema, value, build| AdaTt::net(schema, &serde_yaml::from_value(value)?, build),
);

/// logit_k = tower_k(h_k^L); h_u^0 = z, the fields and reals; with E_i^l all experts of level l, E_{u,j}^l unit u's own,
/// h_u^l = Σ_i softmax(W_u^l h_u^{l−1} + b_u^l)_i E_i^l + Σ_j v_{u,j}^l E_{u,j}^l.
///
/// Parameters `levels.<l>.experts.*` (M copies), `.gates.*` (of the unit's input -> M, a copy per unit; in the last level
/// the shared unit has none, for nobody reads its output), `.native` [K, m] and `.shared_native` [1, m_s], which are v
/// (where every unit has one expert v is 1 and no parameter); `towers.*`.
#[derive(Debug)]
pub struct AdaTt {
    levels: Vec<Level>,
    towers: Heads,
}

#[derive(Debug)]
struct Level {
    experts: StackedMlp,
    gates: StackedLinear,
    native: Option<Tensor>,
    /// None without a shared unit, and in the last level.
    shared_native: Option<Tensor>,
    heads: i64,
    /// Experts of a head's unit, of the shared unit.
    counts: [i64; 2],
    last: bool,
}

impl AdaTt {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &AdaTtConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &AdaTtConfig) -> Self {
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
        let tower = config.mlp(&config.tower, config.norm);
        Self { levels, towers: Heads::new(&mut p.sub("towers"), schema, width, &tower) }
    }
}

impl Level {
    fn new(p: &mut Params, heads: i64, inputs: i64, last: bool, config: &AdaTtConfig) -> Self {
        let counts @ [native, shared] = [config.native_experts, config.shared_experts];
        let experts = heads * native + shared;
        let shared_output = shared > 0 && !last;
        let learned = native > 1 || shared > 1;
        let mut v = |name: &str, units: i64, m: i64| {
            let init = Init::Uniform(1.0 / (m as f64).sqrt());
            learned.then(|| p.parameter(name, &[units, m], init))
        };
        let (native, shared_native) =
            (v("native", heads, native), if shared_output { v("shared_native", 1, shared) } else { None });
        let expert = config.mlp(&config.expert, Norm::None);
        let gates = heads + i64::from(shared_output);
        Self {
            experts: StackedMlp::new(&mut p.sub("experts"), experts, inputs, &expert, None),
            gates: StackedLinear::new(&mut p.sub("gates"), gates, inputs, experts),
            native,
            shared_native,
            heads,
            counts,
            last,
        }
    }

    /// All experts: h [B, in], the same for all units, or [B, U, in] -> [M, B, E].
    fn experts(&self, h: &Tensor, train: bool) -> Tensor {
        if h.dim() == 2 {
            return self.experts.on_one(h, train);
        }
        let [native, shared] = self.counts;
        let units = h.transpose(0, 1);
        let of_heads = units.narrow(0, 0, self.heads).repeat_interleave_self_int(native, 0, None);
        let inputs = if shared > 0 {
            Tensor::cat(&[of_heads, units.narrow(0, self.heads, 1).repeat([shared, 1, 1])], 0)
        } else {
            of_heads
        };
        self.experts.some_on_each(&inputs, 0..self.heads * native + shared, train)
    }
    /// The heads' second sums, Σ_j v_{u,j} E_{u,j}: all experts [B, M, E] -> [B, h, E].
    fn native(&self, experts: &Tensor, heads: Range<i64>) -> Tensor {
        let m = self.counts[0];
        let own = experts.narrow(1, heads.start * m, (heads.end - heads.start) * m);
        let Some(v) = &self.native else { return own };
        let v = v.narrow(0, heads.start, heads.end - heads.start);
        (own.unflatten(1, [-1, m]) * v.unsqueeze(-1)).sum_dim_intlist([2i64].as_slice(), false, Kind::Float)
    }

    /// The shared unit's second sum: all experts [B, M, E] -> [B, 1, E].
    fn shared_native(&self, experts: &Tensor) -> Tensor {
        let [m, shared] = self.counts;
        let own = experts.narrow(1, self.heads * m, shared);
        match &self.shared_native {
            Some(v) => v.matmul(&own),
            None => own,
        }
    }
}

impl CtrModel for AdaTt {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let mut h = x.flat();
        for level in &self.levels {
            let experts = level.experts(&h, train);
            let by_row = experts.transpose(0, 1);
            let (gates, native) = if level.last {
                // Nobody reads the last level's other units.
                let gates = |heads: Range<i64>, h: &Tensor| on_one_or_each(&level.gates, h, heads);
                let native = |heads: Range<i64>, experts: &Tensor| level.native(experts, heads);
                (
                    self.towers.layers(&h, &x.groups, train, gates),
                    self.towers.layers(&by_row, &x.groups, train, native),
                )
            } else {
                let heads = level.native(&by_row, 0..level.heads);
                let native = if level.counts[1] > 0 {
                    Tensor::cat(&[heads, level.shared_native(&by_row)], 1)
                } else {
                    heads
                };
                (on_one_or_each(&level.gates, &h, 0..level.gates.copies()), native)
            };
            h = mix(&gates, &experts) + native;
        }
        Output { logits: self.towers.on_each(&h, &x.groups, train), aux: vec![] }
    }
}
