//! Item cold start as CVAR and CSDM split it (CSDM, "Experimental settings"; the exact rule is CVAR's program).
//!
//! Items with more than N rows are old, their rows are `train_base`. Items with 3K to N rows are new: in order of
//! time their rows 1..K are `warm_a`, the next K `warm_b`, the next K `warm_c`, the rest `test`. Items with fewer
//! rows are dropped. Every part is then in order of time. All sorts are stable.
use super::Splits;
use crate::sort::by_time;
use crate::view::gather;
use rayon::prelude::*;

const PARTS: [&str; 5] = ["train_base", "warm_a", "warm_b", "warm_c", "test"];

pub(super) fn split(items: &[u32], time: &[i64], n: usize, k: usize) -> Result<Splits, String> {
    let (count, in_time) = rayon::join(|| counts(items), || by_time(time));
    let item_of = gather(items, &in_time);

    // Rows are dealt out in order of time, so every part comes out sorted, and the k-th row of an item is its k-th
    // in time: the same as sorting each item's rows, since both sorts are stable.
    // By item: how many rows there are, and how many of them were seen.
    let mut of_item: Vec<(usize, usize)> = count.iter().map(|n| (*n, 0)).collect();
    let mut lists: [Vec<u32>; 5] = Default::default();
    let mut dropped = Vec::new();
    for (row, item) in in_time.into_iter().zip(item_of) {
        let (count, seen) = &mut of_item[item as usize];
        if *count > n {
            lists[0].push(row);
        } else if *count >= 3 * k {
            lists[(1 + *seen / k).min(4)].push(row);
            *seen += 1;
        } else {
            dropped.push(row);
        }
    }
    let largest = count.iter().max().copied().unwrap_or(0);
    if lists[0].is_empty() {
        return Err(format!("no item has more than {n} rows (the largest has {largest})"));
    }
    if lists[1].is_empty() {
        return Err(format!("no item has between {} and {n} rows", 3 * k));
    }
    if lists[4].is_empty() {
        return Err(format!("no new item has more than {} rows, so nothing is left to test on", 3 * k));
    }
    let parts = PARTS.into_iter().map(String::from).zip(lists).collect();
    Ok(Splits { parts, dropped })
}

/// The promise: items are old, new or dropped by their number of rows; every new item has exactly K rows in each
/// warm-up part; no row of a part is later than one of the same item in the next part; parts are in order of time.
pub(super) fn check(splits: &Splits, items: &[u32], time: &[i64], n: usize, k: usize) -> Result<(), String> {
    let count = counts(items);
    let rows = |name: &str| splits.get(name).ok_or_else(|| format!("part {name} is missing"));
    let of = |row: &u32| items[*row as usize] as usize;
    let old = || match rows("train_base")?.par_iter().map(of).find_first(|item| count[*item] <= n) {
        Some(item) => Err(format!("item {item} with {} rows is in train_base, N is {n}", count[item])),
        None => Ok(()),
    };
    let few = || match splits.dropped.par_iter().map(of).find_first(|item| count[*item] >= 3 * k) {
        Some(item) => {
            Err(format!("item {item} with {} rows was dropped, the limit is {}", count[item], 3 * k))
        }
        None => Ok(()),
    };
    let new = || check_new(&rows, &count, items, time, n, k);
    let (old, (few, new)) = rayon::join(old, || rayon::join(few, new));
    old.and(new).and(few)
}

