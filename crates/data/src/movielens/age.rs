//! MovieLens-1M as M3oE sees it (M3oE, section 4.1; features and row order are those of its released program).
//!
//! The users' age groups make three domains, `CLICK_FROM` and `LIKE_FROM` two tasks. Seven id fields, each numbered
//! by first appearance over all rows in file order, and the age code, min-max scaled. Of a movie's genres only the first
//! counts; titles and times are left out.
use super::{Layout, OUTCOMES, Tables, parse};
use crate::config::LoaderKeys;
use crate::ids::Dense;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::{Movielens, Simulator};
use crate::view::{Builder, Chosen, Loaded, View, gather, min_max};
use crate::{Checked, Column, Kind, Loader, Result, Role};
use serde::{Deserialize, Serialize};

/// Raised whenever this view makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// Ratings from here on are positive for the task `click`.
pub(crate) const CLICK_FROM: u8 = 4;
/// Ratings from here on are positive for the task `like`.
const LIKE_FROM: u8 = 5;

/// The age codes of each domain.
const DOMAINS: [&[u32]; 3] = [&[1, 18], &[25], &[35, 45, 50, 56]];

/// In which order the rows are; it matters where a split goes by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// As in `ratings.dat`.
    File,
    /// As in the table that M3oE's released program reads, a join of the three files: grouped by user, the users in the
    /// order in which they appear when the ratings are walked movie by movie, the movies in order of first appearance.
    Joined,
}

/// What is made of the files, MovieLens-1M's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// In which order the rows are.
    pub order: RowOrder,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        Ok(Loader::MovielensAge(self))
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
        Ok(Loaded::View(view(&parse(Layout::M1, raw)?, self.order)))
    }
}

/// Builds schema, columns and labels.
fn view(raw: &Tables, order: RowOrder) -> View {
    let Tables { ratings, users, movies } = raw;
    let (user, movie) = (Dense::new(&ratings.user), Dense::new(&ratings.movie));
    // Per user and per movie once, in order of first appearance; per row only look-ups.
    let user_row: Vec<usize> =
        user.raw.iter().map(|id| users.row(*id).expect("checked by the parser")).collect();
    let movie_row: Vec<usize> =
        movie.raw.iter().map(|id| movies.row(*id).expect("checked by the parser")).collect();
    let rows = match order {
        RowOrder::File => (0..ratings.rows() as u32).collect(),
        RowOrder::Joined => joined(&user, &movie),
    };
    let (of_user, of_movie) = (gather(&user.ids, &rows), gather(&movie.ids, &rows));

    // Equal zip codes get the row of the first user who has them, which is then numbered like any other value.
    let mut first = std::collections::HashMap::new();
    let zip: Vec<u32> =
        user_row.iter().map(|row| *first.entry(&users.zip[*row]).or_insert(*row as u32)).collect();
    let domain: Vec<u16> = user_row.iter().map(|row| domain(users.age[*row])).collect();
    let age = min_max(user_row.iter().map(|row| f64::from(users.age[*row])));
    let of_users = |column: &[u32]| user_row.iter().map(|row| column[*row]).collect::<Vec<u32>>();
    let genre: Vec<u32> = movie_row.iter().map(|row| u32::from(movies.genres[*row][0])).collect();

    let mut out = Builder::default();
    let mut of = |name: &str, role, values: &[u32], rows: &[u32]| {
        let dense = Dense::new(values);
        out.ids(name, role, Kind::Id, dense.len(), Column::Id(gather(&dense.ids, rows)));
    };
    of("user_id", Role::User, &user.raw, &of_user);
    of("item_id", Role::Item, &movie.raw, &of_movie);
    of("gender", Role::User, &of_users(&users.gender), &of_user);
    of("occupation", Role::User, &of_users(&users.occupation), &of_user);
    of("zip_code", Role::User, &zip, &of_user);
    of("genre", Role::Item, &genre, &of_movie);
    let scenario = gather(&domain, &of_user);
    let domains = Column::Id(scenario.iter().map(|d| u32::from(*d)).collect());
    out.ids("domain", Role::Scenario, Kind::Id, DOMAINS.len(), domains);
    out.real("age", Role::User, gather(&age, &of_user));

    let label = |from: u8| rows.iter().map(|row| u8::from(ratings.rating[*row as usize] >= from)).collect();
    let view = out.view([("click", label(CLICK_FROM)), ("like", label(LIKE_FROM))]);
    let names = (1..=DOMAINS.len()).map(|n| n.to_string()).collect();
    let chosen = Some(Chosen { of: ratings.rows(), rows });
    View { chosen, ..view.with_scenarios(names, scenario) }
}

/// The domain of an age code.
fn domain(age: u32) -> u16 {
    DOMAINS.iter().position(|codes| codes.contains(&age)).expect("the parser knows these codes only") as u16
}

/// The rows in [`RowOrder::Joined`]. Ids in order of first appearance are ranks already.
fn joined(user: &Dense, movie: &Dense) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..user.ids.len() as u32).collect();
    rows.sort_by_key(|row| movie.ids[*row as usize]); // Stable: file order within a movie.
    let rank = Dense::new(&gather(&user.ids, &rows)).ids;
    let mut by_rank: Vec<(u32, u32)> = rank.into_iter().zip(rows).collect();
    by_rank.sort_by_key(|(rank, _)| *rank); // Stable: the movies' order within a user.
    by_rank.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_joined_as_the_released_program_does() {
        // User 7 rates movies 5 and 4, user 8 movies 6 and 4, user 9 movie 5, and user 7 movie 6 in the end.
        let user = Dense::new(&[7, 7, 8, 8, 9, 7]);
        let movie = Dense::new(&[5, 4, 6, 4, 5, 6]);
        // Movie by movie: 5 by users 7 and 9, 4 by users 7 and 8, 6 by users 8 and 7. So the users are 7, 9, 8.
        assert_eq!(joined(&user, &movie), [0, 1, 5, 4, 3, 2]);
    }

    #[test]
    fn every_age_code_has_a_domain() {
        assert_eq!(super::super::AGE_GROUPS.map(domain), [0, 0, 1, 2, 2, 2, 2]);
    }
}
