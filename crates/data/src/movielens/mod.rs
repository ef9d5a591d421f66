//! MovieLens: the raw tables of both official layouts, and what papers make of them.
//!
//! [`parse`] gives the raw tables, with ids, codes and texts as they stand in the files; `csdm` turns them into the
//! columns that CVAR and CSDM use, `age` into those of M3oE, `sequence` into those of models with behaviour sequences.
pub mod age;
pub mod csdm;
mod movies;
mod ratings;
pub mod sequence;
mod users;

pub use age::RowOrder;
pub use movies::{GENRES, Movies};
pub use ratings::Ratings;
pub use users::{AGE_GROUPS, OCCUPATIONS, Users};

use crate::Result;
use crate::raw::RawFiles;
use serde::{Deserialize, Serialize};

/// Raised whenever the parsers or `csdm` make other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// The two official layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// MovieLens-1M: `ratings.dat`, `users.dat`, `movies.dat`, fields separated by `::`.
    #[serde(rename = "1m")]
    M1,
    /// MovieLens-100K: `u.data` (tabulators), `u.user` and `u.item` (`|`).
    #[serde(rename = "100k")]
    K100,
}

impl Layout {
    /// Names of the files with the ratings, the users and the movies.
    pub const fn files(self) -> [&'static str; 3] {
        match self {
            Layout::M1 => ["ratings.dat", "users.dat", "movies.dat"],
            Layout::K100 => ["u.data", "u.user", "u.item"],
        }
    }
}

/// Columns that say what came of the row.
const OUTCOMES: [&str; 1] = ["rating"];

/// The raw tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Who rated what, in file order.
    pub ratings: Ratings,
    /// The users, in file order.
    pub users: Users,
    /// The movies, in file order.
    pub movies: Movies,
}

/// Parses the three files of a raw folder.
///
/// # Errors
/// Bytes that are not in the official format, with file, line and column; users or movies of a rating that the tables lack.
pub fn parse(layout: Layout, raw: &RawFiles) -> Result<Tables> {
    let [ratings, users, movies] = layout.files().map(|name| raw.file(name));
    let users = Users::parse(layout, &users.path, &users.bytes)?;
    let movies = Movies::parse(layout, &movies.path, &movies.bytes)?;
    let ratings = Ratings::parse(layout, &ratings.path, &ratings.bytes, &users, &movies)?;
    Ok(Tables { ratings, users, movies })
}

/// The largest user or movie id that is taken for an id: tables have a row per possible id.
const MAX_ID: u64 = 50_000_000;
