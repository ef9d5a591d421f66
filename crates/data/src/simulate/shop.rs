//! The simulated world of a shop, which Taobao's and CIKM's simulators fill with their own attributes.
//!
//! The logit of a positive row of user u and item i in context c is
//!
//! ```text
//! base + bias_u + bias_i + taste . p_u . q_i / sqrt(D) + effect_c
//! ```
//!
//! - Half of `bias_i`'s variance and most of `q_i`'s follow from the item's attributes (category, seller, brand, ...), part
//!   of `bias_u` and `p_u` from the user's: side information predicts a cold item in part, its first rows tell more.
//! - Popularity and activity are log-normal. Attributes explain a part of them too, so that popular items are found in
//!   the same categories and shops as those that become popular later.
//! - `base` is chosen so that the mean probability is the wanted one.
use super::SimulateConfig;
use super::random::{
    D, Stream, Taste, Trait, blend, draw, normal, rng, shuffle, sigmoid, standardise, standardise_tastes,
};
use crate::Checked;
use rand::{Rng, RngExt};
use rayon::prelude::*;

/// Standard deviation of the inner product of tastes in the logit.
const TASTE: f64 = 0.7;

/// Whether such a dataset exists; else the key to blame and why.
pub(super) fn check(config: SimulateConfig) -> Checked<()> {
    let SimulateConfig { users, items, rows, .. } = config;
    for (key, n) in [("users", users), ("items", items)] {
        if !(10..=50_000_000).contains(&n) {
            return Err((key, format!("{n} should be 10 to 50000000")));
        }
    }
    let least = users.max(items);
    if !(least..=u32::MAX as usize).contains(&rows) {
        return Err((
            "rows",
            format!("{rows} should be {least} to {}: at least 1 per user and item", u32::MAX),
        ));
    }
    Ok(())
}

/// The same kind of dataset with another number of rows; each user and each item keeps its own number of rows.
pub(super) fn with_rows(config: SimulateConfig, rows: usize) -> SimulateConfig {
    let factor = rows as f64 / config.rows as f64;
    let scale = |n: usize| ((n as f64 * factor).round() as usize).max(10);
    SimulateConfig { users: scale(config.users), items: scale(config.items), rows, seed: config.seed }
}

/// A value for each user or item, below the number of values, and its weight among their attributes.
pub(super) struct Attribute<'a> {
    pub values: &'a [u32],
    pub weight: f64,
}

/// How users or items differ.
pub(super) struct Shape {
    /// Standard deviation of the bias.
    pub bias: f64,
    /// Log-normal spread of the number of rows.
    pub spread: f64,
    /// Shares of the variance of bias, taste and logarithmic number of rows that attributes explain.
    pub explained: [f64; 3],
}

/// All users, or all items.
struct Population {
    bias: Vec<f64>,
    taste: Vec<Taste>,
    /// Rows of each, at least 1.
    rows: Vec<u32>,
}

impl Population {
    fn new(
        shape: &Shape,
        attributes: &[Attribute],
        size: usize,
        rows: usize,
        r: &mut impl Rng,
    ) -> Population {
        let mut quality = vec![0.0; size];
        let mut taste = vec![[0.0; D]; size];
        let mut appeal = vec![0.0; size];
        for Attribute { values, weight } in attributes {
            let count = values.iter().max().map_or(0, |m| *m as usize + 1);
            let traits: Vec<(Trait, f64)> = (0..count).map(|_| (Trait::new(r), normal(r))).collect();
            for (i, value) in values.iter().enumerate() {
                let (t, a) = &traits[*value as usize];
                quality[i] += weight * t.quality;
                appeal[i] += weight * a;
                taste[i].iter_mut().zip(&t.taste).for_each(|(sum, t)| *sum += weight * t);
            }
        }
        standardise(&mut quality);
        standardise(&mut appeal);
        standardise_tastes(&mut taste);
        let [of_bias, of_taste, of_rows] = shape.explained;
        let mut mix =
            |side: f64, explained: f64| explained.sqrt() * side + (1.0 - explained).sqrt() * normal(r);
        let bias = quality.iter().map(|q| shape.bias * mix(*q, of_bias)).collect();
        let appeal: Vec<f64> = appeal.iter().map(|a| mix(*a, of_rows)).collect();
        taste.iter_mut().for_each(|t| *t = blend(t, of_taste, r));
        Population { bias, taste, rows: shares(&by_rank(&appeal, shape.spread, r), rows) }
    }
}

/// Log-normal numbers in the order of `appeal`. They are drawn apart from it: attributes with few values make lumps, and
/// the tail decides how many items are old and how many are new.
fn by_rank(appeal: &[f64], spread: f64, r: &mut impl Rng) -> Vec<f64> {
    let mut drawn: Vec<f64> = appeal.iter().map(|_| (spread * normal(r)).exp()).collect();
    drawn.sort_by(f64::total_cmp);
    let mut order: Vec<u32> = (0..appeal.len() as u32).collect();
    order.sort_by(|a, b| appeal[*a as usize].total_cmp(&appeal[*b as usize]));
    let mut out = vec![0.0; appeal.len()];
    order.iter().zip(drawn).for_each(|(i, value)| out[*i as usize] = value);
    out
}

