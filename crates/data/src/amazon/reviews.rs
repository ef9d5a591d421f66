//! `reviews_*_5.json`, an object per line, and `ratings_*.csv`: user, item, rating, time.
use super::{DAY, LAST_DAY};
use crate::Result;
use crate::ids::{Names, TIMES};
use crate::text::{Bad, Fields, parse_lines, show};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::Path;

/// What the lines of a file are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Format {
    /// JSON objects.
    Reviews,
    /// Four fields with commas between them, no header.
    Ratings,
}

/// Who rated what and when, in the order of the files.
#[derive(Default)]
pub(crate) struct Reviews {
    /// Numbers in `users`.
    pub user: Vec<u32>,
    /// Numbers in `items`.
    pub item: Vec<u32>,
    /// 1 to 5.
    pub rating: Vec<u8>,
    /// Seconds since 1970, whole days.
    pub time: Vec<i64>,
    pub users: Names,
    pub items: Names,
}

/// A review's keys that are needed, as they stand in the line. The others need not be there.
#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow, rename = "reviewerID")]
    user: &'a RawValue,
    #[serde(borrow)]
    asin: &'a RawValue,
    #[serde(borrow)]
    overall: &'a RawValue,
    #[serde(borrow, rename = "unixReviewTime")]
    time: &'a RawValue,
}

const REVIEW: &str = "one JSON object with the keys reviewerID, asin, overall and unixReviewTime";
const USER: &str = "the user's id, letters and digits";
const ITEM: &str = "the item's id (asin), letters and digits";
const RATING: &str = "a rating of 1, 2, 3, 4 or 5, with or without \".0\"";

impl Reviews {
    pub fn rows(&self) -> usize {
        self.user.len()
    }

    /// Appends the rows of a file.
    pub(super) fn parse(&mut self, format: Format, file: &Path, bytes: &[u8]) -> Result<()> {
        let parts = match format {
            Format::Reviews => parse_lines(file, bytes, "with one JSON object", review)?,
            Format::Ratings => parse_lines(file, bytes, "user id,item id,rating,time", rating_line)?,
        };
        parts.into_iter().for_each(|part| self.append(part));
        Ok(())
    }

    fn append(&mut self, mut next: Reviews) {
        let users: Vec<u32> = next.users.iter().map(|name| self.users.number(name)).collect();
        let items: Vec<u32> = next.items.iter().map(|name| self.items.number(name)).collect();
        self.user.extend(next.user.iter().map(|u| users[*u as usize]));
        self.item.extend(next.item.iter().map(|i| items[*i as usize]));
        self.rating.append(&mut next.rating);
        self.time.append(&mut next.time);
    }

    fn push(&mut self, user: &[u8], item: &[u8], rating: u8, time: i64) {
        self.user.push(self.users.number(user));
        self.item.push(self.items.number(item));
        self.rating.push(rating);
        self.time.push(time);
    }
}

fn review(out: &mut Reviews, line: &[u8]) -> std::result::Result<(), Bad> {
    let bad = |column, found| Bad { column, found, expected: REVIEW.into() };
    let text = std::str::from_utf8(line)
        .map_err(|e| bad(e.valid_up_to() + 1, "bytes that are no UTF-8".to_string()))?;
    let keys: Keys = serde_json::from_str(text).map_err(|e| {
        let message = e.to_string();
        let what = message.rfind(" at line ").map_or(message.as_str(), |i| &message[..i]);
        bad(e.column().max(1), format!("no such object ({what})"))
    })?;
    // Neither an array of the four values nor blanks behind the object.
    if !text.ends_with('}') {
        return Err(bad(text.len(), format!("a line that ends in {}", show(&line[line.len() - 1..]))));
    }
    let place = |raw| (column(text, raw), raw.get().as_bytes());
    let string = |raw, expected: &str| {
        let (column, value) = place(raw);
        let inner = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).filter(|v| is_id(v));
        inner.ok_or_else(|| Bad { column, found: show(value), expected: expected.into() })
    };
    let (user, item) = (string(keys.user, USER)?, string(keys.asin, ITEM)?);
    let rating = rating(place(keys.overall))?;
    out.push(user, item, rating, time(place(keys.time))?);
    Ok(())
}

/// Where a value stands that borrows from the line.
fn column(line: &str, value: &RawValue) -> usize {
    value.get().as_ptr() as usize - line.as_ptr() as usize + 1
}

fn rating_line(out: &mut Reviews, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let mut field = |expected: &str| {
        let column = f.column();
        f.text(expected).map(|field| (column, field))
    };
    let id = |(column, field): (usize, _), expected: &str| match is_id(field) {
        true => Ok(field),
        false => Err(Bad { column, found: show(field), expected: expected.into() }),
    };
    let user = id(field(USER)?, USER)?;
    let item = id(field(ITEM)?, ITEM)?;
    let rating = rating(field(RATING)?)?;
    let time = time(field("the time of the rating")?)?;
    f.end("the time")?;
    out.push(user, item, rating, time);
    Ok(())
}

fn is_id(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric)
}

fn rating((column, text): (usize, &[u8])) -> std::result::Result<u8, Bad> {
    match text.strip_suffix(b".0").unwrap_or(text) {
        [digit @ b'1'..=b'5'] => Ok(digit - b'0'),
        _ => Err(Bad { column, found: show(text), expected: RATING.into() }),
    }
}

fn time((column, text): (usize, &[u8])) -> std::result::Result<i64, Bad> {
    let days = *TIMES.start() as i64..=LAST_DAY;
    let number = std::str::from_utf8(text).ok().filter(|_| text.iter().all(u8::is_ascii_digit));
    let time = number.and_then(|n| n.parse().ok()).filter(|t| days.contains(t) && t % DAY == 0);
    time.ok_or_else(|| Bad {
        column,
        found: show(text),
        expected: format!(
            "a time in seconds since 1970, a multiple of {DAY} (whole days) up to {LAST_DAY} (July 2014, when this \
             release ends)"
        ),
    })
}
