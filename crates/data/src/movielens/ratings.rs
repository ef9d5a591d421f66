//! `ratings.dat` and `u.data`: user, movie, rating, time.
use super::{Layout, MAX_ID, Movies, Users};
use crate::ids::TIMES;
use crate::text::{Bad, Fields, parse_lines};
use crate::{Error, Result};
use std::path::Path;

/// Who rated what and when, in file order.
#[derive(Clone, Debug, Default)]
pub struct Ratings {
    /// Raw user id.
    pub user: Vec<u32>,
    /// Raw movie id.
    pub movie: Vec<u32>,
    /// 1 to 5.
    pub rating: Vec<u8>,
    /// Seconds since 1970.
    pub time: Vec<i64>,
}

impl Ratings {
    /// Parses the file and checks every row against the users and the movies.
    pub(super) fn parse(
        layout: Layout,
        file: &Path,
        bytes: &[u8],
        users: &Users,
        movies: &Movies,
    ) -> Result<Ratings> {
        let (separator, row): (&[u8], _) = match layout {
            Layout::M1 => (b"::", "UserID::MovieID::Rating::Timestamp"),
            Layout::K100 => (b"\t", "user id TAB item id TAB rating TAB timestamp"),
        };
        let [_, user_file, movie_file] = layout.files();
        let unknown = |column, id, file: &str| Bad {
            column,
            found: format!("\"{id}\""),
            expected: format!("an id that occurs in {file}"),
        };
        let parts = parse_lines(file, bytes, row, |out: &mut Ratings, line| {
            let mut f = Fields::new(line, separator);
            let user = f.number("the user id", 1, MAX_ID)? as u32;
            if users.row(user).is_none() {
                return Err(unknown(1, user, user_file));
            }
            let column = f.column();
            let movie = f.number("the movie id", 1, MAX_ID)? as u32;
            if movies.row(movie).is_none() {
                return Err(unknown(column, movie, movie_file));
            }
            let rating = f.number("the rating", 1, 5)? as u8;
            let time = f.number("the time in seconds since 1970", *TIMES.start(), *TIMES.end())? as i64;
            f.end("the time")?;
            out.user.push(user);
            out.movie.push(movie);
            out.rating.push(rating);
            out.time.push(time);
            Ok(())
        })?;
        let rows = parts.iter().map(Ratings::rows).sum();
        let mut all = Ratings {
            user: Vec::with_capacity(rows),
            movie: Vec::with_capacity(rows),
            rating: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
        };
        for p in &parts {
            all.user.extend_from_slice(&p.user);
            all.movie.extend_from_slice(&p.movie);
            all.rating.extend_from_slice(&p.rating);
            all.time.extend_from_slice(&p.time);
        }
        if let Some((row, earlier)) = all.repeated_pair(users.table_rows(), movies.table_rows()) {
            return Err(Error::Input {
                file: file.into(),
                line: row + 1,
                column: 1,
                found: format!(
                    "a second rating of movie {} by user {} (the first is in line {})",
                    all.movie[row],
                    all.user[row],
                    earlier + 1
                ),
                expected: "one rating per user and movie".into(),
            });
        }
        Ok(all)
    }

    /// Number of ratings.
    pub fn rows(&self) -> usize {
        self.user.len()
    }

    /// The first row whose user and movie stood in an earlier row, with that row.
    fn repeated_pair(&self, user_rows: usize, movie_rows: usize) -> Option<(usize, usize)> {
        // Rows grouped by user (a counting sort keeps them in order); then a stamp per movie says which user rated
        // it last, and where.
        let mut start = vec![0u32; user_rows + 1];
        for u in &self.user {
            start[*u as usize + 1] += 1;
        }
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut by_user = vec![0u32; self.rows()];
        for (row, u) in self.user.iter().enumerate() {
            let place = &mut start[*u as usize];
            by_user[*place as usize] = row as u32;
            *place += 1;
        }
        let mut stamp = vec![(0u32, 0u32); movie_rows]; // User ids start at 1.
        let mut first: Option<(usize, usize)> = None;
        for row in by_user {
            let (user, movie) = (self.user[row as usize], self.movie[row as usize] as usize);
            if stamp[movie].0 == user && first.is_none_or(|(r, _)| (row as usize) < r) {
                first = Some((row as usize, stamp[movie].1 as usize));
            }
            stamp[movie] = (user, row);
        }
        first
    }
}
