//! MovieLens-1M with behaviour sequences: what the user rated well before, oldest first. The users' seven age groups are the
//! scenarios. (The SFPNet sheet's check on real data; no paper has these columns.)
//!
//! A row's behaviours are the user's ratings from `CLICK_FROM` on with an earlier time: of ratings given in one second none is
//! a behaviour of another. A movie's genres and year are the item's attributes, and a behaviour's. In every user's own order of
//! time (file order within a second) the last tenth of the ratings tests and the tenth before it validates; a user with fewer
//! than ten has none of either.
use super::{GENRES, Layout, OCCUPATIONS, OUTCOMES, Tables, age::CLICK_FROM, parse, users::AGE_GROUPS};
use crate::config::LoaderKeys;
use crate::config::values::check_max_len;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::sequence::{Earlier, by_user};
use crate::simulate::{Movielens, Simulator};
use crate::view::{Builder, Loaded, View, gather, ragged};
use crate::{Checked, Column, Kind, Loader, Part, Pooling, Result, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Raised whenever this view makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// Names of the scenarios, in the order of [`AGE_GROUPS`].
const AGES: [&str; 7] = ["under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+"];

/// What is made of the files, MovieLens-1M's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How many behaviours of a row are kept, the most recent ones.
    pub max_len: u32,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        check_max_len(self.max_len)?;
        Ok(Loader::MovielensSequence(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &OUTCOMES
    }

    fn simulator(&self) -> Simulator {
        Simulator::Movielens(Movielens { layout: Layout::M1, positive_from: CLICK_FROM })
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view(&parse(Layout::M1, raw)?, self.max_len)))
    }
}

/// Builds schema, columns and labels; sequences keep the most recent `max_len` behaviours.
fn view(raw: &Tables, max_len: u32) -> View {
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

    let earlier = Earlier::new(&user_row, &ratings.time, |r| ratings.rating[r] >= CLICK_FROM);
    out.behaviours(&["item_id", "year", "genres"], earlier, max_len);
    let click = ratings.rating.iter().map(|r| u8::from(*r >= CLICK_FROM)).collect();
    let view = out.view([("click", click)]).with_time(ratings.time.clone());
    let view = view.with_scenarios(AGES.map(String::from).to_vec(), scenario);
    view.with_part(parts(&user_row, &ratings.time))
}

/// The last tenth of every user's rows tests, the tenth before it validates.
fn parts(user: &[u32], time: &[i64]) -> Vec<Part> {
    let mut part = vec![Part::Train; user.len()];
    for own in by_user(user, time).chunk_by(|a, b| user[*a as usize] == user[*b as usize]) {
        let tenth = own.len() / 10;
        for (place, r) in own.iter().rev().enumerate() {
            part[*r as usize] = match place {
                p if p < tenth => Part::Test,
                p if p < 2 * tenth => Part::Valid,
                _ => Part::Train,
            };
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_last_ratings_test() {
        let time: Vec<i64> = (0..25).map(|r| (r * 7) % 25).collect();
        for (t, p) in time.iter().zip(parts(&[3; 25], &time)) {
            let expected = match t {
                23..25 => Part::Test,
                21..23 => Part::Valid,
                _ => Part::Train,
            };
            assert_eq!(p, expected, "{t}");
        }
        assert_eq!(parts(&[0, 1, 0], &[1, 2, 3]), [Part::Train; 3]);
    }
}
