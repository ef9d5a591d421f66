//! Raw ids: where each stands in its file, and dense ids in place of them.
//!
//! Look-ups of numbers are plain vectors over the raw ids. Fresh zeros cost no memory until they are touched, so ids
//! that are far from dense cost little more than dense ones.
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// The largest raw id that loaders with ids of any kind accept.
pub(crate) const MAX_ID: u64 = 1_000_000_000;

/// From 1990 to 2100, in seconds since 1970. A number outside is no time stamp: a cut one, milliseconds, another column.
pub(crate) const TIMES: std::ops::RangeInclusive<u64> = 631_152_000..=4_102_444_800;

/// Where an id stands in its file.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowOf(Vec<u32>); // Row plus one; 0 where there is none.

impl RowOf {
    /// The places of the ids of `file`, whose first row stands in line `first_line`. An id that comes again is an
    /// error; `what` has such ids.
    pub fn unique(file: &Path, what: &str, first_line: usize, ids: &[u32]) -> Result<RowOf> {
        RowOf::new(ids).map_err(|(row, earlier)| Error::Input {
            file: file.into(),
            line: first_line + row,
            column: 1,
            found: format!("{what} {} again (first in line {})", ids[row], first_line + earlier),
            expected: format!("one line per {what}"),
        })
    }

    /// The places of `ids`, or the first row that repeats an earlier row's id, with that earlier row.
    fn new(ids: &[u32]) -> std::result::Result<RowOf, (usize, usize)> {
        let mut rows = zeros(ids);
        for (row, id) in ids.iter().enumerate() {
            let place = &mut rows[*id as usize];
            if *place != 0 {
                return Err((row, *place as usize - 1));
            }
            *place = row as u32 + 1;
        }
        Ok(RowOf(rows))
    }

    pub fn get(&self, id: u32) -> Option<usize> {
        self.0.get(id as usize).filter(|r| **r != 0).map(|r| *r as usize - 1)
    }

    /// Largest id plus one.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

/// Ids from 0 in order of first appearance.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dense {
    /// The new id of each element.
    pub ids: Vec<u32>,
    /// What each new id stands for.
    pub raw: Vec<u32>,
}

impl Dense {
    pub fn new(raw: &[u32]) -> Dense {
        let mut known = zeros(raw); // New id plus one.
        let mut distinct = Vec::new();
        let ids = raw
            .iter()
            .map(|r| {
                let place = &mut known[*r as usize];
                if *place == 0 {
                    distinct.push(*r);
                    *place = distinct.len() as u32;
                }
                *place - 1
            })
            .collect();
        Dense { ids, raw: distinct }
    }

    /// How many distinct ones there are.
    pub fn len(&self) -> usize {
        self.raw.len()
    }
}

/// [`Dense`] ids of rows that come some at a time.
#[derive(Default)]
pub(crate) struct Numbers {
    /// New id plus one.
    known: Pages,
    /// What each new id stands for.
    pub raw: Vec<u32>,
}

impl Numbers {
    /// The number of this id, a new one where it was not seen before.
    pub fn number(&mut self, raw: u32) -> u32 {
        let place = self.known.slot(raw);
        if *place == 0 {
            self.raw.push(raw);
            *place = self.raw.len() as u32;
        }
        *place - 1
    }

    /// The number of an id, none where it was not seen before.
    pub fn of(&self, raw: u32) -> Option<u32> {
        self.known.get(raw).checked_sub(1)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.raw.len()
    }
}

/// Ids of a page.
const PAGE: usize = 1 << 14;

/// Numbers by raw id, 0 where there is none. Memory is taken for pages that have ids, which may be far from dense.
#[derive(Default)]
pub(crate) struct Pages(Vec<Option<Box<[u32]>>>);

impl Pages {
    /// An id's number.
    pub fn get(&self, id: u32) -> u32 {
        let page = self.0.get(id as usize / PAGE).and_then(Option::as_deref);
        page.map_or(0, |page| page[id as usize % PAGE])
    }

    /// Where an id's number is kept.
    pub fn slot(&mut self, id: u32) -> &mut u32 {
        let place = id as usize / PAGE;
        if place >= self.0.len() {
            self.0.resize_with(place + 1, || None);
        }
        &mut self.0[place].get_or_insert_with(|| vec![0; PAGE].into())[id as usize % PAGE]
    }

    /// All numbers but 0 with their ids, which ascend.
    pub fn known(&mut self) -> impl Iterator<Item = (u32, &mut u32)> {
        let pages =
            self.0.iter_mut().enumerate().filter_map(|(place, page)| Some((place, page.as_deref_mut()?)));
        let ids = pages.flat_map(|(place, page)| {
            page.iter_mut().enumerate().map(move |(at, number)| ((place * PAGE + at) as u32, number))
        });
        ids.filter(|(_, number)| **number > 0)
    }
}

/// Raw ids that are no numbers: new ones from 0 in order of first appearance.
#[derive(Default)]
pub(crate) struct Names {
    number: HashMap<Box<[u8]>, u32>,
    names: Vec<Box<[u8]>>,
}

impl Names {
    /// The number of this name, a new one where it was not seen before.
    pub fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.number.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.number.insert(name.into(), number);
        number
    }

    /// The names, by number.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|name| &**name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }
}

fn zeros(ids: &[u32]) -> Vec<u32> {
    vec![0; ids.iter().max().map_or(0, |m| *m as usize + 1)]
}

/// How often each id below `size` occurs.
pub(crate) fn counts(ids: &[u32], size: usize) -> Vec<u32> {
    let mut count = vec![0; size];
    ids.iter().for_each(|i| count[*i as usize] += 1);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_ids_follow_first_appearance() {
        let dense = Dense::new(&[7, 0, 7, 900, 0]);
        assert_eq!(dense, Dense { ids: vec![0, 1, 0, 2, 1], raw: vec![7, 0, 900] });
        assert_eq!(Dense::new(&[]), Dense::default());
        let mut numbers = Numbers::default();
        assert_eq!([7, 0, 7, 900_000_000, 0].map(|raw| numbers.number(raw)), [0, 1, 0, 2, 1]);
        assert_eq!([900_000_000, 0, 8].map(|raw| numbers.of(raw)), [Some(2), Some(1), None]);
        assert_eq!((&numbers.raw[..], numbers.len()), (&[7, 0, 900_000_000][..], 3));
        assert_eq!(counts(&dense.ids, 4), [2, 2, 1, 0]);
    }

    #[test]
    fn rows_and_their_repetition() {
        let rows = RowOf::new(&[5, 0, 3]).unwrap();
        assert_eq!([0, 3, 5, 4, 6].map(|id| rows.get(id)), [Some(1), Some(2), Some(0), None, None]);
        assert_eq!(rows.size(), 6);
        assert_eq!(RowOf::new(&[5, 0, 3, 0, 5]).unwrap_err(), (3, 1));
    }
}