/// What is promised of new items.
fn check_new<'a>(
    rows: &impl Fn(&str) -> Result<&'a [u32], String>,
    count: &[usize],
    items: &[u32],
    time: &[i64],
    n: usize,
    k: usize,
) -> Result<(), String> {
    let mut latest = vec![i64::MIN; count.len()];
    for name in &PARTS[1..] {
        let mut here = vec![0usize; count.len()];
        let mut last = i64::MIN;
        let mut newest = latest.clone();
        for r in rows(name)? {
            let (item, t) = (items[*r as usize] as usize, time[*r as usize]);
            if count[item] > n || count[item] < 3 * k {
                return Err(format!(
                    "item {item} with {} rows is in {name}, new are {} to {n}",
                    count[item],
                    3 * k
                ));
            }
            if t < latest[item] {
                return Err(format!(
                    "item {item} has a row at {t} in {name}, earlier than one in the part before"
                ));
            }
            if t < last {
                return Err(format!("{name} is not in order of time: {t} after {last}"));
            }
            last = t;
            newest[item] = newest[item].max(t);
            here[item] += 1;
        }
        latest = newest;
        for (item, c) in count.iter().enumerate() {
            let want = match (3 * k..=n).contains(c) {
                false => 0,
                true if *name == "test" => c - 3 * k,
                true => k,
            };
            if here[item] != want {
                return Err(format!("item {item} has {} rows in {name}, {want} are promised", here[item]));
            }
        }
    }
    Ok(())
}

fn counts(items: &[u32]) -> Vec<usize> {
    let mut count = vec![0; items.iter().max().map_or(0, |m| *m as usize + 1)];
    for i in items {
        count[*i as usize] += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitPlan;
    use crate::testing::dataset;

    /// The rule as the released program states it: item by item, then a sort of each part.
    fn reference(items: &[u32], time: &[i64], n: usize, k: usize) -> [Vec<u32>; 5] {
        let mut out: [Vec<u32>; 5] = Default::default();
        for item in 0..=*items.iter().max().unwrap() {
            let mut rows: Vec<u32> = (0..items.len() as u32).filter(|r| items[*r as usize] == item).collect();
            if rows.len() > n {
                out[0].extend(&rows);
            } else if rows.len() >= 3 * k {
                rows.sort_by_key(|r| time[*r as usize]);
                for (i, r) in rows.iter().enumerate() {
                    out[(1 + i / k).min(4)].push(*r);
                }
            }
        }
        for part in &mut out {
            part.sort_by_key(|r| (time[*r as usize], *r));
        }
        out
    }

    #[test]
    fn as_the_rule_says() {
        // Items with 1 to 12 rows, times with many ties.
        let items: Vec<u32> = (1..=12).flat_map(|c| vec![c; c as usize]).collect();
        let time: Vec<i64> = (0..items.len() as i64).map(|i| (i * 7) % 5).collect();
        let data = dataset(&items, &time);
        let splits = SplitPlan::ColdItem { threshold: 9, k: 2 }.apply(&data).unwrap();
        for (part, want) in splits.parts.iter().zip(reference(&items, &time, 9, 2)) {
            assert_eq!(part.1, want, "{}", part.0);
        }
        let sizes: Vec<usize> = splits.parts.iter().map(|p| p.1.len()).collect();
        assert_eq!(sizes, [10 + 11 + 12, 8, 8, 8, 1 + 2 + 3]); // Items 6 to 9 are new; 6 leaves no test row.
        assert_eq!(splits.dropped.len(), 1 + 2 + 3 + 4 + 5);
    }

    #[test]
    fn an_impossible_split_says_why() {
        let data = dataset(&[1, 1, 1, 2], &[0; 4]);
        let message = |n, k| SplitPlan::ColdItem { threshold: n, k }.apply(&data).unwrap_err().to_string();
        assert!(message(3, 1).ends_with("no item has more than 3 rows (the largest has 3)"));
        assert!(message(2, 1).ends_with("no item has between 3 and 2 rows"));
    }

    #[test]
    fn the_check_sees_a_row_in_the_wrong_part() {
        let items = [1, 1, 1, 1, 2, 2, 2, 2, 2];
        let time = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        let mut splits = split(&items, &time, 4, 1).unwrap();
        check(&splits, &items, &time, 4, 1).unwrap();
        let (a, b) = (splits.parts[1].1[0], splits.parts[2].1[0]);
        splits.parts[1].1[0] = b;
        splits.parts[2].1[0] = a;
        assert!(
            check(&splits, &items, &time, 4, 1).unwrap_err().contains("earlier than one in the part before")
        );
    }
}
