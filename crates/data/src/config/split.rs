//! The key `split` of a dataset file.
use super::exactly;
use super::place::Place;
use crate::{Result, SplitPlan};
use serde::Deserialize;

/// One flat list of keys for all plans: a tagged enum would lose line and column in messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSplit {
    plan: PlanName,
    train: Option<f64>,
    valid: Option<f64>,
    test: Option<f64>,
    seed: Option<u64>,
    threshold: Option<usize>,
    k: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlanName {
    Ratio,
    RatioPerScenario,
    ByPosition,
    ByTime,
    ColdItem,
    Given,
}

impl RawSplit {
    /// The plan, where exactly its keys are given and their values make sense.
    pub fn check(&self, place: &Place) -> Result<SplitPlan> {
        let needed: &[&str] = match self.plan {
            PlanName::Ratio | PlanName::RatioPerScenario => &["train", "valid", "test", "seed"],
            PlanName::ByPosition | PlanName::ByTime => &["train", "valid", "test"],
            PlanName::ColdItem => &["threshold", "k"],
            PlanName::Given => &[],
        };
        let given = [
            ("train", self.train.is_some()),
            ("valid", self.valid.is_some()),
            ("test", self.test.is_some()),
            ("seed", self.seed.is_some()),
            ("threshold", self.threshold.is_some()),
            ("k", self.k.is_some()),
        ];
        exactly(place, &["split"], "plan", needed, &given)?;
        if needed.contains(&"train") {
            let fractions = [self.train, self.valid, self.test].map(Option::unwrap_or_default);
            for (key, f) in ["train", "valid", "test"].into_iter().zip(fractions) {
                if !(0.0..=1.0).contains(&f) || (key == "train" && f == 0.0) {
                    return Err(place.at(
                        &["split", key],
                        0,
                        format!("{f} should be a fraction of the rows"),
                    ));
                }
            }
            let sum: f64 = fractions.iter().sum();
            if (sum - 1.0).abs() > 1e-9 {
                return Err(place.at(
                    &["split", "train"],
                    0,
                    format!("the fractions sum to {sum}, not to 1"),
                ));
            }
        }
        let [train, valid, test] = [self.train, self.valid, self.test].map(Option::unwrap_or_default);
        let seed = self.seed.unwrap_or_default();
        Ok(match self.plan {
            PlanName::Ratio => SplitPlan::Ratio { train, valid, test, seed },
            PlanName::RatioPerScenario => SplitPlan::RatioPerScenario { train, valid, test, seed },
            PlanName::ByPosition => SplitPlan::ByPosition { train, valid, test },
            PlanName::ByTime => SplitPlan::ByTime { train, valid, test },
            PlanName::ColdItem => {
                let (threshold, k) = (self.threshold.unwrap_or_default(), self.k.unwrap_or_default());
                if k == 0 || threshold <= k.saturating_mul(3) {
                    let message =
                        format!("{k} should be at least 1 and less than a third of threshold ({threshold})");
                    return Err(place.at(&["split", "k"], 0, message));
                }
                SplitPlan::ColdItem { threshold, k }
            }
            PlanName::Given => SplitPlan::Given,
        })
    }
}
