//! Behaviours in the sense of the paper, items that the user clicked: the clicks of the training file itself.
//!
//! How sample numbers follow time is not documented. Here a common row is a moment from its first impression to its last, and a
//! row's behaviours are the clicks of its user in moments that were over when its own began. Clicks of validation and test
//! rows are nobody's behaviours, so that a test row has those of all of its user's training rows.
use crate::Part;
use crate::sequence::{Earlier, Spans};
use crate::view::gather;

/// The behaviours of every row. `user` (a raw id, 0 where it is missing) and `part` go by common row, `common` and `click` by
/// row, test rows after training ones.
pub(super) fn earlier(user: &[u32], part: &[Part], common: &[u32], click: &[u8]) -> Earlier {
    let mut moments = vec![(u32::MAX, 0); user.len()];
    for (row, moment) in common.iter().enumerate() {
        let (first, last) = &mut moments[*moment as usize];
        *first = (*first).min(row as u32);
        *last = row as u32;
    }
    let end_of = |row: u32| {
        let moment = common[row as usize] as usize;
        (user[moment], moments[moment].1, row)
    };
    let counts = |row: &u32| click[*row as usize] == 1 && part[common[*row as usize] as usize] == Part::Train;
    let mut rows: Vec<u32> = (0..common.len() as u32).filter(counts).collect();
    rows.sort_unstable_by_key(|row| end_of(*row));
    let before = |user: u32, time: u32| rows.partition_point(|row| end_of(*row) < (user, time, 0)) as u32;
    let span = |(user, (first, _)): (&u32, &(u32, u32))| match user {
        0 => (0, 0),
        _ => (before(*user, 0), before(*user, *first)),
    };
    let (start, end): (Vec<u32>, Vec<u32>) = user.iter().zip(&moments).map(span).unzip();
    Earlier { spans: Spans { start: gather(&start, common), end: gather(&end, common) }, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_of_moments_that_are_over() {
        use Part::{Test, Train, Valid};
        // Moments 0, 1, 2, 3 and 6 are user 7's, 4 is user 5's, 5 and 7 are of users that are not known.
        let user = [7, 7, 7, 7, 5, 0, 7, 0];
        let part = [Train, Train, Valid, Train, Train, Train, Test, Test];
        // Moment 1 begins before 0 is over; 2 validates.
        let common = [0, 1, 0, 1, 2, 4, 5, 3, 3, 6, 7, 6];
        let click = [1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0];
        let Earlier { rows, spans } = earlier(&user, &part, &common, &click);
        let of = |r: usize| rows[spans.start[r] as usize..spans.end[r] as usize].to_vec();
        let own = [0, 2, 1].to_vec(); // By the ends of their moments.
        let all: Vec<Vec<u32>> = (0..common.len()).map(of).collect();
        let mut wanted = vec![vec![]; 12];
        for r in [4, 7, 8] {
            wanted[r] = own.clone();
        }
        for r in [9, 11] {
            wanted[r] = [own.clone(), vec![7]].concat();
        }
        assert_eq!(all, wanted);
    }
}
