//! The scenario contrastive loss (SACN, Section 2.3): what a user prefers in the scenario at hand is drawn towards a second
//! view of it and pushed from what the same user would prefer in the other scenarios.
//!
//! Shapes: B rows, K scenarios, C width of a preference.
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Below this a norm counts as this, as in `torch.nn.functional.cosine_similarity`.
const EPS: f64 = 1e-8;

/// What the positive pair is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// All scenarios' vectors, as Eqs. 5 and 6 print it. Where these contain the anchor itself (Eq. 5), the positive is not
    /// among them.
    AllScenarios,
    /// The positive and the other scenarios' vectors: InfoNCE.
    PositiveAndOthers,
}

/// L = mean over the batch's rows of −log (exp(cos(a, p) / τ) / Σ exp(cos(a, v_k) / τ)), a the anchor, p the positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScenarioContrast {
    /// τ, above 0.
    pub temperature: f64,
    /// Over what the sum is.
    pub denominator: Denominator,
}

impl ScenarioContrast {
    /// The mean of the rows' losses, where rows that do not count have 0. `scenarios` holds every row's vector for each scenario, `own` the
    /// row's scenario, `counts` 1 for rows that count and 0 for others.
    ///
    /// # Shapes
    /// anchor, positive [B, C], scenarios [B, K, C], own i64 `[B]`, counts `[B]` -> scalar
    pub fn loss(
        &self,
        anchor: &Tensor,
        positive: &Tensor,
        scenarios: &Tensor,
        own: &Tensor,
        counts: &Tensor,
    ) -> Tensor {
        let (anchor, positive, scenarios) = (unit(anchor), unit(positive), unit(scenarios));
        let positive =
            (&anchor * positive).sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>) / self.temperature;
        let others = scenarios.bmm(&anchor.unsqueeze(2)).squeeze_dim(2) / self.temperature;
        let all = match self.denominator {
            Denominator::AllScenarios => others,
            Denominator::PositiveAndOthers => others.scatter(1, &own.unsqueeze(1), &positive.unsqueeze(1)),
        };
        let loss = all.logsumexp([1i64].as_slice(), false) - positive;
        (loss * counts).mean(Kind::Float)
    }
}

/// Vectors of length 1, in the last dimension.
fn unit(x: &Tensor) -> Tensor {
    x / x.norm_scalaropt_dim(2, [-1i64].as_slice(), true).clamp_min(EPS)
}