/// Whole numbers of at least 1 that sum to `total`, as near to being proportional to `share` as that allows.
fn shares(share: &[f64], total: usize) -> Vec<u32> {
    let sum: f64 = share.iter().sum();
    let rest = (total - share.len()) as f64;
    // What a running sum rounds to: no remainder is left over.
    let mut before = 0.0;
    let mut given = 0;
    share
        .iter()
        .map(|s| {
            before += s;
            let upto = ((rest * before / sum).round() as usize).min(total - share.len());
            let n = 1 + (upto - given) as u32;
            given = upto;
            n
        })
        .collect()
}

/// A circumstance of a row: its share of the rows, and what it adds to the logit.
pub(super) struct Context {
    pub share: f64,
    pub effect: f64,
}

/// What happens in the shop.
pub(super) struct Shop<'a> {
    pub config: SimulateConfig,
    pub users: (Shape, &'a [Attribute<'a>]),
    pub items: (Shape, &'a [Attribute<'a>]),
    pub contexts: &'a [Context],
    /// Length of the time in seconds.
    pub span: u32,
    /// Share of the rows that repeat user and item of another row, soon after it.
    pub repeats: f64,
    /// Which of several shops of the same people and things this is; each draws its rows anew.
    pub draw: u64,
    /// Mean probability of a positive row.
    pub rate: f64,
}

/// A row.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Place among the users.
    pub user: u32,
    /// Place among the items.
    pub item: u32,
    /// Seconds from the start.
    pub time: u32,
    /// Place in [`Shop::contexts`].
    pub context: u8,
    pub positive: bool,
    pub probability: f32,
}

impl Shop<'_> {
    fn rng(&self, stream: Stream, index: u64) -> impl Rng + use<> {
        rng(self.config.seed, stream, index + (self.draw << 48))
    }

    /// The rows, ordered by item.
    pub fn rows(&self) -> Vec<Row> {
        let SimulateConfig { seed, rows, .. } = self.config;
        let people = |(shape, attributes): &(Shape, &[Attribute]), size, stream| {
            Population::new(shape, attributes, size, rows, &mut rng(seed, stream, 1))
        };
        let (users, items) = rayon::join(
            || people(&self.users, self.config.users, Stream::Users),
            || people(&self.items, self.config.items, Stream::Items),
        );
        let mut out = self.pairs(&users, &items);
        self.fill(&mut out, &users, &items);
        self.decide(&mut out);
        out
    }

    /// Users and items of all rows: every user's rows are dealt out at random among the items' places.
    fn pairs(&self, users: &Population, items: &Population) -> Vec<Row> {
        let r = &mut self.rng(Stream::Rows, 0);
        let mut user = repeated(&users.rows);
        shuffle(&mut user, r);
        let item = repeated(&items.rows);
        // A repetition takes the place of another row of a user who has more than one.
        let mut left = users.rows.clone();
        for row in 1..user.len() {
            let (other, same) = (user[row] as usize, user[row - 1] as usize);
            if item[row] == item[row - 1] && left[other] > 1 && r.random::<f64>() < self.repeats {
                left[other] -= 1;
                left[same] += 1;
                user[row] = same as u32;
            }
        }
        let row = |(user, item)| Row { user, item, time: 0, context: 0, positive: false, probability: 0.0 };
        user.into_iter().zip(item).map(row).collect()
    }

    /// Times, contexts, and logits without their base in place of probabilities.
    fn fill(&self, rows: &mut [Row], users: &Population, items: &Population) {
        rows.par_chunk_by_mut(|a, b| a.item == b.item).for_each(|rows| {
            let number = rows[0].item as usize;
            let r = &mut self.rng(Stream::Rows, 1 + number as u64);
            let (bias, taste) = (items.bias[number], &items.taste[number]);
            let mut before: Option<(u32, u32)> = None;
            for row in rows {
                let time = match before {
                    Some((user, time)) if user == row.user => time + r.random_range(0..600),
                    _ => r.random_range(0..self.span),
                };
                row.time = time.min(self.span - 1);
                before = Some((row.user, row.time));
                row.context = draw(self.contexts.iter().map(|c| c.share), r.random()) as u8;
                let user = row.user as usize;
                let match_: f64 = users.taste[user].iter().zip(taste).map(|(p, q)| p * q).sum();
                let effect = self.contexts[usize::from(row.context)].effect;
                let logit = users.bias[user] + bias + TASTE * match_ / (D as f64).sqrt() + effect;
                row.probability = logit as f32;
            }
        });
    }

    /// Logits become probabilities, probabilities outcomes.
    fn decide(&self, rows: &mut [Row]) {
        const PIECE: usize = 1 << 16;
        let step = rows.len().div_ceil(200_000);
        let sample: Vec<f64> = rows.iter().step_by(step).map(|row| f64::from(row.probability)).collect();
        let base = base(&sample, self.rate);
        rows.par_chunks_mut(PIECE).enumerate().for_each(|(number, rows)| {
            let r = &mut self.rng(Stream::Labels, number as u64);
            for row in rows {
                row.probability = sigmoid(base + f64::from(row.probability)) as f32;
                row.positive = r.random::<f32>() < row.probability;
            }
        });
    }
}

/// What to add to the logits so that the mean of their probabilities is `rate`.
pub(super) fn base(logits: &[f64], rate: f64) -> f64 {
    let mean = |base: f64| logits.iter().map(|l| sigmoid(base + l)).sum::<f64>() / logits.len() as f64;
    let (mut low, mut high) = (-30.0, 30.0);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if mean(middle) < rate { low = middle } else { high = middle }
    }
    low
}

/// Each number's place as often as it says.
fn repeated(times: &[u32]) -> Vec<u32> {
    times.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n(i as u32, *n as usize)).collect()
}
