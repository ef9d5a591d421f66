//! MovieLens-1M with behaviour sequences: what the user rated well before, oldest first. The users' seven age groups are the
//! scenarios. (The SFPNet sheet's check on real data; no paper has these columns.)
//!
//! A row's behaviours are the user's ratings from [`CLICK_FROM`] on with an earlier time: of ratings given in one second none is
//! a behaviour of another. A movie's genres and year are the item's attributes, and a behaviour's. In every user's own order of
//! time (file order within a second) the last tenth of the ratings tests and the tenth before it validates; a user with fewer
//! than ten has none of either.
use super::{GENRES, OCCUPATIONS, Tables, age::CLICK_FROM, users::AGE_GROUPS};
use crate::view::{Builder, View, gather, ragged};
use crate::{Column, Kind, Part, Pooling, Role, Sequence, Spans, Tokens};
use std::{collections::BTreeSet, sync::Arc};

/// Raised whenever this view makes other columns of the same files: old caches no longer count.
pub(crate) const VERSION: u32 = 1;

/// Names of the scenarios, in the order of [`AGE_GROUPS`].
const AGES: [&str; 7] = ["under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+"];

/// Builds schema, columns and labels; sequences keep the most recent `max_len` behaviours.
pub(crate) fn view(raw: &Tables, max_len: u32) -> View {
    let Tables { ratings, users, movies } = raw;
    let user_row: Vec<u32> =
        ratings.user.iter().map(|u| users.row(*u).expect("checked by the parser") as u32).collect();
    let movie_row: Vec<u32> =
        ratings.movie.iter().map(|m| movies.row(*m).expect("checked by the parser") as u32).collect();
    let years: BTreeSet<Option<u16>> = movies.year.iter().copied().collect();
    let place = |y: &Option<u16>| years.iter().position(|own| own == y).expect("one of them") as u32;
    let year: Vec<u32> = movies.year.iter().map(place).collect();
    let genres: Vec<Vec<u32>> =
        movies.genres.iter().map(|list| list.iter().map(|g| u32::from(*g)).collect()).collect();
    let histories = Histories::new(&user_row, &ratings.time, &ratings.rating);

    use Role::{Item, User};
    let of_user = |values: &[u32]| Column::Id(gather(values, &user_row));
    let mut out = Builder::default();
    out.ids("item_id", Item, Kind::Id, movies.table_rows(), Column::Id(ratings.movie.clone()));
    out.ids("user_id", User, Kind::Id, users.table_rows(), Column::Id(ratings.user.clone()));
    out.ids("gender", User, Kind::Id, 2, of_user(&users.gender));
    out.ids("occupation", User, Kind::Id, OCCUPATIONS.len(), of_user(&users.occupation));
    out.ids("year", Item, Kind::Id, years.len(), Column::Id(gather(&year, &movie_row)));
    out.ids("genres", Item, Kind::Bag(Pooling::Mean), GENRES.len(), ragged(&movie_row, &genres));
    let group = |age: &u32| AGE_GROUPS.iter().position(|a| a == age).expect("the parser knows these") as u16;
    let groups: Vec<u16> = users.age.iter().map(group).collect();
    let scenario = gather(&groups, &user_row);
    let ids = scenario.iter().map(|s| u32::from(*s)).collect();
    out.ids("age", Role::Scenario, Kind::Id, AGES.len(), Column::Id(ids));

    let movies_of = gather(&movie_row, &histories.rows);
    let plain = |values| Tokens { values, ..Tokens::default() };
    let tokens = [
        ("items", "item_id", plain(gather(&ratings.movie, &histories.rows))),
        ("years", "year", plain(gather(&year, &movies_of))),
        ("genres", "genres", mean(&movies_of, &genres)),
    ];
    let spans = Arc::new(histories.spans);
    for (name, table, tokens) in tokens {
        let sequence = Sequence { spans: spans.clone(), tokens };
        out.sequence(&format!("behaviours.{name}"), table, max_len, sequence);
    }
    let click = ratings.rating.iter().map(|r| u8::from(*r >= CLICK_FROM)).collect();
    let view = out.view([("click", click)]).with_time(ratings.time.clone());
    let view = view.with_scenarios(AGES.map(String::from).to_vec(), scenario);
    View { part: Some(histories.part), ..view }
}

/// Tokens of several ids each, weighted so that their sum is a mean.
fn mean(rows: &[u32], lists: &[Vec<u32>]) -> Tokens {
    let Column::Ragged { offsets, values, .. } = ragged(rows, lists) else { unreachable!("ragged") };
    let weights = offsets.windows(2).flat_map(|ends| {
        let n = (ends[1] - ends[0]) as usize;
        std::iter::repeat_n(1.0 / n.max(1) as f32, n)
    });
    Tokens {
        weights: Some(weights.collect()),
        offsets: Some(offsets.iter().map(|o| *o as u32).collect()),
        values,
    }
}

/// What users did before, and which of their ratings test.
struct Histories {
    /// Rows that are behaviours, user by user, in order of time.
    rows: Vec<u32>,
    /// Which of them belong to each row.
    spans: Spans,
    part: Vec<Part>,
}

impl Histories {
    fn new(user: &[u32], time: &[i64], rating: &[u8]) -> Self {
        let n = user.len();
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_by_key(|r| (user[*r as usize], time[*r as usize])); // Stable: file order within a second.
        let mut rows = Vec::new();
        let (mut start, mut end) = (vec![0; n], vec![0; n]);
        let mut part = vec![Part::Train; n];
        for own in order.chunk_by(|a, b| user[*a as usize] == user[*b as usize]) {
            let first = rows.len() as u32;
            for second in own.chunk_by(|a, b| time[*a as usize] == time[*b as usize]) {
                for r in second {
                    (start[*r as usize], end[*r as usize]) = (first, rows.len() as u32);
                }
                rows.extend(second.iter().filter(|r| rating[**r as usize] >= CLICK_FROM));
            }
            let tenth = own.len() / 10;
            for (place, r) in own.iter().rev().enumerate() {
                part[*r as usize] = match place {
                    p if p < tenth => Part::Test,
                    p if p < 2 * tenth => Part::Valid,
                    _ => Part::Train,
                };
            }
        }
        Self { rows, spans: Spans { start, end }, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviours_are_earlier_ratings_of_the_same_user() {
        // User 0: rows 0, 2, 3, 5 at 10, 20, 20, 30; user 1: rows 1, 4 at 5, 1.
        let user = [0, 1, 0, 0, 1, 0];
        let time = [10, 5, 20, 20, 1, 30];
        let rating = [5, 4, 4, 3, 5, 1];
        let histories = Histories::new(&user, &time, &rating);
        let of = |r: usize| {
            let (start, end) = (histories.spans.start[r] as usize, histories.spans.end[r] as usize);
            histories.rows[start..end].to_vec()
        };
        let all: Vec<Vec<u32>> = (0..6).map(of).collect();
        assert_eq!(all, [vec![], vec![4], vec![0], vec![0], vec![], vec![0, 2]]);
        assert_eq!(histories.part, [Part::Train; 6]);
    }

    #[test]
    fn a_users_last_ratings_test() {
        let time: Vec<i64> = (0..25).map(|r| (r * 7) % 25).collect();
        let part = Histories::new(&[3; 25], &time, &[4; 25]).part;
        for (t, p) in time.iter().zip(part) {
            let expected = match t {
                23..25 => Part::Test,
                21..23 => Part::Valid,
                _ => Part::Train,
            };
            assert_eq!(p, expected, "{t}");
        }
    }
}
