//! `raw_sample.csv`: which ad was shown to whom, when and where, and whether it was clicked.
use super::{Ads, FILES, FIRST_LINE, SAMPLE_COLUMNS};
use crate::Result;
use crate::ids::{Dense, TIMES};
use crate::text::{Bad, Fields, column_of, parse_table, show};
use std::path::Path;

/// The impressions, in file order: by ad, not by time.
pub(crate) struct Samples {
    pub user: Dense,
    pub ad: Dense,
    /// Seconds since 1970.
    pub time: Vec<u32>,
    /// Where on the page, from 0 in order of first appearance.
    pub position: Vec<u8>,
    /// How many positions there are; the official file has two.
    pub positions: usize,
    pub click: Vec<u8>,
}

/// Some lines.
#[derive(Default)]
struct Part {
    user: Vec<u32>,
    ad: Vec<u32>,
    time: Vec<u32>,
    /// Places in `names`.
    position: Vec<u8>,
    names: Vec<Vec<u8>>,
    click: Vec<u8>,
}

/// The official file has two positions. A third one is a sign of another column.
const POSITIONS: usize = 2;

impl Samples {
    /// Parses the file and checks that every ad is known. (Of the official files every ad is.)
    pub(super) fn parse(file: &Path, bytes: &[u8], ads: &Ads) -> Result<Samples> {
        let mut all = Part::default();
        for mut p in parse_table(file, bytes, &SAMPLE_COLUMNS, line)? {
            all.append(&mut p).map_err(|(row, bad)| {
                let line = FIRST_LINE + row;
                Bad { column: column_of(bytes, line, 3), ..bad }.at(file, line)
            })?;
        }
        let ad = Dense::new(&all.ad);
        if let Some(unknown) = ad.raw.iter().position(|id| ads.row(*id).is_none()) {
            let row = ad.ids.iter().position(|i| *i == unknown as u32).expect("ids that occur");
            let bad = Bad {
                column: column_of(bytes, FIRST_LINE + row, 2),
                found: format!("\"{}\"", ad.raw[unknown]),
                expected: format!("an id that occurs in {}", FILES[1]),
            };
            return Err(bad.at(file, FIRST_LINE + row));
        }
        Ok(Samples {
            user: Dense::new(&all.user),
            ad,
            time: all.time,
            position: all.position,
            positions: all.names.len(),
            click: all.click,
        })
    }
}

impl Part {
    /// Appends the lines that follow; fails at the row whose position is one too many.
    fn append(&mut self, next: &mut Part) -> std::result::Result<(), (usize, Bad)> {
        let mut place = Vec::new();
        for (i, name) in next.names.iter().enumerate() {
            place.push(position(&mut self.names, name, 1).map_err(|bad| {
                let row = next.position.iter().position(|p| usize::from(*p) == i);
                (self.user.len() + row.expect("names that occur"), bad)
            })?);
        }
        self.user.append(&mut next.user);
        self.ad.append(&mut next.ad);
        self.time.append(&mut next.time);
        self.position.extend(next.position.iter().map(|p| place[usize::from(*p)]));
        self.click.append(&mut next.click);
        Ok(())
    }
}

/// The place of a position's name among the names so far, itself included.
fn position(names: &mut Vec<Vec<u8>>, name: &[u8], column: usize) -> std::result::Result<u8, Bad> {
    if let Some(at) = names.iter().position(|n| n == name) {
        return Ok(at as u8);
    }
    if names.len() == POSITIONS || !is_position(name) {
        let others: Vec<String> = names.iter().map(|n| show(n)).collect();
        let expected = match others.len() {
            POSITIONS => format!("one of the two positions {}", others.join(" and ")),
            _ => "the position, for example \"430548_1007\"".into(),
        };
        return Err(Bad { column, found: show(name), expected });
    }
    names.push(name.into());
    Ok(names.len() as u8 - 1)
}

/// Whether this is a position as the official file has them: two numbers.
fn is_position(name: &[u8]) -> bool {
    let number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    memchr::memchr(b'_', name).is_some_and(|at| number(&name[..at]) && number(&name[at + 1..]))
}

fn line(out: &mut Part, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let user = f.id("the user id")?;
    let time = f.number("the time in seconds since 1970", *TIMES.start(), *TIMES.end())? as u32;
    let ad = f.id("the ad id")?;
    let column = f.column();
    let position = position(&mut out.names, f.text("the position")?, column)?;
    let nonclk = f.number("nonclk", 0, 1)?;
    let column = f.column();
    let clk = f.number("clk", 0, 1)?;
    f.end("clk")?;
    if nonclk + clk != 1 {
        let found = format!("nonclk {nonclk} and clk {clk}");
        return Err(Bad { column, found, expected: "exactly one of nonclk and clk to be 1".into() });
    }
    out.user.push(user);
    out.ad.push(ad);
    out.time.push(time);
    out.position.push(position);
    out.click.push(clk as u8);
    Ok(())
}
