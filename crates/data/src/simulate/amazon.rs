//! Simulated Amazon reviews: 5-cores of three categories whose users and items overlap.
//!
//! Sizes and the shares of negatives are those of the 5-cores, or in proportion to them. How many users and items
//! two categories have in common is invented: as many as it takes for the numbers of different ones that are
//! asked for. Days follow from Beauty's: about a fifth of the rows is from March 2014 on, and users write several
//! reviews on a day.
use super::csv::lines;
use super::domains::{Rating, World, scaled};
use super::random::{Stream, normal, rng, shared_out, shuffle};
use super::{Simulate, SimulateConfig, Simulated};
use crate::amazon::{DAY, DOMAINS, FILES, LAST_DAY, NO_CLICK};
use crate::raw::RawFiles;
use crate::{Checked, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use std::collections::HashSet;
use std::io::Write;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// Users, items and rows of the 5-cores of Clothing, Beauty and Health.
const USERS: [usize; 3] = [39_387, 22_363, 38_609];
const ITEMS: [usize; 3] = [23_033, 12_101, 18_534];
const ROWS: [usize; 3] = [278_677, 198_502, 346_355];
/// Shares of ratings up to 3; Beauty's is that of the rows that Diff-MSR kept.
const NEGATIVES: [f64; 3] = [0.2048, 0.2320, 0.1922];
/// Different users and items of the three, invented: 5,120 users and 556 items in common to each two.
const ALL_USERS: usize = 85_000;
const ALL_ITEMS: usize = 52_000;
/// Rows that every user and every item has at least in a category.
const CORE: usize = 5;

/// Log-normal spreads of the rows per item and per user.
const POPULARITY: f64 = 1.2;
const ACTIVITY: f64 = 1.0;
/// How many days before the end the mean review was written, and the release's first day (21 May 1996).
const MEAN_AGE: f64 = 640.0;
const FIRST_DAY: i64 = 832_636_800;
/// The last day with reviews in Beauty, 23 July 2014.
const END: i64 = LAST_DAY - 8 * DAY;
/// Share of the reviews that users write on the day of another one of theirs.
const SAME_DAY: f64 = 0.65;
/// Share of the reviews without a name.
const NO_NAME: f64 = 0.0065;

/// The users, items and rows of a category. Users and items are places on circles of all of them.
struct Size {
    rows: usize,
    users: (usize, usize),
    items: (usize, usize),
}

fn sizes(config: SimulateConfig) -> [Size; 3] {
    let SimulateConfig { users, items, rows, .. } = config;
    let [a, b, _] = scaled(ROWS, ROWS.iter().sum(), rows);
    let rows = [a, b, rows - a - b];
    let (users, items) = (arcs(USERS, ALL_USERS, users), arcs(ITEMS, ALL_ITEMS, items));
    std::array::from_fn(|c| Size { rows: rows[c], users: users[c], items: items[c] })
}

/// Start and length of three arcs on a circle of `circle` places; they overlap by the same number of places each,
/// and leave no place out.
fn arcs(official: [usize; 3], official_circle: usize, circle: usize) -> [(usize, usize); 3] {
    let lengths = scaled(official, official_circle, circle);
    let overlap = lengths.iter().sum::<usize>().saturating_sub(circle) / 3;
    let mut start = 0;
    lengths.map(|length| {
        let arc = (start, length);
        start += length - overlap;
        arc
    })
}

/// A line.
#[derive(Clone)]
struct Review {
    rating: Rating,
    /// Seconds since 1970.
    time: i64,
}

/// Amazon reviews, 5-core.
pub(super) struct Amazon;

impl Simulate for Amazon {
    fn files(&self) -> Vec<&'static str> {
        FILES.map(|names| names[0]).to_vec()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        for (key, n) in [("users", config.users), ("items", config.items)] {
            if !(100..=10_000_000).contains(&n) {
                return Err((key, format!("{n} should be 100 to 10000000")));
            }
        }
        for (size, category) in sizes(config).iter().zip(DOMAINS) {
            let (users, items) = (size.users.1, size.items.1);
            // At most an eighth of all pairs: a long tail needs room.
            let (least, most) = (CORE * users.max(items), users * items / 8);
            if !(least..=most).contains(&size.rows) {
                let why = format!(
                    "{} leave {} for {category}, which should have {least} to {most}: at least {CORE} per user and item",
                    config.rows, size.rows
                );
                return Err(("rows", why));
            }
        }
        Ok(())
    }

    /// The same kind of dataset with another number of rows; each user and each item keeps its own number of rows.
    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        let factor = rows as f64 / config.rows as f64;
        let scale = |n: usize| ((n as f64 * factor).round() as usize).max(100);
        SimulateConfig { users: scale(config.users), items: scale(config.items), rows, seed: config.seed }
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(simulate(config))
    }
}

