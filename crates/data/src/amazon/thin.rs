//! Which rows of the cold domain are kept.
use crate::Part;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Which rows of Beauty are kept, so that it is a cold domain. A user's latest rows are those with the latest
/// times, and of equal times those further down in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thin {
    /// The two latest of every user in each part of the split, three of the user of the part's first line. This
    /// makes the 62,455 rows of Diff-MSR's Table 3, to within those three, and is how its Douban files were made;
    /// it is not confirmed.
    TwoPerPart,
    /// The three latest of every user, before the split, as the paper's text says. Of the 5-core these are 67,089
    /// rows.
    ThreePerUser,
    /// All: Beauty is no cold domain.
    None,
}

impl Thin {
    /// The kept ones of these rows, in file order.
    pub fn kept(self, user: &[u32], time: &[i64], part: &[Part]) -> Vec<u32> {
        let n = user.len() as u32;
        match self {
            Thin::None => (0..n).collect(),
            Thin::ThreePerUser => latest((0..n).collect(), user, time, |_| 3),
            Thin::TwoPerPart => {
                let mut kept: Vec<u32> = Part::ALL
                    .iter()
                    .flat_map(|of| {
                        let rows: Vec<u32> = (0..n).filter(|row| part[*row as usize] == *of).collect();
                        let first = rows.first().map(|row| user[*row as usize]);
                        latest(rows, user, time, |user| if Some(user) == first { 3 } else { 2 })
                    })
                    .collect();
                kept.sort_unstable();
                kept
            }
        }
    }
}

/// Of each user's rows the `most(user)` latest, in file order.
fn latest(mut rows: Vec<u32>, user: &[u32], time: &[i64], most: impl Fn(u32) -> usize) -> Vec<u32> {
    rows.sort_unstable_by_key(|row| (user[*row as usize], Reverse((time[*row as usize], *row))));
    let by_user = rows.chunk_by(|a, b| user[*a as usize] == user[*b as usize]);
    let mut kept: Vec<u32> =
        by_user.flat_map(|rows| rows.iter().take(most(user[rows[0] as usize]))).copied().collect();
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_rows() {
        //          row: 0  1  2  3  4  5  6  7  8  9
        let user: [u32; 10] = [7, 7, 3, 7, 7, 3, 3, 3, 7, 3];
        let time: [i64; 10] = [5, 1, 2, 5, 2, 2, 9, 9, 9, 2];
        let part = time.map(|t| if t < 9 { Part::Train } else { Part::Test });
        let kept = |thin: Thin| thin.kept(&user, &time, &part);
        // Training: user 7 comes first and keeps three (times 5 5 2), user 3 the later two of its three at time 2.
        // Test: user 3 comes first and has two only.
        assert_eq!(kept(Thin::TwoPerPart), [0, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(kept(Thin::ThreePerUser), [0, 3, 6, 7, 8, 9]);
        assert_eq!(kept(Thin::None).len(), 10);
    }
}
