//! GA-DTCDR's `douban_<domain>/ratings.dat`: user, item, rating, separated by tabulators, without times.
//!
//! Users count from 1 and are the same in all domains; items count from 1 in each domain. A rating can be there
//! twice, as in Movie.
use super::{ITEMS, NO_CLICK, OUTCOMES, Rows, USERS, VERSION, first_item, view};
use crate::config::LoaderKeys;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::Simulator;
use crate::text::{Bad, Ends, Fields, parse_lines_ending};
use crate::view::{Chosen, Loaded, gather};
use crate::{Checked, Loader, Result};
use serde::{Deserialize, Serialize};

/// The files, in the order of the domains.
pub(crate) const FILES: [&str; 3] =
    ["douban_music/ratings.dat", "douban_book/ratings.dat", "douban_movie/ratings.dat"];

/// Which rows of Music are kept, so that it is a cold domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thin {
    /// The first two lines of every user, three of the file's first user: exactly the rows that Diff-MSR
    /// released. (The paper speaks of a user's three most recent items; the files have no times.)
    FirstTwo,
    /// All: Music is no cold domain.
    None,
}

impl Thin {
    /// The kept ones of the lines with these users.
    fn kept(self, users: &[u32]) -> Vec<u32> {
        let all = 0..users.len() as u32;
        let mut seen = vec![0u8; USERS];
        match self {
            Thin::None => all.collect(),
            Thin::FirstTwo => all
                .filter(|row| {
                    let user = users[*row as usize];
                    let (seen, most) = (&mut seen[user as usize], if user == users[0] { 3 } else { 2 });
                    let kept = *seen < most;
                    *seen += u8::from(kept);
                    kept
                })
                .collect(),
        }
    }
}

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which rows of Music are kept.
    pub thin: Thin,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        Ok(Loader::DoubanRatings(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &OUTCOMES
    }

    fn simulator(&self) -> Simulator {
        Simulator::DoubanRatings
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view(parse(self.thin, raw)?)))
    }
}

/// Some lines.
#[derive(Default)]
struct Lines {
    user: Vec<u32>,
    item: Vec<u32>,
    click: Vec<u8>,
}

/// Parses the files of a raw folder.
fn parse(thin: Thin, raw: &RawFiles) -> Result<Rows> {
    let mut all = Rows::default();
    let mut chosen = Chosen { of: 0, rows: Vec::new() };
    for (domain, name) in FILES.into_iter().enumerate() {
        let file = raw.file(name);
        let mut lines = Lines::default();
        let row = "user id TAB item id TAB rating";
        let read = |out: &mut Lines, text: &[u8]| line(out, text, domain);
        for mut part in parse_lines_ending(Ends::LastOpen, &file.path, &file.bytes, row, read)? {
            lines.user.append(&mut part.user);
            lines.item.append(&mut part.item);
            lines.click.append(&mut part.click);
        }
        let kept = if domain == 0 { thin } else { Thin::None }.kept(&lines.user);
        all.user.extend(gather(&lines.user, &kept));
        all.item.extend(gather(&lines.item, &kept));
        all.click.extend(gather(&lines.click, &kept));
        all.domain.resize(all.user.len(), domain as u16);
        chosen.rows.extend(kept.iter().map(|row| chosen.of as u32 + row));
        chosen.of += lines.user.len();
    }
    Ok(Rows { chosen: Some(chosen), ..all })
}

fn line(out: &mut Lines, line: &[u8], domain: usize) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b"\t");
    let user = f.number("the user id", 1, USERS as u64)?;
    let item = f.number("the item id", 1, ITEMS[domain] as u64)?;
    let rating = f.number("the rating", 1, 5)?;
    f.end("the rating")?;
    out.user.push(user as u32 - 1);
    out.item.push(item as u32 - 1 + first_item(domain));
    out.click.push(u8::from(rating > u64::from(NO_CLICK)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_per_user_and_a_third_of_the_first() {
        // Users need not stand together.
        let users = [5, 5, 2, 5, 5, 2, 9, 2, 2];
        assert_eq!(Thin::FirstTwo.kept(&users), [0, 1, 2, 3, 5, 6]);
        assert_eq!(Thin::None.kept(&users).len(), users.len());
    }
}
