//! The simulated people, movies and ratings.
//!
//! The logit of a click of user u on movie i at time t (0 to 1) is
//!
//! ```text
//! base + bias_u + quality_i + residual_i + taste . p_u . q_i / sqrt(D) + drift (t - 1/2) g_i
//! ```
//!
//! - `quality_i` follows from genres, title words and year, `residual_i` from nothing that is in the files: side
//!   information predicts a cold movie in part, and its first ratings tell more.
//! - `q_i` follows in part from genres and words, `p_u` in part from gender, age group and occupation.
//! - `g_i` follows from the genres: tastes drift.
//! - Popularity is log-normal, as the official counts nearly are, and grows a little with quality; so is activity, on
//!   top of the 20 ratings that every user has.
use super::MIN_ACTIVITY;
use crate::movielens::{AGE_GROUPS, GENRES, Layout, OCCUPATIONS};
use crate::simulate::SimulateConfig;
use crate::simulate::random::{
    D, Stream, Taste, Trait, blend, normal, rng, shared_out, shuffle, sigmoid, standardise,
    standardise_tastes, taste,
};
use rand::{Rng, RngExt};
use rayon::prelude::*;

/// Standard deviations of the parts of the logit, and its base.
const BASE: f64 = 0.1;
const USER_BIAS: f64 = 0.5;
const QUALITY: f64 = 0.6;
const RESIDUAL: f64 = 0.6;
const TASTE: f64 = 0.9;
const DRIFT: f64 = 0.6;
/// Shares of the variance of `q_i` and `p_u` that the files' features explain.
const ITEM_TASTE_EXPLAINED: f64 = 0.6;
const USER_TASTE_EXPLAINED: f64 = 0.4;
/// Log-normal spreads. At MovieLens-1M's size they give about its shares of old, new and dropped rows.
const POPULARITY: f64 = 1.7;
const ACTIVITY: f64 = 1.2;
/// Where the logit minus logistic noise must lie for a rating of 2, 3, 4, 5: about the official histogram.
const CUTS: [f64; 4] = [-2.8, -1.5, 0.0, 1.7];

/// First and last time of the official data.
const TIME: (i64, i64) = (956_703_932, 1_046_454_590);

pub(super) struct User {
    pub male: bool,
    /// Place in [`AGE_GROUPS`].
    pub age_group: usize,
    /// Years above the group's youngest age.
    pub age_extra: u32,
    pub occupation: usize,
    pub zip: u32,
    bias: f64,
    taste: Taste,
}

pub(super) struct Item {
    pub title: String,
    pub year: u16,
    /// Places in [`GENRES`].
    pub genres: Vec<u8>,
    score: f64,
    taste: Taste,
    drift: f64,
}

pub(super) struct Row {
    /// Places in `World::users` and `World::items`; raw ids are one more.
    pub user: u32,
    pub item: u32,
    pub rating: u8,
    pub time: i64,
    pub click_probability: f32,
}

pub(super) struct World {
    config: SimulateConfig,
    pub users: Vec<User>,
    pub items: Vec<Item>,
    /// Sums of the popularities up to and with each item.
    popularity: Vec<f64>,
    /// Ratings of each user.
    activity: Vec<usize>,
}

impl World {
    pub fn new(config: SimulateConfig) -> World {
        let (items, popularity) = items(config);
        let users = users(config);
        let activity = activity(config);
        World { config, users, items, popularity, activity }
    }

    /// The ratings in file order: 1M is ordered by user (not by time), 100K not at all.
    pub fn rows(&self, layout: Layout, positive_from: u8) -> Vec<Row> {
        let per_user: Vec<Vec<Row>> = (0..self.users.len())
            .into_par_iter()
            .map_init(
                || vec![false; self.items.len()],
                |seen, user| self.rows_of_user(user, positive_from, seen),
            )
            .collect();
        let mut rows: Vec<Row> = per_user.into_iter().flatten().collect();
        if layout == Layout::K100 {
            shuffle(&mut rows, &mut rng(self.config.seed, Stream::FileOrder, 0));
        }
        rows
    }

