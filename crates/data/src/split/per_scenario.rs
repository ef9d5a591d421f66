//! A random split of every scenario by itself (Diff-MSR's Douban, appendix A.1: 8:1:1 in each domain).
use super::{Splits, shuffle};
use crate::Dataset;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// Shuffles and cuts the rows of every scenario, and joins the parts of the same name. Each scenario has random
/// numbers of its own, so that rows of one that come or go move no row of another.
pub(super) fn split(data: &Dataset, seed: u64, cut: impl Fn(&[u32]) -> Splits) -> Splits {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut all = Splits::default();
    for scenario in 0..data.schema.scenarios.len() {
        let mut rows: Vec<u32> = (0..data.rows() as u32)
            .filter(|row| usize::from(data.scenario[*row as usize]) == scenario)
            .collect();
        shuffle(&mut rows, &mut rng.clone());
        rng.jump();
        for (name, mut rows) in cut(&rows).parts {
            match all.parts.iter_mut().find(|part| part.0 == name) {
                Some(part) => part.1.append(&mut rows),
                None => all.parts.push((name, rows)),
            }
        }
    }
    all
}

/// The promise: every scenario has rows in every part.
pub(super) fn check(splits: &Splits, data: &Dataset) -> Result<(), String> {
    for (part, rows) in &splits.parts {
        let mut seen = vec![false; data.schema.scenarios.len()];
        rows.iter().for_each(|row| seen[usize::from(data.scenario[*row as usize])] = true);
        if let Some((scenario, _)) = data.schema.scenarios.iter().zip(seen).find(|(_, seen)| !seen) {
            return Err(format!("scenario {scenario} has no rows in part {part}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitPlan;
    use crate::testing::dataset;

    #[test]
    fn fractions_hold_for_each_scenario() {
        let mut data = dataset(&[1; 1130], &[0; 1130]);
        data.schema.scenarios = vec!["a".into(), "b".into()];
        data.scenario = (0..1130).map(|row| u16::from(row % 113 < 13)).collect(); // 1000 of a, 130 of b.
        let plan = |seed| SplitPlan::RatioPerScenario { train: 0.8, valid: 0.1, test: 0.1, seed };
        let splits = plan(1).apply(&data).unwrap();
        let count = |part: &str, of: u16| {
            splits.get(part).unwrap().iter().filter(|row| data.scenario[**row as usize] == of).count()
        };
        assert_eq!(
            ["train", "valid", "test"].map(|p| [count(p, 0), count(p, 1)]),
            [[800, 104], [100, 13], [100, 13]]
        );
        assert_eq!(splits, plan(1).apply(&data).unwrap());
        assert_ne!(splits, plan(2).apply(&data).unwrap());
        assert_ne!(splits.get("train").unwrap()[..800], (0..800).collect::<Vec<u32>>());

        // One row of b less leaves a's parts as they are.
        let of_a = |splits: &Splits, data: &Dataset| -> Vec<Vec<u32>> {
            let of_a =
                |rows: &Vec<u32>| rows.iter().filter(|r| data.scenario[**r as usize] == 0).copied().collect();
            splits.parts.iter().map(|(_, rows)| of_a(rows)).collect()
        };
        let mut less = dataset(&[1; 1129], &[0; 1129]);
        less.schema.scenarios = data.schema.scenarios.clone();
        less.scenario = data.scenario[..1129].to_vec();
        data.scenario[1129] = 1; // It was of a.
        let all = plan(1).apply(&data).unwrap();
        less.scenario[1128] = 0;
        data.scenario[1128] = 0;
        assert_eq!(of_a(&all, &data), of_a(&plan(1).apply(&less).unwrap(), &less));

        data.scenario = (0..1130).map(|row| u16::from(row < 5)).collect();
        let message = plan(1).apply(&data).unwrap_err().to_string();
        assert_eq!(message, "split ratio_per_scenario of test: scenario b has no rows in part valid");
    }
}
