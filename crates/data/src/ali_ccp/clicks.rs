//! Behaviours in the sense of the paper, items that the user clicked: the clicks of the training file itself.
//!
//! How sample numbers follow time is not documented. Here a common row is a moment from its first impression to its last, and a
//! row's behaviours are the clicks of its user in moments that were over when its own began. Clicks of validation and test
//! rows are nobody's behaviours, so that a test row has those of all of its user's training rows.
use crate::Spans;

/// The first and the last row of every common row.
pub(super) struct Moments(Vec<(u32, u32)>);

impl Moments {
    /// Of so many common rows, which have no rows yet.
    pub fn new(common: usize) -> Moments {
        Moments(vec![(u32::MAX, 0); common])
    }

    /// The next row, and what it is of.
    pub fn add(&mut self, row: u32, common: u32) {
        let (first, last) = &mut self.0[common as usize];
        *first = (*first).min(row);
        *last = row;
    }
}

/// A row with a click that trains.
#[derive(Clone, Copy)]
pub(super) struct Click {
    pub row: u32,
    pub common: u32,
}

/// The places of the clicks in the order in which they are behaviours, and which of them each common row's impressions have.
/// `user` is a raw id for every common row, 0 where it is missing.
pub(super) fn earlier(user: &[u32], Moments(moments): &Moments, clicks: &[Click]) -> (Vec<u32>, Spans) {
    let end_of = |place: &u32| {
        let Click { row, common } = clicks[*place as usize];
        (user[common as usize], moments[common as usize].1, row)
    };
    let mut order: Vec<u32> = (0..clicks.len() as u32).collect();
    order.sort_unstable_by_key(end_of);
    let before = |user: u32, time: u32| order.partition_point(|c| end_of(c) < (user, time, 0)) as u32;
    let span = |(user, (first, _)): (&u32, &(u32, u32))| match user {
        0 => (0, 0),
        _ => (before(*user, 0), before(*user, *first)),
    };
    let (start, end) = user.iter().zip(moments).map(span).unzip();
    (order, Spans { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Part;

    #[test]
    fn clicks_of_moments_that_are_over() {
        use Part::{Test, Train, Valid};
        // Moments 0, 1, 2, 3 and 6 are user 7's, 4 is user 5's, 5 and 7 are of users that are not known.
        let user = [7, 7, 7, 7, 5, 0, 7, 0];
        let part = [Train, Train, Valid, Train, Train, Train, Test, Test];
        // Moment 1 begins before 0 is over; 2 validates.
        let common = [0, 1, 0, 1, 2, 4, 5, 3, 3, 6, 7, 6];
        let click = [1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0];
        let mut moments = Moments::new(user.len());
        common.iter().enumerate().for_each(|(row, common)| moments.add(row as u32, *common));
        let counts = |row: &usize| click[*row] == 1 && part[common[*row] as usize] == Train;
        let clicks: Vec<Click> = (0..common.len())
            .filter(counts)
            .map(|row| Click { row: row as u32, common: common[row] })
            .collect();
        let (order, spans) = earlier(&user, &moments, &clicks);
        let of = |r: usize| -> Vec<u32> {
            let own = spans.start[common[r] as usize] as usize..spans.end[common[r] as usize] as usize;
            order[own].iter().map(|place| clicks[*place as usize].row).collect()
        };
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