    /// `seen` is all false before and after.
    fn rows_of_user(&self, number: usize, positive_from: u8, seen: &mut [bool]) -> Vec<Row> {
        let r = &mut rng(self.config.seed, Stream::Rows, number as u64);
        let user = &self.users[number];
        let total = self.popularity.last().copied().unwrap_or(0.0);
        let cut = CUTS[usize::from(positive_from) - 2];

        // Most users join early; they rate in sittings, with long breaks between them.
        let span = (TIME.1 - TIME.0) as f64;
        let mut at = span * r.random::<f64>().powi(2);
        let mut rows = Vec::with_capacity(self.activity[number]);
        while rows.len() < self.activity[number] {
            let draw = r.random::<f64>() * total;
            let item = self.popularity.partition_point(|p| *p <= draw).min(self.items.len() - 1);
            if std::mem::replace(&mut seen[item], true) {
                continue;
            }
            let movie = &self.items[item];
            let pause = if r.random::<f64>() < 0.05 { 2_000_000.0 } else { 30.0 };
            at = (at - pause * (1.0 - r.random::<f64>()).ln()).min(span);
            let match_: f64 = user.taste.iter().zip(&movie.taste).map(|(p, q)| p * q).sum();
            let logit = BASE
                + user.bias
                + movie.score
                + TASTE * match_ / (D as f64).sqrt()
                + DRIFT * (at / span - 0.5) * movie.drift;
            // One uniform number decides the whole rating, so that P(rating >= r) = sigmoid(logit - cut_r) for all r.
            let u = r.random::<f64>();
            let rating = 1 + CUTS.iter().filter(|c| u < sigmoid(logit - **c)).count() as u8;
            rows.push(Row {
                user: number as u32,
                item: item as u32,
                rating,
                time: TIME.0 + at as i64,
                click_probability: sigmoid(logit - cut) as f32,
            });
        }
        rows.iter().for_each(|row| seen[row.item as usize] = false);
        rows
    }
}

/// The movies and the running sums of their popularities.
fn items(config: SimulateConfig) -> (Vec<Item>, Vec<f64>) {
    let r = &mut rng(config.seed, Stream::Vocabulary, 0);
    let genres: Vec<Trait> = (1..GENRES.len()).map(|_| Trait::new(r)).collect();
    let genre_weight: Vec<f64> = (0..genres.len()).map(|g| 1.0 / (1.0 + 0.4 * g as f64)).collect();
    // About as many words as movies, their frequencies by Zipf's law.
    let words: Vec<(String, Trait)> =
        (0..config.items.max(60)).map(|n| (word(n, r), Trait::new(r))).collect();
    let mut word_sums = Vec::with_capacity(words.len());
    let mut sum = 0.0;
    for rank in 0..words.len() {
        sum += 1.0 / (rank as f64 + 4.0);
        word_sums.push(sum);
    }

    let r = &mut rng(config.seed, Stream::Items, 0);
    let mut quality = Vec::new();
    let mut side_taste = Vec::new();
    let mut items = Vec::new();
    for _ in 0..config.items {
        let mut of_item: Vec<u8> = Vec::new();
        for _ in 0..[1, 1, 2, 2, 3, 4][r.random_range(0..6)] {
            let mut draw = r.random::<f64>() * genre_weight.iter().sum::<f64>();
            let genre = genre_weight.iter().position(|w| {
                draw -= w;
                draw < 0.0
            });
            let genre = genre.map_or(1, |g| g as u8 + 1);
            if !of_item.contains(&genre) {
                of_item.push(genre);
            }
        }
        let mut traits: Vec<&Trait> = of_item.iter().map(|g| &genres[usize::from(*g) - 1]).collect();
        let drift = traits.iter().map(|t| t.drift).sum::<f64>() / (traits.len() as f64).sqrt();
        let mut title = String::new();
        for _ in 0..r.random_range(1..=5) {
            let draw = r.random::<f64>() * sum;
            let (text, word) = &words[word_sums.partition_point(|s| *s <= draw).min(words.len() - 1)];
            title += text;
            title.push(' ');
            traits.push(word);
        }
        let age = (80.0 * r.random::<f64>().powi(3)) as u16; // Most are recent.
        title += &format!("({})", 2000 - age);
        let share = 1.0 / (traits.len() as f64).sqrt();
        // Old films that are still watched are good ones.
        quality.push(traits.iter().map(|t| t.quality).sum::<f64>() * share + f64::from(age) / 40.0);
        side_taste.push(std::array::from_fn(|d| traits.iter().map(|t| t.taste[d]).sum::<f64>() * share));
        items.push(Item { title, year: 2000 - age, genres: of_item, score: 0.0, taste: [0.0; D], drift });
    }
    standardise(&mut quality);
    standardise_tastes(&mut side_taste);

    let mut sums = Vec::with_capacity(items.len());
    let mut sum = 0.0;
    for (item, (quality, side)) in items.iter_mut().zip(quality.iter().zip(&side_taste)) {
        let residual = normal(r);
        item.score = QUALITY * quality + RESIDUAL * residual;
        item.taste = blend(side, ITEM_TASTE_EXPLAINED, r);
        // 0.2^2 + 0.2^2 + 0.96^2 is about 1.
        sum += (POPULARITY * (0.2 * quality + 0.2 * residual + 0.96 * normal(r))).exp();
        sums.push(sum);
    }
    (items, sums)
}

