//! A split that the raw files or the loader's settings bring, as a part per row.
use super::Splits;

/// A part of a split that the dataset brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Part {
    /// Rows to learn from.
    Train,
    /// Rows by which training is stopped.
    Valid,
    /// Rows to predict.
    Test,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [Part; 3] = [Part::Train, Part::Valid, Part::Test];

    /// The part's name in [`Splits`].
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Valid => "valid",
            Part::Test => "test",
        }
    }
}

/// The rows of each part, in order.
pub(super) fn split(part: &[Part]) -> Splits {
    let rows = |of: Part| (0..part.len() as u32).filter(|row| part[*row as usize] == of).collect();
    let parts = Part::ALL.map(|of| (of.name().to_string(), rows(of)));
    Splits { parts: parts.to_vec(), dropped: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitPlan;
    use crate::testing::dataset;

    #[test]
    fn a_given_split_is_used_as_it_is() {
        let mut data = dataset(&[1; 5], &[0; 5]);
        data.part = Some(vec![Part::Test, Part::Train, Part::Valid, Part::Train, Part::Train]);
        let splits = SplitPlan::Given.apply(&data).unwrap();
        let want = [("train", vec![1, 3, 4]), ("valid", vec![2]), ("test", vec![0])];
        assert_eq!(splits.parts, want.map(|(name, rows)| (name.to_string(), rows)));
        data.part = Some(vec![Part::Test, Part::Train, Part::Test, Part::Train, Part::Train]);
        let message = SplitPlan::Given.apply(&data).unwrap_err().to_string();
        assert_eq!(message, "split given of test: part valid has no rows (of 5)");
        data.part = Some(vec![Part::Test, Part::Train, Part::Valid]);
        let message = SplitPlan::Given.apply(&data).unwrap_err().to_string();
        assert_eq!(message, "split given of test: 2 of 5 rows are in no part");
    }
}
