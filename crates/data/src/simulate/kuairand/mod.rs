//! Simulated KuaiRand: two shops of the same users and videos, one with the app's own recommendations and one with random
//! exposure, in the proportions of KuaiRand-Pure.
//!
//! What users and videos are like follows in part from their tables, be these the real ones or simulated. The log of
//! `click` is that of [`shop`](super::shop) with an effect per tab; a long view follows a click the more likely the
//! likelier the click was and the shorter the video is, and another row hardly ever.
mod logs;
mod tables;

use super::shop::{Attribute, Context, Shape, Shop};
use super::{Simulate, SimulateConfig, Simulated, shop};
use crate::kuairand::{Layout, USER_COLUMNS, Users, VIDEO_COLUMNS, Videos, duration_bucket, parse_tables};
use crate::raw::{RawFile, RawFiles};
use crate::{Checked, Result};
use serde::{Deserialize, Serialize};

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// Rows of Pure's standard logs and of its random log.
const STANDARD: usize = 1_436_609;
const RANDOM: usize = 1_186_059;
/// Clicks and long views among them.
const STANDARD_RATES: Rates = Rates { click: 0.4597, long_view: 0.3318, long_view_alone: 0.02 };
const RANDOM_RATES: Rates = Rates { click: 0.1762, long_view: 0.0850, long_view_alone: 0.01 };

/// Shares of the outcomes.
#[derive(Clone, Copy)]
struct Rates {
    click: f64,
    long_view: f64,
    /// Share of the rows without click that are long views all the same; invented.
    long_view_alone: f64,
}

/// Tabs of the standard logs with their rows in Pure and their rates of clicks in 27K's logs (Pure's are not published).
const TABS: [(u8, u32, f64); 15] = [
    (1, 1_058_389, 0.4436),
    (0, 178_087, 0.1160),
    (4, 93_165, 0.5445),
    (2, 48_364, 0.4242),
    (6, 42_785, 0.1777),
    (5, 4_169, 0.2365),
    (3, 4_014, 0.0211),
    (8, 3_909, 0.0405),
    (12, 1_472, 0.1224),
    (11, 725, 0.0006),
    (7, 504, 0.4414),
    (9, 444, 0.9923),
    (13, 399, 0.3631),
    (10, 152, 0.9997),
    (14, 31, 0.0003),
];
/// The same of the random log.
const RANDOM_TABS: [(u8, u32, f64); 4] =
    [(1, 1_178_025, 0.1773), (11, 6_755, 0.0001), (2, 764, 0.1139), (14, 515, 0.0001)];

/// Log-normal spreads of the rows per video and per user. Random exposure treats all videos alike.
const POPULARITY: f64 = 1.3;
const ACTIVITY: f64 = 1.0;

/// Rows of the standard logs and of the random log.
fn rows(all: usize) -> (usize, usize) {
    let standard = (all as f64 * STANDARD as f64 / (STANDARD + RANDOM) as f64).round() as usize;
    (standard, all - standard)
}

/// KuaiRand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KuaiRand {
    /// The version, which names the files.
    pub layout: Layout,
}

impl Simulate for KuaiRand {
    fn files(&self) -> Vec<&'static str> {
        self.layout.files().to_vec()
    }

    fn tables(&self) -> &'static [&'static str] {
        self.layout.tables()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        shop::check(config)?;
        let least = (3 * config.users.max(config.items)).max(1000);
        match config.rows < least {
            true => Err((
                "rows",
                format!("{} should be {least} to {}: at least 3 per user and video", config.rows, u32::MAX),
            )),
            false => Ok(()),
        }
    }

    /// The same kind of dataset with another number of rows: users and videos shrink or grow with the square root.
    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        let factor = (rows as f64 / config.rows as f64).sqrt();
        let scale = |n: usize| ((n as f64 * factor).round() as usize).max(10).min(rows / 3);
        SimulateConfig { users: scale(config.users), items: scale(config.items), rows, seed: config.seed }
    }

    fn simulate(&self, config: SimulateConfig, tables: Option<&RawFiles>) -> Result<Simulated> {
        simulate(self.layout, config, tables)
    }
}

