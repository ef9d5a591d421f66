//! Why a metric cannot be computed.

use std::fmt;

/// Predictions that no metric can be made of.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricError {
    /// A score is not a number: usually a diverged model.
    NanScore {
        /// The first such row.
        row: usize,
    },
    /// A label is neither 0 nor 1, or a probability not in `[0, 1]`.
    BadLabel {
        /// The first such row.
        row: usize,
        /// What is there.
        value: f32,
    },
    /// Scores and labels differ in number.
    Lengths {
        /// The number of scores.
        scores: usize,
        /// The number of labels.
        labels: usize,
    },
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NanScore { row } => write!(f, "the score of row {row} is not a number"),
            Self::BadLabel { row, value } => write!(f, "the label of row {row} is {value}"),
            Self::Lengths { scores, labels } => write!(f, "{scores} scores but {labels} labels"),
        }
    }
}

impl std::error::Error for MetricError {}

/// Checks that lengths agree, scores are numbers, and labels are in range.
pub(super) fn check<L: Copy + Into<f32>>(
    scores: &[f32],
    labels: &[L],
    good: impl Fn(L) -> bool,
) -> Result<(), MetricError> {
    if scores.len() != labels.len() {
        return Err(MetricError::Lengths { scores: scores.len(), labels: labels.len() });
    }
    if let Some(row) = scores.iter().position(|score| score.is_nan()) {
        return Err(MetricError::NanScore { row });
    }
    match labels.iter().position(|&label| !good(label)) {
        Some(row) => Err(MetricError::BadLabel { row, value: labels[row].into() }),
        None => Ok(()),
    }
}
