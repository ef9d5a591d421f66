//! The files that Diff-MSR released: `douban_<domain>_<part>.csv`, header `0,1,2,3`; domain, user, item, label.
//!
//! All ids count from 0, and items are numbered on from domain to domain already: nothing is subtracted or added.
//! (A reader of the released program subtracts 1 from Music's ids. With ids as they stand 1,566 of Music's users
//! are in Book too, as in the ratings; with shifted ones no more than chance has it.)
use super::{DOMAINS, ITEMS, OUTCOMES, Rows, USERS, VERSION, first_item, view};
use crate::config::LoaderKeys;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::{DoubanSplits, Simulator};
use crate::text::{Bad, Ends, Fields, parse_table_ending};
use crate::view::Loaded;
use crate::{Checked, Loader, Part, Result};
use serde::{Deserialize, Serialize};

/// Which of the released files are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// All nine.
    Complete,
    /// All but Movie's training rows, nine tenths of that domain. Movie's validation rows train in their place,
    /// less every tenth one in file order (the files are in random order), which validate.
    WithoutMovieTrain,
}

/// The files with their domain and part.
pub(crate) const FILES: [(&str, usize, Part); 9] = [
    ("douban_music_train.csv", 0, Part::Train),
    ("douban_music_val.csv", 0, Part::Valid),
    ("douban_music_test.csv", 0, Part::Test),
    ("douban_book_train.csv", 1, Part::Train),
    ("douban_book_val.csv", 1, Part::Valid),
    ("douban_book_test.csv", 1, Part::Test),
    (MOVIE_TRAIN, MOVIE, Part::Train),
    ("douban_movie_val.csv", MOVIE, Part::Valid),
    ("douban_movie_test.csv", MOVIE, Part::Test),
];
const MOVIE_TRAIN: &str = "douban_movie_train.csv";
const MOVIE: usize = 2;

/// The columns of the files, as they are called there.
pub(crate) const COLUMNS: [&str; 4] = ["0", "1", "2", "3"];

impl Layout {
    /// Names of the files: domain by domain, training rows first.
    pub fn files(self) -> Vec<&'static str> {
        self.described().map(|(name, ..)| name).collect()
    }

    fn described(self) -> impl Iterator<Item = (&'static str, usize, Part)> {
        FILES.into_iter().filter(move |(name, ..)| self == Layout::Complete || *name != MOVIE_TRAIN)
    }

    /// The part of the rows of such a file.
    fn parts(self, domain: usize, part: Part, rows: usize) -> impl Iterator<Item = Part> {
        let stands_in = self == Layout::WithoutMovieTrain && domain == MOVIE && part == Part::Valid;
        (0..rows).map(move |row| match stands_in && row % 10 != 9 {
            true => Part::Train,
            false => part,
        })
    }
}

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which of the files are there.
    pub layout: Layout,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        Ok(Loader::DoubanSplits(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &OUTCOMES
    }

    fn simulator(&self) -> Simulator {
        Simulator::DoubanSplits(DoubanSplits { layout: self.layout })
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view(parse(self.layout, raw)?)))
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
fn parse(layout: Layout, raw: &RawFiles) -> Result<Rows> {
    let mut all = Rows::default();
    let mut parts = Vec::new();
    for (name, domain, part) in layout.described() {
        let file = raw.file(name);
        let read = |out: &mut Lines, text: &[u8]| line(out, text, domain);
        for mut lines in parse_table_ending(Ends::CarriageReturn, &file.path, &file.bytes, &COLUMNS, read)? {
            all.user.append(&mut lines.user);
            all.item.append(&mut lines.item);
            all.click.append(&mut lines.click);
        }
        parts.extend(layout.parts(domain, part, all.user.len() - parts.len()));
        all.domain.resize(all.user.len(), domain as u16);
    }
    Ok(Rows { part: Some(parts), ..all })
}

fn line(out: &mut Lines, line: &[u8], domain: usize) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let (this, first) = (domain as u64, u64::from(first_item(domain)));
    f.number(&format!("the domain of {}", DOMAINS[domain]), this, this)?;
    let user = f.number("the user id", 0, USERS as u64 - 1)?;
    let item = f.number("the item id", first, first + ITEMS[domain] as u64 - 1)?;
    let click = f.number("the label", 0, 1)?;
    f.end("the label")?;
    out.user.push(user as u32);
    out.item.push(item as u32);
    out.click.push(click as u8);
    Ok(())
}