fn simulate(config: SimulateConfig) -> Simulated {
    let world = World::new(config.seed, 3, config.users, config.items);
    let categories: Vec<Vec<Review>> = sizes(config)
        .par_iter()
        .enumerate()
        .map(|(number, size)| {
            let pairs = pairs(config, number as u64, size);
            let days = days(config.seed, number as u64, &pairs);
            let ratings = world.ratings(number, &pairs, NEGATIVES[number]);
            let mut all: Vec<Review> =
                ratings.into_iter().zip(days).map(|(rating, time)| Review { rating, time }).collect();
            // By asin, as the official files are; within one the order is random, as it was dealt.
            all.sort_by_cached_key(|review| asin(review.rating.item));
            all
        })
        .collect();
    let rows: Vec<&Rating> = categories.iter().flatten().map(|review| &review.rating).collect();
    let clicks = rows.iter().filter(|r| r.stars > NO_CLICK).count();
    let click_probability = rows.iter().map(|r| r.probability).collect();
    let files = categories.iter().map(|reviews| gzip(&lines("", reviews, line))).collect();
    Simulated { files, click_probability, clicks, items: config.items }
}

/// Users and items of all rows: everyone's rows are dealt out at random among the items' places, no pair twice.
/// In the order of the users.
fn pairs(config: SimulateConfig, number: u64, size: &Size) -> Vec<(u32, u32)> {
    let r = &mut rng(config.seed, Stream::Rows, number);
    let mut places = |(start, length): (usize, usize), circle: usize, others: usize, spread: f64| {
        let share: Vec<f64> = (0..length).map(|_| (spread * normal(r)).exp()).collect();
        let times = shared_out(&share, size.rows, CORE, others / 4);
        let place = |(i, n): (usize, usize)| std::iter::repeat_n(((start + i) % circle) as u32, n);
        times.into_iter().enumerate().flat_map(place).collect::<Vec<u32>>()
    };
    let mut users = places(size.users, config.users, size.items.1, ACTIVITY);
    let items = places(size.items, config.items, size.users.1, POPULARITY);
    shuffle(&mut users, r);
    let mut pairs: Vec<(u32, u32)> = users.into_iter().zip(items).collect();
    separate(&mut pairs, r);
    shuffle(&mut pairs, r);
    pairs.sort_by_key(|pair| pair.0);
    pairs
}

/// Swaps users of pairs that repeat others with users of pairs that do not, so that no pair is there twice.
fn separate(pairs: &mut [(u32, u32)], r: &mut impl Rng) {
    let mut seen = HashSet::with_capacity(pairs.len());
    let repeated: Vec<usize> = (0..pairs.len()).filter(|row| !seen.insert(pairs[*row])).collect();
    let mut waits: HashSet<usize> = repeated.iter().copied().collect();
    for row in repeated {
        loop {
            let other = r.random_range(0..pairs.len());
            let swapped = [(pairs[other].0, pairs[row].1), (pairs[row].0, pairs[other].1)];
            // A pair that waits itself is not the one that was seen.
            if waits.contains(&other) || swapped[0] == swapped[1] || swapped.iter().any(|p| seen.contains(p))
            {
                continue;
            }
            seen.remove(&pairs[other]);
            seen.extend(swapped);
            (pairs[row], pairs[other]) = (swapped[0], swapped[1]);
            waits.remove(&row);
            break;
        }
    }
}

