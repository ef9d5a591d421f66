//! `movies.dat` and `u.item`: title, year, genres.
use super::{Layout, MAX_ID};
use crate::Result;
use crate::ids::RowOf;
use crate::text::{Bad, Fields, latin1, parse_lines, show};
use std::path::Path;

/// The genres, in the order of `u.item`'s flags. `movies.dat` has all but `unknown`.
pub const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The movies, in file order.
#[derive(Clone, Debug, Default)]
pub struct Movies {
    /// Raw id.
    pub id: Vec<u32>,
    /// The title as it stands in the file, year and all.
    pub title: Vec<String>,
    /// 1M: the year in the title; 100K: the year of the release date, none where there is no date.
    pub year: Vec<Option<u16>>,
    /// Places in [`GENRES`], in the order of the file; at least one.
    pub genres: Vec<Vec<u8>>,
    row_of: RowOf,
}

impl Movies {
    /// The row of the movie with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    /// Largest raw id plus one.
    pub fn table_rows(&self) -> usize {
        self.row_of.size()
    }

    /// The title without its year. 1M titles end in the year; some of 100K go on behind it, and one has none.
    pub fn name(&self, row: usize) -> &str {
        let title = &self.title[row];
        (0..title.len().saturating_sub(5)).rev().find(|i| year_at(title, *i)).map_or(title, |i| &title[..i])
    }

    pub(super) fn parse(layout: Layout, file: &Path, bytes: &[u8]) -> Result<Movies> {
        let row = match layout {
            Layout::M1 => "MovieID::Title (YYYY)::Genre|Genre",
            Layout::K100 => "movie id|title|release date|video release date|URL|19 genre flags",
        };
        let parts = parse_lines(file, bytes, row, |out: &mut Movies, line| match layout {
            Layout::M1 => line_1m(out, line),
            Layout::K100 => line_100k(out, line),
        })?;
        let mut all = Movies::default();
        for mut p in parts {
            all.id.append(&mut p.id);
            all.title.append(&mut p.title);
            all.year.append(&mut p.year);
            all.genres.append(&mut p.genres);
        }
        all.row_of = RowOf::unique(file, "movie", 1, &all.id)?;
        Ok(all)
    }

    fn push(&mut self, id: u32, title: String, year: Option<u16>, genres: Vec<u8>) {
        self.id.push(id);
        self.title.push(title);
        self.year.push(year);
        self.genres.push(genres);
    }
}

/// Whether `(YYYY)` stands at byte `at`.
fn year_at(title: &str, at: usize) -> bool {
    matches!(title.as_bytes().get(at..at + 6), Some([b'(', y @ .., b')']) if y.iter().all(u8::is_ascii_digit))
}

fn line_1m(out: &mut Movies, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b"::");
    let id = f.number("the movie id", 1, MAX_ID)? as u32;
    let column = f.column();
    let raw_title = f.text("the title")?;
    let title = latin1(raw_title);
    let year = match title.len().checked_sub(6) {
        Some(at) if at > 0 && year_at(&title, at) => title[at + 1..at + 5].parse().ok(),
        _ => None,
    };
    if year.is_none() {
        return Err(Bad {
            column,
            found: show(raw_title),
            expected: "a title that ends in its year, \"(YYYY)\"".into(),
        });
    }
    let mut column = f.column();
    let list = f.text("the genres")?;
    f.end("the genres")?;
    let mut genres = Vec::new();
    for name in list.split(|b| *b == b'|') {
        let known = GENRES.iter().skip(1).position(|g| g.as_bytes() == name).map(|g| g as u8 + 1);
        match known {
            Some(g) if !genres.contains(&g) => genres.push(g),
            Some(_) => {
                return Err(Bad {
                    column,
                    found: format!("{} again", show(name)),
                    expected: "every genre once".into(),
                });
            }
            None => {
                let expected = "one of the 18 genres of MovieLens-1M, for example \"Drama\"".into();
                return Err(Bad { column, found: show(name), expected });
            }
        }
        column += name.len() + 1;
    }
    out.push(id, title, year, genres);
    Ok(())
}

fn line_100k(out: &mut Movies, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b"|");
    let id = f.number("the movie id", 1, MAX_ID)? as u32;
    let column = f.column();
    let raw_title = f.text("the title")?;
    if raw_title.is_empty() {
        return Err(Bad { column, found: show(raw_title), expected: "the title".into() });
    }
    let column = f.column();
    let date = f.text("the release date")?;
    let year = match date {
        b"" => None,
        date => Some(date_year(date).ok_or_else(|| Bad {
            column,
            found: show(date),
            expected: "a release date like 01-Jan-1995, or nothing".into(),
        })?),
    };
    f.text("the video release date")?;
    f.text("the URL")?;
    let column = f.column();
    let mut genres = Vec::new();
    for (g, name) in GENRES.iter().enumerate() {
        if f.number(&format!("the flag of genre {name}"), 0, 1)? == 1 {
            genres.push(g as u8);
        }
    }
    f.end("the genre flags")?;
    if genres.is_empty() {
        return Err(Bad { column, found: "no genre flag set".into(), expected: "at least one genre".into() });
    }
    out.push(id, latin1(raw_title), year, genres);
    Ok(())
}

/// The year of a date `DD-Mon-YYYY`; one date has a day of one digit.
fn date_year(date: &[u8]) -> Option<u16> {
    let date = std::str::from_utf8(date).ok()?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |s: &str, n| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    let good_day = digits(day, 2) || digits(day, 1);
    let good = parts.next().is_none() && good_day && MONTHS.contains(&month) && digits(year, 4);
    let day: u8 = day.parse().ok()?;
    if good && (1..=31).contains(&day) { year.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date_year(b"01-Jan-1995"), Some(1995));
        assert_eq!(date_year(b"4-Jan-1995"), Some(1995));
        for bad in [
            "001-Jan-1995",
            "0-Jan-1995",
            "01-Jam-1995",
            "01-Jan-95",
            "32-Jan-1995",
            "01-Jan-1995-",
            "01/Jan/1995",
        ] {
            assert_eq!(date_year(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_name_is_the_title_without_its_year() {
        let titles = [
            "Seven Rivers (1987)",
            "A (1987) (V)",
            "B (1987) ",
            "unknown",
            "Caf\u{e9} (12) (2001)",
            "(1950)",
        ];
        let movies = Movies { title: titles.map(String::from).to_vec(), ..Movies::default() };
        let names: Vec<&str> = (0..titles.len()).map(|i| movies.name(i)).collect();
        assert_eq!(names, ["Seven Rivers ", "A ", "B ", "unknown", "Caf\u{e9} (12) ", ""]);
    }
}
