//! The fusion weights and what they do (M3oE, Eqs. 5, 6, 7 and 10).
use super::M3oeConfig;
use crate::heads::routed;
use scenarec_train::{Init, Params, embedding::Groups};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// How many fusion weights of each kind there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FusionScope {
    /// One for the whole model, as in the released program.
    Global,
    /// α_d and β_d per domain, α_t and β_t per task, as the notation suggests.
    Each,
}

/// Parameters e_w `alpha_d` and `beta_d`, `[1]` or `[D]`, `alpha_t` and `beta_t`, `[1]` or `[T]`, as far as the model has
/// the module and, for the first level, more than one expert to weigh.
#[derive(Debug)]
pub(super) struct FusionWeights {
    alpha_d: Option<Tensor>,
    alpha_t: Option<Tensor>,
    beta_d: Option<Tensor>,
    beta_t: Option<Tensor>,
    domains: i64,
}

impl FusionWeights {
    pub fn new(p: &mut Params, domains: i64, tasks: i64, config: &M3oeConfig) -> Self {
        let mut weight = |name: &str, exists: bool, each: i64| {
            let n = if config.fusion_scope == FusionScope::Each { each } else { 1 };
            exists.then(|| p.parameter_exactly(name, &[n], Init::Constant(config.fusion_initial)))
        };
        // Full gating weighs the modules itself.
        let second = config.fusion != super::Fusion::Gate;
        Self {
            alpha_d: weight("alpha_d", config.use_domain && second, domains),
            alpha_t: weight("alpha_t", config.use_task && second, tasks),
            beta_d: weight("beta_d", config.use_domain && domains > 1, domains),
            beta_t: weight("beta_t", config.use_task && tasks > 1, tasks),
            domains,
        }
    }

    /// 𝒟_d of rows of domain d (Eq. 5); of a single domain it is its expert's output.
    ///
    /// # Shapes
    /// experts [B_d, D, E] -> [B_d, 1, E]
    pub fn own_domain(&self, experts: &Tensor, d: i64) -> Tensor {
        let own = experts.narrow(1, d, 1);
        let Some(beta) = &self.beta_d else { return own };
        let beta = beta.sigmoid().expand([self.domains], false).get(d);
        own_and_others(&own, experts, &beta)
    }

    /// 𝒯_t for all t (Eq. 6); of a single task it is its expert's output.
    ///
    /// # Shapes
    /// experts [B, T, E] -> [B, T, E]
    pub fn tasks(&self, experts: &Tensor) -> Tensor {
        let Some(beta) = &self.beta_t else { return experts.shallow_clone() };
        own_and_others(experts, experts, &beta.sigmoid().unsqueeze(1))
    }

    /// α_d 𝒟_d.
    ///
    /// # Shapes
    /// module [B, 1, E] -> [B, 1, E]
    pub fn alpha_domain(&self, module: &Tensor, groups: &Groups) -> Tensor {
        let alpha = self.alpha_d.as_ref().expect("a domain module is weighed").sigmoid();
        if alpha.size()[0] == 1 {
            return module * alpha;
        }
        routed(module, groups, |d, module| module * alpha.get(d))
    }

    /// α_t 𝒯_t.
    ///
    /// # Shapes
    /// module [B, T, E] -> [B, T, E]
    pub fn alpha_task(&self, module: &Tensor) -> Tensor {
        let alpha = self.alpha_t.as_ref().expect("a task module is weighed").sigmoid();
        module * alpha.unsqueeze(1)
    }

    /// The weights by name; where there are several of a kind, each with its domain's or task's name.
    pub fn values(&self, domains: &[String], tasks: &[String]) -> Vec<(String, f64)> {
        let kinds = [
            ("alpha_d", &self.alpha_d, domains),
            ("alpha_t", &self.alpha_t, tasks),
            ("beta_d", &self.beta_d, domains),
            ("beta_t", &self.beta_t, tasks),
        ];
        let mut all = Vec::new();
        for (kind, weight, names) in kinds {
            let Some(weight) = weight else { continue };
            let values = scenarec_train::to_vec(&weight.sigmoid());
            match &values[..] {
                [one] => all.push((kind.to_string(), f64::from(*one))),
                several => {
                    let named =
                        names.iter().zip(several).map(|(n, v)| (format!("{kind}.{n}"), f64::from(*v)));
                    all.extend(named);
                }
            }
        }
        all
    }
}

/// β f_own + (1 − β)/(n − 1) Σ_others f, the others being all n experts but the own one.
fn own_and_others(own: &Tensor, all: &Tensor, beta: &Tensor) -> Tensor {
    let other = (1.0 - beta) / (all.size()[1] - 1) as f64;
    // β f_own + c (Σ_all f − f_own)
    own * (beta - &other) + all.sum_dim_intlist([1i64].as_slice(), true, Kind::Float) * other
}

/// One gate per objective over the shared experts and the modules ("Fully gated modules").
///
/// # Shapes
/// gates [B, T, N + modules] (logits), shared [B, N, E], domain [B, 1, E], task [B, T, E] -> [B, T, E]
pub(super) fn gated(
    gates: &Tensor,
    shared: &Tensor,
    domain: Option<&Tensor>,
    task: Option<&Tensor>,
) -> Tensor {
    let gates = gates.softmax(-1, Kind::Float);
    let n = shared.size()[1];
    let mut fused = gates.narrow(2, 0, n).bmm(shared);
    for (i, module) in [domain, task].into_iter().flatten().enumerate() {
        fused += gates.narrow(2, n + i as i64, 1) * module;
    }
    fused
}
