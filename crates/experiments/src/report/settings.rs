//! The numbers among a run's settings, for tables that show them beside the paper's.
use crate::{job::Job, spec::leaves};
use scenarec_train::Measure;
use serde_yaml::Value;

/// The metric that stands for them.
pub(super) const METRIC: &str = "setting";

/// Every number among a job's settings as a measure (stage: `settings`; phase: its path, for example
/// `method.diffusion.timesteps`), otherwise like `measure`, one that the run recorded.
pub(super) fn measures(job: &Job, measure: &Measure) -> Vec<Measure> {
    let as_measure = |(phase, value)| Measure {
        stage: "settings".into(),
        phase,
        scenario: String::new(),
        task: String::new(),
        metric: METRIC.into(),
        value,
        rows: 0,
        ..measure.clone()
    };
    let sections = [("model", &job.model), ("method", &job.method), ("run", &job.settings)];
    sections.into_iter().flat_map(|(name, section)| numbers(name, section)).map(as_measure).collect()
}

/// Every number below a value, with its path, which begins with `name`.
fn numbers(name: &str, value: &Value) -> Vec<(String, f64)> {
    leaves(name, value).into_iter().filter_map(|(path, value)| Some((path, value.as_f64()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_at_their_paths() {
        let model = serde_yaml::from_str(
            "{ name: fnn, dim: 16, hidden: [200, 80], optim: { lr: 2e-3, nesterov: false } }",
        );
        let expected = [
            ("model.dim", 16.0),
            ("model.hidden.0", 200.0),
            ("model.hidden.1", 80.0),
            ("model.optim.lr", 2e-3),
        ];
        assert_eq!(numbers("model", &model.unwrap()), expected.map(|(path, n)| (path.to_string(), n)));
    }
}
