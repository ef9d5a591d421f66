//! Simulated CIKM 2019 EComm AI behaviours.
use super::csv::lines;
use super::random::{Stream, draw, mostly, rng, shuffle, skewed, sparse_ids};
use super::shop::{self, Attribute, Context, Shape, Shop};
use super::{Simulate, SimulateConfig, Simulated};
use crate::cikm_ecomm::{BEHAVIOURS, FILES, SPAN};
use crate::raw::RawFiles;
use crate::{Checked, Result};
use rand::RngExt;
use std::io::Write;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// Purchases, as in the sister set.
const BUY_RATE: f64 = 0.0307;
/// What rows that are no purchases are, in the order of [`BEHAVIOURS`]; invented.
const OTHERS: [Context; 3] = [
    Context { share: 0.90, effect: 0.0 },
    Context { share: 0.06, effect: 0.0 },
    Context { share: 0.04, effect: 0.0 },
];
/// Share of the rows that repeat user and item; invented, and so are the attributes' sizes.
const REPEATS: f64 = 0.25;
/// Values per item.
const CATEGORIES: f64 = 0.002;
const SHOPS: f64 = 0.1;
const BRANDS: f64 = 0.03;

/// Log-normal spreads: with the published 15.9 rows per item, items with more than 200 have a sixth of the rows.
const POPULARITY: f64 = 1.5;
const ACTIVITY: f64 = 1.0;

/// CIKM 2019 EComm AI.
pub(super) struct CikmEcomm;

impl Simulate for CikmEcomm {
    fn files(&self) -> Vec<&'static str> {
        FILES.to_vec()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        shop::check(config)
    }

    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        shop::with_rows(config, rows)
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(simulate(config))
    }
}

fn simulate(config: SimulateConfig) -> Simulated {
    let r = &mut rng(config.seed, Stream::Vocabulary, 0);
    let n = config.items;
    let size = |share: f64, least: usize| ((n as f64 * share) as usize).max(least);
    let (categories, shops, brands) = (size(CATEGORIES, 10), size(SHOPS, 5), size(BRANDS, 5));
    let shop = skewed(shops, n, r);
    let category = mostly(&skewed(categories, shops, r), &shop, 0.8, categories, r);
    let brand = mostly(&skewed(brands, shops, r), &shop, 0.8, brands, r);

    let r = &mut rng(config.seed, Stream::Users, 0);
    let mut of = |shares: &[f64]| -> Vec<u32> {
        (0..config.users).map(|_| draw(shares.iter().copied(), r.random()) as u32).collect()
    };
    let (gender, decade) = (of(&[0.3, 0.7]), of(&[0.10, 0.42, 0.28, 0.13, 0.05, 0.02]));
    let power = of(&[0.05, 0.15, 0.30, 0.25, 0.15, 0.07, 0.03]);

    let of = |values, weight| Attribute { values, weight };
    let world = Shop {
        config,
        users: (
            Shape { bias: 0.6, spread: ACTIVITY, explained: [0.4, 0.4, 0.05] },
            &[of(&gender, 1.0), of(&decade, 1.0), of(&power, 1.0)],
        ),
        items: (
            Shape { bias: 0.8, spread: POPULARITY, explained: [0.5, 0.7, 0.4] },
            &[of(&category, 1.0), of(&shop, 0.7), of(&brand, 0.5)],
        ),
        contexts: &OTHERS,
        span: SPAN,
        repeats: REPEATS,
        draw: 0,
        rate: BUY_RATE,
    };
    let mut rows = world.rows();
    let r = &mut rng(config.seed, Stream::FileOrder, 0);
    let (mut item_id, mut user_id) = (sparse_ids(config.items, r), sparse_ids(config.users, r));
    shuffle(&mut item_id, r);
    shuffle(&mut user_id, r);
    shuffle(&mut rows, r);

    let behaviours = lines("", &rows, |row, out| {
        let (user, item) = (user_id[row.user as usize], item_id[row.item as usize]);
        let behaviour = if row.positive { "buy" } else { BEHAVIOURS[usize::from(row.context)] };
        writeln!(out, "{user},{item},{behaviour},{}", row.time).expect("writing to memory");
    });
    let mut users = Vec::new();
    for (i, id) in user_id.iter().enumerate() {
        let age = 14 + 10 * decade[i] + r.random_range(0..10);
        writeln!(users, "{id},{},{age},{}", gender[i], power[i] + 1).expect("writing to memory");
    }
    let mut items = Vec::new();
    for (i, id) in item_id.iter().enumerate() {
        writeln!(items, "{id},{},{},{}", category[i] + 1, shop[i] + 1, brand[i] + 1)
            .expect("writing to memory");
    }
    Simulated {
        files: vec![behaviours, users, items],
        click_probability: rows.iter().map(|row| row.probability).collect(),
        clicks: rows.iter().filter(|row| row.positive).count(),
        items: config.items,
    }
}
