//! M3oE (Zhang et al., SIGIR 2024): shared, domain and task experts over a domain representation, fused by learned weights
//! at two levels.
//!
//! Shapes: B rows, D domains, T tasks, N shared experts, I input width, H width of the representation, E width of an
//! expert's output.
mod fusion;

use crate::{
    domain_representation::DomainRepresentation,
    entry,
    heads::{Heads, routed},
};
use anyhow::Result;
use fusion::FusionWeights;
use scenarec_data::Schema;
use scenarec_train::{
    Build, CtrModel, Embedded, Init, InitScheme, ModelEntry, Net, Output, Params,
    config::{check, resolve},
    nn::{MlpConfig, Norm, StackedMlp, mix},
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use fusion::FusionScope;

/// How the three modules become one representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fusion {
    /// S + α_d 𝒟 + α_t 𝒯 (Eq. 7, its two modules exchanged as in text and program).
    Sum,
    /// [S ‖ α_d 𝒟 ‖ α_t 𝒯] ("Concat modules" of Table 3).
    Concat,
    /// One gate per objective over the N shared experts, 𝒟 and 𝒯 ("Fully gated modules").
    Gate,
}

/// M3oE's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct M3oeConfig {
    /// The registry's name, `m3oe`.
    pub name: String,
    /// Width of all embeddings.
    pub dim: usize,
    /// Width H₁ of the star layer.
    pub star: i64,
    /// Width H of the representation.
    pub hidden: i64,
    /// Width E of an expert's output.
    pub expert: i64,
    /// Number N of shared experts.
    pub shared_experts: i64,
    /// Widths of a tower's hidden layers.
    pub tower: Vec<i64>,
    /// Normalisation in the towers; batch norm has the statistics of a tower's own rows, and needs two in every batch.
    pub tower_norm: Norm,
    /// Eq. 2 as printed: W_c f_DR + b_c without normalisation and activation.
    pub plain_eq2: bool,
    /// Whether the gates' gradient reaches the representation they read; in the released program it does not.
    pub gate_gradient: bool,
    /// How the modules are fused.
    pub fusion: Fusion,
    /// Whether there is a domain module.
    pub use_domain: bool,
    /// Whether there is a task module.
    pub use_task: bool,
    /// What all e_w start at; a fusion weight is sigmoid(e_w) (Eq. 10).
    pub fusion_initial: f64,
    /// One fusion weight of each kind, or one per domain and task.
    pub fusion_scope: FusionScope,
    /// Initial values: `torch`, `{embeddings: std}` or `{uniform: a}`.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub init: InitScheme,
}

impl M3oeConfig {
    fn check(&self) -> Result<()> {
        check(self.dim > 0, "dim", || "a width of 0".into())?;
        let widths = [("star", self.star), ("hidden", self.hidden), ("expert", self.expert)];
        for (key, width) in widths {
            check(width > 0, key, || format!("a width of {width}"))?;
        }
        check(self.shared_experts > 0, "shared_experts", || "there is at least one".into())?;
        check(self.tower.iter().all(|h| *h > 0), "tower", || "a width below 1".into())?;
        check(self.fusion_initial.is_finite(), "fusion_initial", || "not a number".into())
    }
}

pub(crate) const ENTRY: ModelEntry = entry(
    "m3oe",
    // Not the domains' experts, which every domain reads.
    &["representation.star.own*", "gate.*", "towers.*"],
    |value| resolve(value, M3oeConfig::check),
    |schema, value, build| M3oe::net(schema, &serde_yaml::from_value(value)?, build),
)
.isolated()
.outer(&["fusion.*"]);

/// logit of (d, t) = tower_{d,t}(fused(S_{d,t}(h), 𝒟_d(h), 𝒯_t(h))), h the domain representation.
///
/// Parameters `representation.*`, `experts.*` (N shared, then D of the domains, then T of the tasks), `gate.weight`
/// [D, H, T·G] and `gate.bias` [D, T·G] (G = N, or N + 2 under full gating), `fusion.*` and `towers.*`.
#[derive(Debug)]
pub struct M3oe {
    representation: DomainRepresentation,
    experts: StackedMlp,
    gate: Tensor,
    gate_bias: Tensor,
    weights: FusionWeights,
    towers: Heads,
    config: M3oeConfig,
    domains: Vec<String>,
    tasks: Vec<String>,
}

/// The modules' outputs for a batch.
struct Modules {
    /// S_{d,t} [B, T, E]; none under full gating, where the shared experts are not mixed apart.
    shared: Option<Tensor>,
    /// 𝒟_d [B, 1, E].
    domain: Option<Tensor>,
    /// 𝒯_t [B, T, E].
    task: Option<Tensor>,
    /// What goes to the towers, [B, T, E] or, concatenated, wider.
    fused: Tensor,
    /// The experts' outputs [B, N + D + T, E].
    experts: Tensor,
}

impl M3oe {
    /// The model with its tables.
    ///
    /// # Errors
    /// What [`Net::new`] refuses.
    pub fn net(schema: &Schema, config: &M3oeConfig, build: Build) -> Result<Net> {
        Net::new(schema, config.dim, config.init, build, |p| Ok(Box::new(Self::new(p, schema, config))))
    }

