//! Simulated users and videos, with about the official frequencies of every value.
use super::file;
use crate::kuairand::{Layout, USER_COLUMNS, VIDEO_COLUMNS};
use crate::raw::RawFiles;
use crate::simulate::SimulateConfig;
use crate::simulate::csv::header;
use crate::simulate::random::{Stream, draw, normal, rng, skewed, sparse_ids};
use rand::{Rng, RngExt};
use std::io::Write;

/// The two tables.
pub(super) fn make(layout: Layout, config: SimulateConfig) -> RawFiles {
    let [users, videos] = [layout.tables()[0], layout.tables()[1]];
    RawFiles::of(vec![file(users, user_table(config)), file(videos, video_table(layout, config))])
}

/// Degrees of activity, with their users in Pure.
const DEGREES: [(&str, f64); 9] = [
    ("full_active", 17_959.0),
    ("high_active", 6_158.0),
    ("middle_active", 2_133.0),
    ("2_14_day_new", 635.0),
    ("low_active", 300.0),
    ("single_low_active", 68.0),
    ("30day_retention", 15.0),
    ("day_new", 11.0),
    ("UNKNOWN", 6.0),
];

/// A range as the tables write it, its first and last number, and its users in Pure.
type Range = (&'static str, u32, u32, f64);
const FOLLOWED: [Range; 8] = [
    ("0", 0, 0, 188.0),
    ("\"(0,10]\"", 1, 10, 1_739.0),
    ("\"(10,50]\"", 11, 50, 4_904.0),
    ("\"(50,100]\"", 51, 100, 4_004.0),
    ("\"(100,150]\"", 101, 150, 2_633.0),
    ("\"(150,250]\"", 151, 250, 3_490.0),
    ("\"(250,500]\"", 251, 500, 4_377.0),
    ("500+", 501, 2000, 5_950.0),
];
const FANS: [Range; 9] = [
    ("0", 0, 0, 1_157.0),
    ("\"[1,10)\"", 1, 9, 5_326.0),
    ("\"[10,100)\"", 10, 99, 10_467.0),
    ("\"[100,1k)\"", 100, 999, 8_664.0),
    ("\"[1k,5k)\"", 1000, 4999, 1_460.0),
    ("\"[5k,1w)\"", 5000, 9999, 112.0),
    ("\"[1w,10w)\"", 10_000, 99_999, 85.0),
    ("\"[10w,100w)\"", 100_000, 999_999, 12.0),
    ("\"[100w,1000w)\"", 1_000_000, 2_000_000, 2.0),
];
const FRIENDS: [Range; 7] = [
    ("0", 0, 0, 3_375.0),
    ("\"[1,5)\"", 1, 4, 5_270.0),
    ("\"[5,30)\"", 5, 29, 7_595.0),
    ("\"[30,60)\"", 30, 59, 2_852.0),
    ("\"[60,120)\"", 60, 119, 2_749.0),
    ("\"[120,250)\"", 120, 249, 2_272.0),
    ("250+", 250, 1500, 3_172.0),
];
const DAYS: [Range; 8] = [
    ("8-14", 8, 14, 1.0),
    ("15-30", 15, 30, 145.0),
    ("31-60", 31, 60, 381.0),
    ("61-90", 61, 90, 394.0),
    ("91-180", 91, 180, 1_048.0),
    ("181-365", 181, 365, 1_778.0),
    ("366-730", 366, 730, 3_475.0),
    ("730+", 731, 3000, 20_063.0),
];
/// Users of Pure, and those whose feature 4 and whose features 12 to 17 are missing.
const USERS: f64 = 27_285.0;
const NO_FEATURE_4: f64 = 874.0;
const NO_FEATURES_12_TO_17: f64 = 714.0;
/// How many values the encrypted features have.
const ENCRYPTED: [usize; 18] = [2, 7, 50, 1471, 15, 34, 3, 118, 454, 7, 5, 5, 2, 2, 2, 2, 2, 2];

/// A value drawn by its number.
fn pick<T: Copy>(values: &[(T, f64)], r: &mut impl Rng) -> T {
    let all: f64 = values.iter().map(|v| v.1).sum();
    values[draw(values.iter().map(|v| v.1 / all), r.random())].0
}

/// A number and its range.
fn number(ranges: &[Range], r: &mut impl Rng) -> (u32, &'static str) {
    let all: f64 = ranges.iter().map(|range| range.3).sum();
    let (name, first, last, _) = ranges[draw(ranges.iter().map(|range| range.3 / all), r.random())];
    (r.random_range(first..=last), name)
}

fn user_table(config: SimulateConfig) -> Vec<u8> {
    let r = &mut rng(config.seed, Stream::Users, 0);
    let encrypted: Vec<Vec<u32>> = ENCRYPTED.iter().map(|size| skewed(*size, config.users, r)).collect();
    let mut out = header(&USER_COLUMNS).into_bytes();
    for id in 0..config.users {
        let degree = pick(&DEGREES, r);
        let streamer = if r.random::<f64>() < 21_127.0 / USERS { -124 } else { 1 };
        let author = u8::from(r.random::<f64>() < 22_276.0 / USERS);
        write!(out, "{id},{degree},0,{streamer},{author}").expect("writing to memory");
        for ranges in [&FOLLOWED[..], &FANS, &FRIENDS, &DAYS] {
            let (n, range) = number(ranges, r);
            write!(out, ",{n},{range}").expect("writing to memory");
        }
        let no_4 = r.random::<f64>() < NO_FEATURE_4 / USERS;
        let no_12_to_17 = r.random::<f64>() < NO_FEATURES_12_TO_17 / USERS;
        for (i, values) in encrypted.iter().enumerate() {
            let value = values[id];
            match i {
                4 if no_4 => write!(out, ","),
                12.. if no_12_to_17 => write!(out, ","),
                4 | 12.. => write!(out, ",{value}.0"),
                _ => write!(out, ",{value}"),
            }
            .expect("writing to memory");
        }
        out.push(b'\n');
    }
    out
}

/// Ways of uploading, with their videos in Pure; and the types of music.
const UPLOADS: [(&str, f64); 10] = [
    ("LongImport", 2_925.0),
    ("Web", 2_416.0),
    ("ShortImport", 917.0),
    ("Kmovie", 879.0),
    ("LongPicture", 143.0),
    ("UNKNOWN", 80.0),
    ("PictureSet", 73.0),
    ("LongCamera", 64.0),
    ("ShortCamera", 43.0),
    ("ShareFromOtherApp", 43.0),
];
const MUSIC: [(&str, f64); 6] =
    [("9.0", 6_665.0), ("4.0", 657.0), ("", 203.0), ("8.0", 41.0), ("7.0", 14.0), ("11.0", 3.0)];
const DATES: [(&str, f64); 3] = [("2022-04-09", 2_832.0), ("2022-04-10", 3_424.0), ("2022-04-11", 1_327.0)];
/// Videos of Pure, authors, pieces of music; videos without tag, with a second one, and of unknown length.
const VIDEOS: f64 = 7_583.0;
const AUTHORS: f64 = 6_510.0 / VIDEOS;
const PIECES: f64 = 7_202.0 / VIDEOS;
const NO_TAG: f64 = 96.0 / VIDEOS;
const SECOND_TAG: f64 = 0.3;
const NO_LENGTH: f64 = 239.0 / VIDEOS;
const TAGS: usize = 60;

fn video_table(layout: Layout, config: SimulateConfig) -> Vec<u8> {
    let r = &mut rng(config.seed, Stream::Items, 0);
    let n = config.items;
    // Pure's videos are numbered without gaps.
    let ids = if layout == Layout::Pure { (0..n as u32).collect() } else { sparse_ids(n, r) };
    let some = |share: f64| ((n as f64 * share) as u32).max(1);
    let tags = skewed(TAGS, n, r);
    let mut out = header(&VIDEO_COLUMNS).into_bytes();
    for (id, tag) in ids.into_iter().zip(tags) {
        // Numbers of authors and of music that several videos share are beyond 32 bits for music, as the official ones.
        let author = 1 + 7 * u64::from(r.random_range(0..2 * some(AUTHORS)));
        let music = 3_000_000_000 + 11 * u64::from(r.random_range(0..4 * some(PIECES)));
        let kind = pick(&[("NORMAL", 7_506.0), ("AD", 76.0), ("UNKNOWN", 1.0)], r);
        let (date, upload) = (pick(&DATES, r), pick(&UPLOADS, r));
        let length = match r.random::<f64>() < NO_LENGTH {
            true => String::new(),
            // The official median is a minute, a quarter is shorter than 32 seconds.
            false => {
                format!("{}.0", (62_000.0 * (0.95 * normal(r)).exp()).clamp(3_000.0, 1_200_000.0) as u32)
            }
        };
        let size = pick(&[("720.0,1280.0", 0.75), ("1280.0,720.0", 0.25)], r);
        let music_type = pick(&MUSIC, r);
        let second = 1 + (tag + r.random_range(1..TAGS as u32)) % TAGS as u32;
        let tags = match r.random::<f64>() {
            p if p < NO_TAG => String::new(),
            p if p < NO_TAG + SECOND_TAG => format!("\"{},{second}\"", tag + 1),
            _ => format!("{}", tag + 1),
        };
        writeln!(out, "{id},{author},{kind},{date},{upload},0.0,{length},{size},{music},{music_type},{tags}")
            .expect("writing to memory");
    }
    out
}
