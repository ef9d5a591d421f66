//! The numbers by which a loaded dataset is compared with its sheet.
use crate::{Dataset, Result, Splits};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Counts over some rows of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Rows.
    pub rows: usize,
    /// Distinct users; none where the dataset has no user ids.
    pub users: Option<usize>,
    /// Distinct items; none where the dataset has no item ids.
    pub items: Option<usize>,
    /// How many items the raw files know, those included of which no row was kept, where that is said
    /// (`Dataset::item_vocabulary`); of a scenario only.
    pub item_vocabulary: Option<usize>,
    /// Share of ones, by task.
    pub positive_rate: Vec<f64>,
    /// The same over the rows of each scenario, in order; empty where the dataset has one scenario only.
    pub scenarios: Vec<Statistics>,
    /// First and last time; none where the dataset has no times.
    pub time: Option<(i64, i64)>,
}

/// Statistics of all rows.
///
/// # Errors
/// Where columns have to be read from a file that cannot be read.
pub fn statistics(data: &Dataset) -> Result<Statistics> {
    Ok(over(data, &Ids::of(data)?, &(0..data.rows() as u32).collect::<Vec<u32>>()))
}

/// Ids of users and items.
struct Ids<'a> {
    users: Option<Cow<'a, [u32]>>,
    items: Option<Cow<'a, [u32]>>,
}

impl<'a> Ids<'a> {
    fn of(data: &'a Dataset) -> Result<Ids<'a>> {
        let ids = |field: &Option<String>| field.as_ref().map_or(Ok(None), |name| data.ids(name));
        Ok(Ids { users: ids(&data.schema.user_id)?, items: ids(&data.schema.item_id)? })
    }
}

/// Statistics of each part of a split, and of the dropped rows under the name `dropped`, where there are any.
///
/// # Errors
/// As of [`statistics`].
pub fn split_statistics(data: &Dataset, splits: &Splits) -> Result<Vec<(String, Statistics)>> {
    let ids = Ids::of(data)?;
    let parts = splits.parts.iter().map(|(name, rows)| (name.as_str(), rows));
    let dropped = Some(("dropped", &splits.dropped)).filter(|d| !d.1.is_empty());
    Ok(parts.chain(dropped).map(|(name, rows)| (name.to_string(), over(data, &ids, rows))).collect())
}

fn over(data: &Dataset, ids: &Ids, rows: &[u32]) -> Statistics {
    let of_scenario = |s: usize| -> Vec<u32> {
        rows.iter().filter(|r| usize::from(data.scenario[**r as usize]) == s).copied().collect()
    };
    let scenarios = match data.schema.scenarios.len() {
        1 => Vec::new(),
        n => (0..n)
            .map(|s| Statistics {
                item_vocabulary: data.item_vocabulary.as_ref().map(|sizes| sizes[s]),
                ..counts(data, ids, &of_scenario(s))
            })
            .collect(),
    };
    Statistics { scenarios, ..counts(data, ids, rows) }
}

/// All but the scenarios and what concerns them.
fn counts(data: &Dataset, ids: &Ids, rows: &[u32]) -> Statistics {
    let rows = rows.iter().map(|r| *r as usize);
    let distinct = |ids: &Option<Cow<[u32]>>| {
        let ids = ids.as_ref()?;
        let mut seen = vec![false; ids.iter().max().map_or(0, |m| *m as usize + 1)];
        rows.clone().for_each(|r| seen[ids[r] as usize] = true);
        Some(seen.into_iter().filter(|s| *s).count())
    };
    let n = rows.len();
    let rate =
        |label: &Vec<u8>| rows.clone().map(|r| usize::from(label[r])).sum::<usize>() as f64 / n.max(1) as f64;
    Statistics {
        rows: n,
        users: distinct(&ids.users),
        items: distinct(&ids.items),
        item_vocabulary: None,
        positive_rate: data.labels.iter().map(rate).collect(),
        scenarios: Vec::new(),
        time: data.time.as_ref().and_then(|t| {
            let times = rows.clone().map(|r| t[r]);
            Some((times.clone().min()?, times.max()?))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitPlan;
    use crate::testing::dataset;

    #[test]
    fn numbers() {
        let mut data = dataset(&[1, 1, 3, 3], &[4, 3, 2, 9]);
        let s = statistics(&data).unwrap();
        assert_eq!((s.rows, s.items, s.users, s.time), (4, Some(2), None, Some((2, 9))));
        let splits = SplitPlan::ByPosition { train: 0.5, valid: 0.0, test: 0.5 }.apply(&data).unwrap();
        let parts = split_statistics(&data, &splits).unwrap();
        assert_eq!((parts[1].0.as_str(), parts[1].1.items, parts[1].1.rows), ("test", Some(1), 2));
        assert_eq!(s.scenarios, []);

        data.schema.scenarios = vec!["a".into(), "b".into()];
        data.scenario = vec![1, 1, 0, 1];
        data.labels[0] = vec![0, 1, 1, 1];
        let s = statistics(&data).unwrap();
        let of = |s: &Statistics| (s.rows, s.items, s.positive_rate[0], s.time);
        assert_eq!(of(&s), (4, Some(2), 0.75, Some((2, 9))));
        assert_eq!(
            s.scenarios.iter().map(of).collect::<Vec<_>>(),
            [(1, Some(1), 1.0, Some((2, 2))), (3, Some(2), 2.0 / 3.0, Some((3, 9))),]
        );
        let parts = split_statistics(&data, &splits).unwrap();
        assert_eq!(parts[0].1.scenarios.iter().map(|s| s.rows).collect::<Vec<_>>(), [0, 2]);
    }
}
