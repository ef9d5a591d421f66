//! Simulated Douban: GA-DTCDR's ratings, or the split files that Diff-MSR made of them.
//!
//! Users and the shares of them that are in Music, Book and both, items, rows and negatives are those of the
//! official files, or in proportion to them; Music keeps at least a twentieth of the rows of a small dataset,
//! since shares of its own rows would be too few to learn from or to test on. Which items a user rates is a
//! matter of popularity alone.
use super::csv::{header, lines};
use super::domains::{Rating, World, scaled};
use super::random::{Stream, normal, rng, shared_out, shuffle};
use super::{Simulate, SimulateConfig, Simulated};
use crate::douban::ratings::FILES;
use crate::douban::splits::COLUMNS;
use crate::douban::{ITEMS, Layout, NO_CLICK, USERS, first_item};
use crate::raw::RawFiles;
use crate::{Checked, Result};
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::ops::Range;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// Rows of Music as released and whole, of Book, and of Movie whole and without its training rows.
const COLD_MUSIC: usize = 3_123;
const MUSIC: usize = 69_709;
const BOOK: usize = 96_041;
const MOVIE: usize = 1_133_420;
const MOVIE_WITHOUT_TRAIN: usize = 226_684;
/// Shares of ratings up to 3: Music as released and whole, Book, Movie.
const NEGATIVES: [f64; 3] = [0.2171, 0.2794, 0.3909];
const NEGATIVES_OF_ALL_MUSIC: f64 = 0.2543;
/// Which of the users, in some order, are in Music and in Book: 1,672, 2,110, and 1,566 in both.
const IN_MUSIC: Range<usize> = 544..2_216;
const IN_BOOK: Range<usize> = 0..2_110;
/// Music has at least one in so many rows, up to the official number.
const LEAST_MUSIC: usize = 20;

/// Log-normal spreads of the rows per item and per user.
const POPULARITY: f64 = 1.3;
const ACTIVITY: f64 = 1.1;

/// Douban's split files as Diff-MSR released them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubanSplits {
    /// Which of the files there are.
    pub layout: Layout,
}

impl Simulate for DoubanSplits {
    fn files(&self) -> Vec<&'static str> {
        self.layout.files()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        check(Some(self.layout), config)
    }

    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        with_rows(config, rows)
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(splits(self.layout, config))
    }
}

/// Douban's ratings.
pub(super) struct DoubanRatings;

impl Simulate for DoubanRatings {
    fn files(&self) -> Vec<&'static str> {
        FILES.to_vec()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        check(None, config)
    }

    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        with_rows(config, rows)
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(ratings(config))
    }
}

/// The rows, the users and the number of items of a domain.
struct Size {
    rows: usize,
    /// Places in the order of the users.
    users: Range<usize>,
    items: usize,
}

/// The three domains, of split files where there is a layout, of ratings where there is none.
fn sizes(layout: Option<Layout>, config: SimulateConfig) -> [Size; 3] {
    let SimulateConfig { users, items, rows, .. } = config;
    let official = match layout {
        Some(Layout::Complete) => [COLD_MUSIC, BOOK, MOVIE],
        Some(Layout::WithoutMovieTrain) => [COLD_MUSIC, BOOK, MOVIE_WITHOUT_TRAIN],
        None => [MUSIC, BOOK, MOVIE],
    };
    let share = scaled(official, official.iter().sum(), rows)[0];
    let music = share.max(official[0].min(rows / LEAST_MUSIC));
    let [book, _] = scaled([BOOK, official[2]], BOOK + official[2], rows - music);
    let place = |n: usize| scaled([n], USERS, users)[0];
    let range = |r: Range<usize>| place(r.start)..place(r.end);
    let items = scaled(ITEMS, ITEMS.iter().sum(), items);
    [
        Size { rows: music, users: range(IN_MUSIC), items: items[0] },
        Size { rows: book, users: range(IN_BOOK), items: items[1] },
        Size { rows: rows - music - book, users: 0..users, items: items[2] },
    ]
}

/// Whether such a dataset exists; else the key to blame and why.
fn check(layout: Option<Layout>, config: SimulateConfig) -> Checked<()> {
    let all_items: usize = ITEMS.iter().sum();
    for (key, n, most) in [("users", config.users, USERS), ("items", config.items, all_items)] {
        if !(40..=most).contains(&n) {
            return Err((key, format!("{n} should be 40 to {most}")));
        }
    }
    for (size, domain) in sizes(layout, config).iter().zip(crate::douban::DOMAINS) {
        // At most an eighth of all pairs: a long tail needs room.
        let (users, most) = (size.users.len(), size.users.len() * size.items / 8);
        if !(users..=most).contains(&size.rows) {
            let why = format!(
                "{} leave {} for {domain}, which should have {users} to {most}: at least 1 per user",
                config.rows, size.rows
            );
            return Err(("rows", why));
        }
    }
    Ok(())
}