fn users(config: SimulateConfig) -> Vec<User> {
    let r = &mut rng(config.seed, Stream::Users, 0);
    let mut effects = |n: usize| (0..n).map(|_| taste(r)).collect::<Vec<Taste>>();
    let (gender, age, occupation) = (effects(2), effects(AGE_GROUPS.len()), effects(OCCUPATIONS.len()));
    let zips = (config.users * 3 / 4).clamp(1, 90_000) as u32;
    let mut side_taste = Vec::new();
    let mut users: Vec<User> = (0..config.users)
        .map(|_| {
            let user = User {
                male: r.random::<f64>() < 0.7,
                age_group: [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6][r.random_range(0..18)],
                age_extra: r.random_range(0..5),
                occupation: r.random_range(0..OCCUPATIONS.len()),
                zip: 10_000 + r.random_range(0..zips),
                bias: USER_BIAS * normal(r),
                taste: [0.0; D],
            };
            let parts = [&gender[usize::from(user.male)], &age[user.age_group], &occupation[user.occupation]];
            side_taste.push(std::array::from_fn(|d| parts.iter().map(|t| t[d]).sum::<f64>()));
            user
        })
        .collect();
    standardise_tastes(&mut side_taste);
    for (user, side) in users.iter_mut().zip(&side_taste) {
        user.taste = blend(side, USER_TASTE_EXPLAINED, r);
    }
    users
}

/// Ratings per user: 20 and a log-normal share of the rest, at most half of the movies, together exactly `ratings`.
fn activity(config: SimulateConfig) -> Vec<usize> {
    let SimulateConfig { users, items, rows: ratings, seed } = config;
    let r = &mut rng(seed, Stream::Users, 1);
    let share: Vec<f64> = (0..users).map(|_| (ACTIVITY * normal(r)).exp()).collect();
    shared_out(&share, ratings, MIN_ACTIVITY, items / 2)
}

/// An invented word for every number: syllables are the number's digits, some end in a letter beyond ASCII.
fn word(number: usize, r: &mut impl Rng) -> String {
    const SYLLABLES: [&str; 20] = [
        "ka", "mo", "ri", "tel", "su", "van", "do", "lin", "pe", "gar", "no", "shi", "bel", "tu", "fer",
        "za", "wi", "cor", "lu", "dan",
    ];
    let mut text = String::new();
    let mut n = number + SYLLABLES.len(); // At least two syllables.
    while n > 0 {
        text += SYLLABLES[n % SYLLABLES.len()];
        n /= SYLLABLES.len();
    }
    if r.random::<f64>() < 0.02 {
        text.push('\u{e9}');
    }
    text[..1].to_uppercase() + &text[1..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: SimulateConfig = SimulateConfig { users: 200, items: 150, rows: 6000, seed: 3 };

    #[test]
    fn exact_number_of_ratings_and_no_pair_twice() {
        let world = World::new(SMALL);
        assert!(world.activity.iter().all(|n| (MIN_ACTIVITY..=75).contains(n)));
        let rows = world.rows(Layout::K100, 4);
        assert_eq!(rows.len(), SMALL.rows);
        let pairs: std::collections::HashSet<(u32, u32)> = rows.iter().map(|r| (r.user, r.item)).collect();
        assert_eq!(pairs.len(), rows.len());
        assert!(rows.iter().all(|r| (1..=5).contains(&r.rating)));
    }

    #[test]
    fn words_are_distinct() {
        let r = &mut rng(1, Stream::Vocabulary, 0);
        let words: std::collections::HashSet<String> =
            (0..5000).map(|n| word(n, r).trim_end_matches('\u{e9}').to_string()).collect();
        assert!(words.len() > 4900, "{}", words.len());
    }
}