/// The files, logs first; the tables are `given` or made.
fn simulate(layout: Layout, config: SimulateConfig, given: Option<&RawFiles>) -> Result<Simulated> {
    let made;
    let raw = match given {
        Some(raw) => raw,
        None => {
            made = tables::make(layout, config);
            &made
        }
    };
    let (users, videos) = parse_tables(layout, raw)?;
    let tables: Vec<Vec<u8>> = layout.tables().iter().map(|name| raw.file(name).bytes.clone()).collect();
    let (standard, random) = rows(config.rows);
    let (of_users, of_videos) = (user_attributes(&users), video_attributes(&videos));
    let shop = |draw, rows, rate, contexts: &[Context], spread| {
        let shop = Shop {
            config: SimulateConfig { rows, ..config },
            users: (
                Shape { bias: 0.5, spread: ACTIVITY, explained: [0.5, 0.5, 0.1] },
                &attributes(&of_users),
            ),
            items: (Shape { bias: 0.5, spread, explained: [0.6, 0.7, 0.2] }, &attributes(&of_videos)),
            contexts,
            span: logs::SPAN,
            repeats: 0.0,
            draw,
            rate,
        };
        shop.rows()
    };
    let shown = shop(0, standard, STANDARD_RATES.click, &contexts(&TABS), POPULARITY);
    let random = shop(1, random, RANDOM_RATES.click, &contexts(&RANDOM_TABS), 0.0);

    let seed = config.seed;
    let mut lines = logs::standard(&shown, &TABS.map(|t| t.0), &videos, STANDARD_RATES, seed);
    lines.extend(logs::random(&random, &RANDOM_TABS.map(|t| t.0), &videos, RANDOM_RATES, seed));
    let (mut files, lines) = logs::files(layout, &lines, &users, &videos);
    files.extend(tables);
    Ok(Simulated {
        files,
        clicks: lines.iter().filter(|l| l.click).count(),
        click_probability: lines.iter().map(|l| l.probability).collect(),
        items: config.items,
    })
}

/// Shares and effects of tabs.
fn contexts<const N: usize>(tabs: &[(u8, u32, f64); N]) -> [Context; N] {
    let all: u32 = tabs.iter().map(|t| t.1).sum();
    let logit = |p: f64| (p / (1.0 - p)).ln();
    tabs.map(|(_, rows, rate)| Context {
        share: f64::from(rows) / f64::from(all),
        effect: logit(rate) - logit(tabs[0].2),
    })
}

/// Values of users or of videos, with their weight.
type Values = (Vec<u32>, f64);

fn attributes(values: &[Values]) -> Vec<Attribute<'_>> {
    values.iter().map(|(values, weight)| Attribute { values, weight: *weight }).collect()
}

fn user_attributes(users: &Users) -> Vec<Values> {
    let weights = [
        ("user_active_degree", 1.0),
        ("is_live_streamer", 0.4),
        ("is_video_author", 0.4),
        ("follow_user_num_range", 0.6),
        ("fans_user_num_range", 0.4),
        ("register_days_range", 0.4),
        ("onehot_feat1", 0.8),
        ("onehot_feat2", 0.6),
        ("onehot_feat7", 0.4),
        ("onehot_feat9", 0.6),
    ];
    weights.map(|(name, weight)| (users.codes[place(&USER_COLUMNS, name)].codes.clone(), weight)).to_vec()
}

fn video_attributes(videos: &Videos) -> Vec<Values> {
    let of = |name: &str| videos.codes[place(&VIDEO_COLUMNS, name)].codes.clone();
    let duration = videos.duration.iter().map(|d| duration_bucket(*d)).collect();
    vec![
        (videos.first_tag(), 1.0),
        (duration, 0.8),
        (of("upload_type"), 0.6),
        (of("author_id"), 0.4),
        (of("music_type"), 0.3),
    ]
}

fn place(columns: &[&str], name: &str) -> usize {
    columns.iter().position(|c| *c == name).expect("a column of the table")
}

/// A file in memory.
fn file(name: &str, bytes: Vec<u8>) -> RawFile {
    RawFile { name: name.into(), path: name.into(), bytes }
}