/// The same kind of dataset with another number of rows: items shrink with the square root, users with the cube
/// root, so that Music's users keep few rows each.
fn with_rows(config: SimulateConfig, rows: usize) -> SimulateConfig {
    let factor = rows as f64 / config.rows as f64;
    let scale = |n: usize, factor: f64| ((n as f64 * factor).round() as usize).max(40);
    SimulateConfig {
        users: scale(config.users, factor.cbrt()).min(USERS),
        items: scale(config.items, factor.sqrt()).min(ITEMS.iter().sum()),
        rows,
        seed: config.seed,
    }
}

/// The ratings of each domain, by user.
fn world(layout: Option<Layout>, config: SimulateConfig) -> Vec<Vec<Rating>> {
    let sizes = sizes(layout, config);
    let mut order: Vec<u32> = (0..config.users as u32).collect();
    shuffle(&mut order, &mut rng(config.seed, Stream::Users, 1 << 32));
    let world = World::new(config.seed, sizes.len(), config.users, ITEMS.iter().sum());
    let domain = |(number, size): (usize, &Size)| {
        let negatives = match (number, layout) {
            (0, None) => NEGATIVES_OF_ALL_MUSIC,
            _ => NEGATIVES[number],
        };
        // The split files have few rows of Music, and about equally many of each user.
        let thin = number == 0 && layout.is_some();
        let most = if thin { size.rows.div_ceil(size.users.len()) } else { size.items / 4 };
        let pairs = pairs(config.seed, number, size, &order[size.users.clone()], most);
        world.ratings(number, &pairs, negatives)
    };
    sizes.iter().enumerate().map(domain).collect()
}

/// The items, `most` at most, that each of these users rates, users in ascending order.
fn pairs(seed: u64, domain: usize, size: &Size, users: &[u32], most: usize) -> Vec<(u32, u32)> {
    let r = &mut rng(seed, Stream::Items, 1 + domain as u64);
    let popularity: Vec<f64> = (0..size.items).map(|_| (POPULARITY * normal(r)).exp()).collect();
    let share: Vec<f64> = users.iter().map(|_| (ACTIVITY * normal(r)).exp()).collect();
    let activity = shared_out(&share, size.rows, 1, most);
    let mut users: Vec<(u32, usize)> = users.iter().copied().zip(activity).collect();
    users.sort_unstable();
    let of_user = |&(user, rows): &(u32, usize)| {
        let r = &mut rng(seed, Stream::Rows, ((domain as u64) << 32) + u64::from(user));
        // Each item waits an exponential time, the shorter the more popular it is; the first ones are rated. That
        // is drawing without replacement.
        let wait = |weight: &f64| -(1.0 - r.random::<f64>()).ln() / weight;
        let mut items: Vec<(f64, u32)> = popularity.iter().map(wait).zip(first_item(domain)..).collect();
        items.select_nth_unstable_by(rows - 1, |a, b| a.0.total_cmp(&b.0));
        let mut items: Vec<u32> = items[..rows].iter().map(|item| item.1).collect();
        items.sort_unstable();
        shuffle(&mut items, r);
        items.into_iter().map(|item| (user, item)).collect::<Vec<_>>()
    };
    users.par_iter().map(of_user).collect::<Vec<_>>().concat()
}

/// GA-DTCDR's three files.
fn ratings(config: SimulateConfig) -> Simulated {
    let domains = world(None, config);
    let file = |(domain, ratings): (usize, &Vec<Rating>)| {
        let mut text = lines("", ratings, |r, out| {
            let (user, item) = (r.user + 1, r.item - first_item(domain) + 1);
            writeln!(out, "{user}\t{item}\t{}", r.stars).expect("writing to memory");
        });
        text.pop(); // The official files end without a line feed.
        text
    };
    let files = domains.iter().enumerate().map(file).collect();
    simulated(files, &domains.concat())
}

/// Diff-MSR's files: each domain split at random.
fn splits(layout: Layout, config: SimulateConfig) -> Simulated {
    let mut domains = world(Some(layout), config);
    let mut files = Vec::new();
    for (domain, ratings) in domains.iter_mut().enumerate() {
        shuffle(ratings, &mut rng(config.seed, Stream::FileOrder, domain as u64));
        let n = ratings.len();
        let cuts = match (layout, domain) {
            (Layout::WithoutMovieTrain, 2) => vec![0, n / 2, n],
            _ => vec![0, n * 8 / 10, n * 9 / 10, n],
        };
        for part in cuts.windows(2) {
            files.push(lines(
                &header(&COLUMNS).replace('\n', "\r\n"),
                &ratings[part[0]..part[1]],
                |r, out| {
                    let click = u8::from(r.stars > NO_CLICK);
                    write!(out, "{domain},{},{},{click}\r\n", r.user, r.item).expect("writing to memory");
                },
            ));
        }
    }
    simulated(files, &domains.concat())
}

/// `rows` in the order of the files.
fn simulated(files: Vec<Vec<u8>>, rows: &[Rating]) -> Simulated {
    let mut rated = vec![false; ITEMS.iter().sum()];
    rows.iter().for_each(|r| rated[r.item as usize] = true);
    Simulated {
        files,
        click_probability: rows.iter().map(|r| r.probability).collect(),
        clicks: rows.iter().filter(|r| r.stars > NO_CLICK).count(),
        items: rated.into_iter().filter(|rated| *rated).count(),
    }
}
