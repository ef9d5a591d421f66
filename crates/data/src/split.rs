//! Row lists: which rows train and which test, and the promises that each way of splitting makes.
mod cold_item;
mod given;
mod per_scenario;

pub use given::Part;

use crate::{Dataset, Error, Result};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// How the rows of a dataset are split. Fractions are of all rows and sum to 1; parts are called `train`, `valid` and
/// `test`, and a part whose fraction is 0 is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitPlan {
    /// At random.
    Ratio {
        /// Fraction of the rows.
        train: f64,
        /// Fraction of the rows.
        valid: f64,
        /// Fraction of the rows.
        test: f64,
        /// Seed of the shuffle.
        seed: u64,
    },
    /// At random, the rows of every scenario by themselves: the fractions hold for each of them.
    RatioPerScenario {
        /// Fraction of a scenario's rows.
        train: f64,
        /// Fraction of a scenario's rows.
        valid: f64,
        /// Fraction of a scenario's rows.
        test: f64,
        /// Seed of the shuffles.
        seed: u64,
    },
    /// In file order.
    ByPosition {
        /// Fraction of the rows.
        train: f64,
        /// Fraction of the rows.
        valid: f64,
        /// Fraction of the rows.
        test: f64,
    },
    /// In order of time, file order among equal times.
    ByTime {
        /// Fraction of the rows.
        train: f64,
        /// Fraction of the rows.
        valid: f64,
        /// Fraction of the rows.
        test: f64,
    },
    /// CVAR's and CSDM's item cold start: `train_base`, `warm_a`, `warm_b`, `warm_c`, `test`.
    ColdItem {
        /// Items with more rows than this (N) are old.
        threshold: usize,
        /// Rows per new item and warm-up phase (K).
        k: usize,
    },
    /// As the raw files or the loader's settings say (`Dataset::part`).
    Given,
}

/// Row lists by name. Together with `dropped` they hold every row exactly once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// The parts, in the plan's order.
    pub parts: Vec<(String, Vec<u32>)>,
    /// Rows that belong to no part.
    pub dropped: Vec<u32>,
}

impl Splits {
    /// The rows of the part called `name`.
    pub fn get(&self, name: &str) -> Option<&[u32]> {
        self.parts.iter().find(|p| p.0 == name).map(|p| p.1.as_slice())
    }
}

impl SplitPlan {
    /// The plan's name, as in the dataset files.
    pub fn name(&self) -> &'static str {
        match self {
            SplitPlan::Ratio { .. } => "ratio",
            SplitPlan::RatioPerScenario { .. } => "ratio_per_scenario",
            SplitPlan::ByPosition { .. } => "by_position",
            SplitPlan::ByTime { .. } => "by_time",
            SplitPlan::ColdItem { .. } => "cold_item",
            SplitPlan::Given => "given",
        }
    }

    /// Splits the rows and checks that the plan's promise is kept.
    ///
    /// # Errors
    /// Data without what the plan goes by (times, item ids, parts of their own), and rows with which its promise cannot be kept.
    pub fn apply(&self, data: &Dataset) -> Result<Splits> {
        let broken =
            |message: String| Error::Split { dataset: data.name.clone(), plan: self.name(), message };
        let time = || data.time.as_deref().ok_or_else(|| broken("the dataset has no times".into()));
        let n =
            u32::try_from(data.rows()).map_err(|_| broken(format!("{} rows are too many", data.rows())))?;
        let in_order = || (0..n).collect::<Vec<u32>>();
        let splits = match *self {
            SplitPlan::Ratio { train, valid, test, seed } => {
                let mut rows = in_order();
                shuffle(&mut rows, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
                cut(&rows, train, valid, test)
            }
            SplitPlan::RatioPerScenario { train, valid, test, seed } => {
                let splits = per_scenario::split(data, seed, |rows| cut(rows, train, valid, test));
                per_scenario::check(&splits, data).map_err(broken)?;
                splits
            }
            SplitPlan::ByPosition { train, valid, test } => cut(&in_order(), train, valid, test),
            SplitPlan::ByTime { train, valid, test } => {
                let time = time()?;
                let mut rows = in_order();
                rows.sort_by_key(|r| time[*r as usize]); // Stable: file order among equal times.
                let splits = cut(&rows, train, valid, test);
                check_time_order(&splits, time).map_err(broken)?;
                splits
            }
            SplitPlan::ColdItem { threshold, k } => {
                if data.schema.item_id.is_none() {
                    return Err(broken("the dataset has no item ids".into()));
                }
                let splits = cold_item::split(data.item_ids(), time()?, threshold, k).map_err(broken)?;
                cold_item::check(&splits, data.item_ids(), time()?, threshold, k).map_err(broken)?;
                splits
            }
            SplitPlan::Given => match &data.part {
                Some(part) => given::split(part),
                None => return Err(broken("the dataset brings no split of its own".into())),
            },
        };
        check_cover(&splits, data.rows()).map_err(broken)?;
        Ok(splits)
    }
}

fn shuffle(rows: &mut [u32], rng: &mut Xoshiro256PlusPlus) {
    for i in (1..rows.len()).rev() {
        rows.swap(i, rng.random_range(0..=i));
    }
}

