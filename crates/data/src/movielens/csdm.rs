//! MovieLens as CVAR and CSDM see it (CSDM, "Datasets"; the preprocessing is that of the CVAR programs).
//!
//! Fields in the order of the released programs, the item id first. Titles and genres are bags whose padding, id 0,
//! is summed too ([`Pooling::SumPadded`]); the first title word has id 0 as well, as in those programs.
//! `time_stamp` and `count` are min-max scaled over all rows.
use super::{GENRES, Layout, OCCUPATIONS, OUTCOMES, Tables, VERSION, parse};
use crate::config::LoaderKeys;
use crate::ids::counts;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::{Movielens, Simulator};
use crate::view::{Builder, Loaded, View, gather, min_max, ragged};
use crate::{Checked, Column, CountRows, Kind, Loader, Pooling, Result, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The released programs pad genres to this length.
const GENRES_LEN: usize = 6;

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Layout of the raw files.
    pub layout: Layout,
    /// Ratings from here on are clicks.
    pub positive_from: u8,
    /// Which rows the item count counts.
    pub count: CountRows,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        if !(2..=5).contains(&self.positive_from) {
            return Err(("positive_from", format!("{} should be a rating from 2 to 5", self.positive_from)));
        }
        Ok(Loader::Movielens(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &OUTCOMES
    }

    fn count(&self) -> Option<CountRows> {
        Some(self.count)
    }

    fn simulator(&self) -> Simulator {
        Simulator::Movielens(Movielens { layout: self.layout, positive_from: self.positive_from })
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view(&parse(self.layout, raw)?, self.positive_from)))
    }
}

/// Builds schema, columns and labels; ratings from `positive_from` on are clicks.
fn view(raw: &Tables, positive_from: u8) -> View {
    let Tables { ratings, users, movies } = raw;

    // Per user and per movie once; per row only look-ups.
    let user_row: Vec<u32> = ratings.user.iter().map(|u| users.row(*u).unwrap() as u32).collect();
    let movie_row: Vec<u32> = ratings.movie.iter().map(|m| movies.row(*m).unwrap() as u32).collect();
    let count = counts(&movie_row, movies.id.len());
    let rated: Vec<usize> = (0..count.len()).filter(|m| count[*m] > 0).collect();

    let mut zips = Index::default();
    let zip: Vec<u32> = users.zip.iter().map(|z| zips.id(z)).collect();

    // Sorted, so that a missing year (100K) comes first.
    let years: BTreeSet<Option<u16>> = rated.iter().map(|m| movies.year[*m]).collect();
    let year_id: HashMap<Option<u16>, u32> = years.iter().zip(0..).map(|(y, i)| (*y, i)).collect();
    let year: Vec<u32> = movies.year.iter().map(|y| year_id.get(y).copied().unwrap_or(0)).collect();

    let mut words = Index::default();
    let mut title = vec![Vec::new(); movies.id.len()];
    for m in &rated {
        title[*m] = title_words(movies.name(*m)).map(|w| words.id(w)).collect();
    }
    let title_len = title.iter().map(Vec::len).max().unwrap_or(0);

    let mut genre_ids = Index::default();
    let genres: Vec<Vec<u32>> = movies
        .genres
        .iter()
        .map(|list| list.iter().map(|g| 1 + genre_ids.id(GENRES[*g as usize])).collect())
        .collect();
    let genres_len = genres.iter().map(Vec::len).max().unwrap_or(0).max(GENRES_LEN);

    let of_user = |values: &[u32]| Column::Id(gather(values, &user_row));
    let of_movie = |values: &[u32]| Column::Id(gather(values, &movie_row));
    let largest = |values: &[u32]| values.iter().max().map_or(0, |m| *m as usize) + 1;
    let bag = |len| Kind::Bag(Pooling::SumPadded { len: len as u32 });

    use Role::{Context, Item, User};
    let mut out = Builder::default();
    out.ids("item_id", Item, Kind::Id, movies.table_rows(), Column::Id(ratings.movie.clone()));
    out.ids("user_id", User, Kind::Id, users.table_rows(), Column::Id(ratings.user.clone()));
    out.ids("gender", User, Kind::Id, 2, of_user(&users.gender));
    out.ids("age", User, Kind::Id, largest(&users.age), of_user(&users.age));
    out.ids("occupation", User, Kind::Id, OCCUPATIONS.len(), of_user(&users.occupation));
    out.ids("zip_code", User, Kind::Id, zips.len(), of_user(&zip));
    out.ids("year", Item, Kind::Id, years.len(), of_movie(&year));
    // An id space is never empty, even where no title has a word.
    out.ids("title", Item, bag(title_len), words.len().max(1), ragged(&movie_row, &title));
    out.ids("genres", Item, bag(genres_len), genre_ids.len() + 1, ragged(&movie_row, &genres));
    out.real("time_stamp", Context, min_max(ratings.time.iter().map(|t| *t as f64)));
    out.real("count", Item, min_max(movie_row.iter().map(|m| f64::from(count[*m as usize]))));

    let click = ratings.rating.iter().map(|r| u8::from(*r >= positive_from)).collect();
    out.view([("click", click)])
        .with_side(&["item_id", "year", "title", "genres", "count"])
        .with_time(ratings.time.clone())
}

/// The words of a title: maximal runs of `[A-Za-z0-9_]`, case kept. (This, over the rated movies, gives the 4,376
/// words of the papers' programs on MovieLens-1M; Unicode letters or lower case do not.)
pub(crate) fn title_words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| !w.is_empty())
}

/// Ids from 0 in order of first appearance.
#[derive(Default)]
struct Index<'a>(HashMap<&'a str, u32>);

impl<'a> Index<'a> {
    fn id(&mut self, key: &'a str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(key).or_insert(next)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ascii_runs() {
        let words: Vec<&str> = title_words("Caf\u{e9}_x: Don't (2) ").collect();
        assert_eq!(words, ["Caf", "_x", "Don", "t", "2"]);
    }
}