/// The days of the rows, which are in the order of the users.
fn days(seed: u64, number: u64, pairs: &[(u32, u32)]) -> Vec<i64> {
    let of_user = |rows: &[(u32, u32)]| {
        let r = &mut rng(seed, Stream::Vocabulary, (number << 40) + u64::from(rows[0].0));
        let mut days: Vec<i64> = Vec::with_capacity(rows.len());
        for _ in rows {
            let day = match days.len() {
                n if n > 0 && r.random::<f64>() < SAME_DAY => days[r.random_range(0..n)],
                _ => (END - (-MEAN_AGE * (1.0 - r.random::<f64>()).ln()) as i64 * DAY).max(FIRST_DAY),
            };
            days.push(day);
        }
        days
    };
    pairs.par_chunk_by(|a, b| a.0 == b.0).map(of_user).collect::<Vec<_>>().concat()
}

/// A product's id: ten letters and digits, a different one for every number.
fn asin(item: u32) -> String {
    // An odd multiple, not divisible by three, of a number below 36^6 is another one modulo 36^6 each.
    format!("B00I{}", base36(u64::from(item) * 1_500_450_271, 6))
}

/// A reviewer's id: 13 letters and digits.
fn reviewer(user: u32) -> String {
    format!("A1SIM{}", base36(u64::from(user) * 1_500_450_271 * 36 + 7, 8))
}

/// The last `digits` digits of a number in base 36.
fn base36(mut number: u64, digits: usize) -> String {
    let mut text = vec![b'0'; digits];
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(number % 36) as usize];
        number /= 36;
    }
    text.into_iter().map(char::from).collect()
}

fn line(review: &Review, out: &mut Vec<u8>) {
    let Review { rating: Rating { user, item, stars, .. }, time } = *review;
    let (reviewer, asin) = (reviewer(user), asin(item));
    let name = match f64::from(user % 10_000) < NO_NAME * 10_000.0 {
        true => String::new(),
        false => format!("\"reviewerName\": \"User \\\"{user}\\\"\", "),
    };
    let (year, month, day) = date(time / DAY);
    writeln!(
        out,
        "{{\"reviewerID\": \"{reviewer}\", \"asin\": \"{asin}\", {name}\"helpful\": [0, 0], \"reviewText\": \"Simulated.\", \
         \"overall\": {stars}.0, \"summary\": \"{stars} stars\", \"unixReviewTime\": {time}, \
         \"reviewTime\": \"{month:02} {day}, {year}\"}}"
    )
    .expect("writing to memory");
}

/// Year, month and day of a number of days since 1970 (in the Gregorian calendar, from 1970 to 2099).
fn date(days: i64) -> (i64, i64, i64) {
    let leap = |year: i64| i64::from(year % 4 == 0);
    let (mut year, mut day) = (1970, days);
    while day >= 365 + leap(year) {
        day -= 365 + leap(year);
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (year, month, day + 1)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).and_then(|()| out.finish()).expect("writing to memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(1_393_632_000 / DAY), (2014, 3, 1));
        assert_eq!(date(1_406_073_600 / DAY), (2014, 7, 23));
        assert_eq!(date(951_782_400 / DAY), (2000, 2, 29));
        assert_eq!(date(FIRST_DAY / DAY), (1996, 5, 21));
        assert_eq!(date(END / DAY), (2014, 7, 23));
    }

    #[test]
    fn ids_are_different() {
        let ids = |id: fn(u32) -> String| (0..200_000).map(id).collect::<HashSet<String>>().len();
        assert_eq!((ids(asin), ids(reviewer)), (200_000, 200_000));
        assert_eq!((asin(3).len(), reviewer(3).len()), (10, 13));
    }

    #[test]
    fn arcs_cover_the_circle() {
        let places = |(start, length): (usize, usize)| {
            (start..start + length).map(|p| p % 1000).collect::<HashSet<_>>()
        };
        let arcs = arcs(USERS, ALL_USERS, 1000).map(places);
        assert_eq!(arcs.iter().flatten().collect::<HashSet<_>>().len(), 1000);
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            assert!((58..=64).contains(&arcs[a].intersection(&arcs[b]).count()), "{a} {b}");
        }
    }
}