/// Cuts a row list at fractions; the cut falls at the largest whole number of rows that is not above the fraction.
fn cut(rows: &[u32], train: f64, valid: f64, test: f64) -> Splits {
    // 1e-9 so that 0.7 + 0.2 of ten rows is nine rows.
    let at = |fraction: f64| ((rows.len() as f64 * fraction + 1e-9) as usize).min(rows.len());
    let (a, b) = (at(train), at(train + valid));
    let b = if test > 0.0 { b } else { rows.len() };
    let a = if valid > 0.0 || test > 0.0 { a } else { rows.len() };
    let parts = [("train", train, &rows[..a]), ("valid", valid, &rows[a..b]), ("test", test, &rows[b..])];
    let kept = parts.into_iter().filter(|p| p.1 > 0.0);
    Splits { parts: kept.map(|p| (p.0.to_string(), p.2.to_vec())).collect(), dropped: Vec::new() }
}

/// Every row in exactly one list, and no list empty.
fn check_cover(splits: &Splits, rows: usize) -> std::result::Result<(), String> {
    // A bit for every row: a list of rows in any order finds them in the processor's cache.
    let mut seen = vec![0u64; rows.div_ceil(64)];
    let lists = splits.parts.iter().map(|p| (p.0.as_str(), &p.1)).chain([("dropped", &splits.dropped)]);
    for (name, list) in lists {
        if list.is_empty() && name != "dropped" {
            return Err(format!("part {name} has no rows (of {rows})"));
        }
        for r in list {
            let (at, bit) = (*r as usize, 1 << (r % 64));
            if at >= rows {
                return Err(format!("row {r} in {name}, but there are only {rows} rows"));
            }
            if seen[at / 64] & bit != 0 {
                return Err(format!("row {r} is in {name} and in another part, or twice in it"));
            }
            seen[at / 64] |= bit;
        }
    }
    match rows - seen.iter().map(|bits| bits.count_ones() as usize).sum::<usize>() {
        0 => Ok(()),
        n => Err(format!("{n} of {rows} rows are in no part")),
    }
}

/// No row of a part is later than one of the next part.
fn check_time_order(splits: &Splits, time: &[i64]) -> std::result::Result<(), String> {
    for w in splits.parts.windows(2) {
        let last = w[0].1.iter().map(|r| time[*r as usize]).max();
        let first = w[1].1.iter().map(|r| time[*r as usize]).min();
        if let (Some(last), Some(first)) = (last, first)
            && last > first
        {
            return Err(format!("{} ends at {last}, after {} begins at {first}", w[0].0, w[1].0));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::dataset;

    #[test]
    fn fractions_are_cut_where_they_belong() {
        let rows: Vec<u32> = (0..1_000_209).collect();
        let sizes = |s: Splits| s.parts.iter().map(|p| p.1.len()).collect::<Vec<_>>();
        assert_eq!(sizes(cut(&rows, 0.8, 0.1, 0.1)), [800_167, 100_021, 100_021]); // The split M3oE released.
        assert_eq!(sizes(cut(&rows[..10], 0.7, 0.2, 0.1)), [7, 2, 1]);
        assert_eq!(sizes(cut(&rows[..11], 0.5, 0.5, 0.0)), [5, 6]);
        assert_eq!(sizes(cut(&rows[..3], 1.0, 0.0, 0.0)), [3]);
    }

    #[test]
    fn ratio_is_a_seeded_shuffle() {
        let data = dataset(&[1; 100], &[0; 100]);
        let plan = |seed| SplitPlan::Ratio { train: 0.8, valid: 0.1, test: 0.1, seed }.apply(&data).unwrap();
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        assert_ne!(plan(1).get("train").unwrap(), (0..80).collect::<Vec<u32>>());
        let by_position = SplitPlan::ByPosition { train: 0.8, valid: 0.1, test: 0.1 }.apply(&data).unwrap();
        assert_eq!(by_position.get("train").unwrap(), (0..80).collect::<Vec<u32>>());
    }

    #[test]
    fn by_time_is_stable() {
        let data = dataset(&[1; 6], &[5, 1, 5, 1, 5, 0]);
        let splits = SplitPlan::ByTime { train: 0.5, valid: 0.0, test: 0.5 }.apply(&data).unwrap();
        assert_eq!(splits.get("train").unwrap(), [5, 1, 3]);
        assert_eq!(splits.get("test").unwrap(), [0, 2, 4]);
    }

    #[test]
    fn broken_promises_are_errors_with_numbers() {
        let data = dataset(&[1; 4], &[0; 4]);
        let err = SplitPlan::Ratio { train: 0.1, valid: 0.0, test: 0.9, seed: 1 }.apply(&data).unwrap_err();
        assert_eq!(err.to_string(), "split ratio of test: part train has no rows (of 4)");
        let message = SplitPlan::Given.apply(&data).unwrap_err().to_string();
        assert_eq!(message, "split given of test: the dataset brings no split of its own");
        let twice = Splits { parts: vec![("a".into(), vec![0, 1]), ("b".into(), vec![1])], dropped: vec![] };
        assert!(check_cover(&twice, 2).unwrap_err().contains("row 1 is in b"));
        let lost = Splits { parts: vec![("a".into(), vec![0])], dropped: vec![] };
        assert_eq!(check_cover(&lost, 3).unwrap_err(), "2 of 3 rows are in no part");
    }
}