    fn new(p: &mut Params, schema: &Schema, config: &M3oeConfig) -> Self {
        let M3oeConfig { star, hidden, expert, shared_experts, use_domain, use_task, .. } = *config;
        let (d, t) = (schema.scenarios.len() as i64, schema.tasks.len() as i64);
        let inputs = crate::config::flat_width(schema, config.dim);
        let modules = i64::from(use_domain) + i64::from(use_task);
        let gates = t * if config.fusion == Fusion::Gate { shared_experts + modules } else { shared_experts };
        let block = MlpConfig { hidden: vec![expert], norm: Norm::Layer, dropout: 0.0 };
        let copies = shared_experts + if use_domain { d } else { 0 } + if use_task { t } else { 0 };
        let tower = MlpConfig { hidden: config.tower.clone(), norm: config.tower_norm, dropout: 0.0 };
        let fused = if config.fusion == Fusion::Concat { expert * (1 + modules) } else { expert };
        let mut representation = p.sub("representation");
        let representation =
            DomainRepresentation::new(&mut representation, d, inputs, star, hidden, config.plain_eq2);
        Self {
            representation,
            experts: StackedMlp::new(&mut p.sub("experts"), copies, hidden, &block, None),
            gate: p.sub("gate").parameter("weight", &[d, hidden, gates], Init::linear(hidden)),
            gate_bias: p.sub("gate").parameter("bias", &[d, gates], Init::linear(hidden)),
            weights: FusionWeights::new(&mut p.sub("fusion"), d, t, config),
            towers: Heads::new(&mut p.sub("towers"), schema, fused, &tower),
            config: config.clone(),
            domains: schema.scenarios.clone(),
            tasks: schema.tasks.clone(),
        }
    }

    fn modules(&self, x: &Embedded, train: bool) -> Modules {
        let (n, d, t) = (self.config.shared_experts, self.domains.len() as i64, self.tasks.len() as i64);
        let groups = &x.groups;
        let h = self.representation.forward(&x.flat(), groups);
        let experts = self.experts.on_one(&h, train).transpose(0, 1);
        let of = |is: bool, n: i64| if is { n } else { 0 };
        let sizes = [n, of(self.config.use_domain, d), of(self.config.use_task, t)];
        // One split: the gradients of several narrowed parts would each be as large as the whole.
        let [shared, of_domains, of_tasks] = &experts.split_with_sizes(sizes, 1)[..] else {
            unreachable!("three sizes, three parts")
        };
        let domain = self
            .config
            .use_domain
            .then(|| routed(of_domains, groups, |d, outputs| self.weights.own_domain(outputs, d)));
        let task = self.config.use_task.then(|| self.weights.tasks(of_tasks));

        let seen = if self.config.gate_gradient { h } else { h.detach() };
        let gates = routed(&seen, groups, |d, h| self.gate_bias.get(d).addmm(h, &self.gate.get(d)));
        let gates = gates.unflatten(1, [t, -1]);
        if self.config.fusion == Fusion::Gate {
            let fused = fusion::gated(&gates, shared, domain.as_ref(), task.as_ref());
            return Modules { shared: None, domain, task, fused, experts };
        }
        let mixed = mix(&gates, &shared.transpose(0, 1));
        let weighted = [
            domain.as_ref().map(|m| self.weights.alpha_domain(m, groups)),
            task.as_ref().map(|m| self.weights.alpha_task(m)),
        ];
        let modules = weighted.iter().flatten();
        let fused = match self.config.fusion {
            Fusion::Concat => {
                let wide = modules.map(|m| m.expand_as(&mixed));
                Tensor::cat(&std::iter::once(mixed.shallow_clone()).chain(wide).collect::<Vec<_>>(), 2)
            }
            _ => modules.fold(mixed.shallow_clone(), |sum, m| sum + m),
        };
        Modules { shared: Some(mixed), domain, task, fused, experts }
    }
}

impl CtrModel for M3oe {
    /// # Shapes
    /// fields [B, F, d], reals [B, R] -> logits [B, T]
    fn forward(&self, x: &Embedded, train: bool) -> Output {
        let fused = self.modules(x, train).fused;
        Output { logits: self.towers.on_each(&fused, &x.groups, train), aux: vec![] }
    }

    /// `alpha_d`, `alpha_t`, `beta_d`, `beta_t`.
    fn fusion_weights(&self) -> Vec<(String, f64)> {
        self.weights.values(&self.domains, &self.tasks)
    }

    /// What Figure 3 shows: `domain_expert.<domain>` and `domain`; `task_expert.<task>` and `task.<task>`;
    /// `shared.<task>` and `fused.<task>`.
    fn representations(&self, x: &Embedded) -> Vec<(String, Tensor)> {
        let m = self.modules(x, false);
        let mut all = Vec::new();
        let mut at = self.config.shared_experts;
        let mut experts = |kind: &str, names: &[String]| {
            for name in names {
                all.push((format!("{kind}.{name}"), m.experts.select(1, at)));
                at += 1;
            }
        };
        if m.domain.is_some() {
            experts("domain_expert", &self.domains);
        }
        if m.task.is_some() {
            experts("task_expert", &self.tasks);
        }
        all.extend(m.domain.iter().map(|module| ("domain".into(), module.select(1, 0))));
        for (t, name) in self.tasks.iter().enumerate() {
            let of_task =
                [("task", m.task.as_ref()), ("shared", m.shared.as_ref()), ("fused", Some(&m.fused))];
            let of_task = of_task.into_iter().filter_map(|(kind, module)| Some((kind, module?)));
            all.extend(of_task.map(|(kind, m)| (format!("{kind}.{name}"), m.select(1, t as i64))));
        }
        all
    }
}
