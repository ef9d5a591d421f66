//! Simulated Taobao display ads, with the proportions of the official data.
use super::csv::{header, lines};
use super::random::{Stream, draw, mostly, rng, shuffle, skewed, sparse_ids};
use super::shop::{self, Attribute, Context, Row, Shape, Shop};
use super::{Simulate, SimulateConfig, Simulated};
use crate::raw::RawFiles;
use crate::taobao_ad::{AD_COLUMNS, FILES, SAMPLE_COLUMNS, USER_COLUMNS};
use crate::view::gather;
use crate::{Checked, Result};
use rand::RngExt;
use std::io::Write;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// 6 May 2017, 0:00 in China; and eight days.
const START: u32 = 1_494_000_000;
const SPAN: u32 = 8 * 86_400;

/// The official 1,366,056 clicks of 26,557,961 impressions.
const CLICK_RATE: f64 = 0.0514;
/// The two positions have 16,472,898 and 10,085,063 impressions. That the rarer one is clicked more is invented.
const POSITIONS: [(&str, Context); 2] = [
    ("430548_1007", Context { share: 0.6203, effect: 0.0 }),
    ("430539_1007", Context { share: 0.3797, effect: 0.2 }),
];
/// Users with a profile: 1,061,768 of 1,141,729.
const PROFILES: f64 = 0.93;
/// Missing values: 246,330 of 846,811 brands, 575,917 and 344,920 of 1,061,768 consumption levels and cities.
const NO_BRAND: f64 = 0.2909;
const NO_PVALUE: f64 = 0.5424;
const NO_CITY: f64 = 0.3249;
/// Values per ad: 6,769 categories, 423,436 campaigns, 255,875 customers, 99,815 brands of 846,811 ads.
const CATEGORIES: f64 = 0.0080;
const CAMPAIGNS: f64 = 0.5000;
const CUSTOMERS: f64 = 0.3022;
const BRANDS: f64 = 0.1179;

/// Log-normal spreads. With the official 31.4 impressions per ad, that of ads gives the official shares: ads with more
/// than 2,000 have 13.5 % of the impressions, and six in ten thousand ads have 1,500 to 2,000.
const POPULARITY: f64 = 1.98;
const ACTIVITY: f64 = 1.0;

/// Attributes of the ads, one value per ad.
struct Ads {
    category: Vec<u32>,
    campaign: Vec<u32>,
    customer: Vec<u32>,
    /// 0 for none.
    brand: Vec<u32>,
}

/// Attributes of the users, one value per user, from 0.
struct Users {
    gender: Vec<u32>,
    age: Vec<u32>,
    pvalue: Vec<u32>,
    shopping: Vec<u32>,
    occupation: Vec<u32>,
    city: Vec<u32>,
}

/// Taobao display ads.
pub(super) struct TaobaoAd;

impl Simulate for TaobaoAd {
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
    let (ads, users) = (ads(config), users(config));
    let of = |values, weight| Attribute { values, weight };
    let shop = Shop {
        config,
        users: (
            Shape { bias: 0.45, spread: ACTIVITY, explained: [0.4, 0.4, 0.05] },
            &[
                of(&users.gender, 1.0),
                of(&users.age, 1.0),
                of(&users.pvalue, 0.5),
                of(&users.shopping, 0.7),
                of(&users.occupation, 0.3),
                of(&users.city, 0.5),
            ],
        ),
        items: (
            Shape { bias: 0.6, spread: POPULARITY, explained: [0.5, 0.7, 0.4] },
            &[of(&ads.category, 1.0), of(&ads.campaign, 0.3), of(&ads.customer, 0.6), of(&ads.brand, 0.4)],
        ),
        contexts: &POSITIONS.map(|p| p.1),
        span: SPAN,
        repeats: 0.0,
        draw: 0,
        rate: CLICK_RATE,
    };
    let rows = shop.rows();
    let r = &mut rng(config.seed, Stream::FileOrder, 0);
    let ad_id = sparse_ids(config.items, r);
    let mut user_id = sparse_ids(config.users, r);
    shuffle(&mut user_id, r);
    Simulated {
        files: vec![
            sample_file(&rows, &user_id, &ad_id),
            ad_file(&ads, &ad_id, config),
            user_file(&users, &user_id, config),
        ],
        click_probability: rows.iter().map(|row| row.probability).collect(),
        clicks: rows.iter().filter(|row| row.positive).count(),
        items: config.items,
    }
}

/// Campaigns belong to customers, who have a category and a brand that most of their ads are of.
fn ads(config: SimulateConfig) -> Ads {
    let r = &mut rng(config.seed, Stream::Vocabulary, 0);
    let n = config.items;
    let size = |share: f64, least: usize| ((n as f64 * share) as usize).max(least);
    let (categories, campaigns) = (size(CATEGORIES, 10), size(CAMPAIGNS, 1));
    let (customers, brands) = (size(CUSTOMERS, 1), size(BRANDS, 5));
    let customer_of = skewed(customers, campaigns, r);
    let campaign: Vec<u32> = (0..n).map(|_| r.random_range(0..campaigns as u32)).collect();
    let customer = gather(&customer_of, &campaign);
    let category = mostly(&skewed(categories, customers, r), &customer, 0.8, categories, r);
    let brand = mostly(&skewed(brands, customers, r), &customer, 0.8, brands, r);
    let brand = brand.iter().map(|b| if r.random::<f64>() < NO_BRAND { 0 } else { b + 1 }).collect();
    Ads { category, campaign, customer, brand }
}

fn users(config: SimulateConfig) -> Users {
    let r = &mut rng(config.seed, Stream::Users, 0);
    let mut of = |shares: &[f64]| -> Vec<u32> {
        (0..config.users).map(|_| draw(shares.iter().copied(), r.random()) as u32).collect()
    };
    Users {
        gender: of(&[0.36, 0.64]),
        age: of(&[0.01, 0.05, 0.18, 0.28, 0.25, 0.20, 0.03]),
        pvalue: of(&[0.32, 0.61, 0.07]),
        shopping: of(&[0.06, 0.10, 0.84]),
        occupation: of(&[0.94, 0.06]),
        city: of(&[0.12, 0.43, 0.25, 0.20]),
    }
}

fn sample_file(rows: &[Row], user_id: &[u32], ad_id: &[u32]) -> Vec<u8> {
    lines(&header(&SAMPLE_COLUMNS), rows, |row, out| {
        let (user, ad) = (user_id[row.user as usize], ad_id[row.item as usize]);
        let (time, position) = (START + row.time, POSITIONS[usize::from(row.context)].0);
        let (nonclk, clk) = (u8::from(!row.positive), u8::from(row.positive));
        writeln!(out, "{user},{time},{ad},{position},{nonclk},{clk}").expect("writing to memory");
    })
}

fn ad_file(ads: &Ads, ad_id: &[u32], config: SimulateConfig) -> Vec<u8> {
    let r = &mut rng(config.seed, Stream::Items, 2);
    let mut out = header(&AD_COLUMNS).into_bytes();
    for (i, id) in ad_id.iter().enumerate() {
        let (category, campaign, customer) = (ads.category[i] + 1, ads.campaign[i] + 1, ads.customer[i] + 1);
        let brand = match ads.brand[i] {
            0 => "NULL".to_string(),
            b => b.to_string(),
        };
        // A few outliers, as in the official data.
        let price = if r.random::<f64>() < 1e-5 { 1e8 } else { (1.0 + 7.0 * r.random::<f64>()).exp() };
        writeln!(out, "{id},{category},{campaign},{customer},{brand},{price:.1}").expect("writing to memory");
    }
    out
}

fn user_file(users: &Users, user_id: &[u32], config: SimulateConfig) -> Vec<u8> {
    let r = &mut rng(config.seed, Stream::Users, 2);
    let mut out = header(&USER_COLUMNS).into_bytes();
    out.insert(out.len() - 1, b' '); // As in the official file.
    for (i, id) in user_id.iter().enumerate() {
        if r.random::<f64>() >= PROFILES {
            continue;
        }
        // A group is a gender and an age, a segment is a part of a group; some users are in neither.
        let group = users.age[i] + 6 * users.gender[i];
        let segment = if r.random::<f64>() < 0.5 { 0 } else { 8 * group.min(11) + r.random_range(1..=8) };
        let mut unless = |share: f64, value: u32| {
            if r.random::<f64>() < share { String::new() } else { value.to_string() }
        };
        let (pvalue, city) = (unless(NO_PVALUE, users.pvalue[i] + 1), unless(NO_CITY, users.city[i] + 1));
        let (gender, age) = (users.gender[i] + 1, users.age[i]);
        let (shopping, occupation) = (users.shopping[i] + 1, users.occupation[i]);
        writeln!(out, "{id},{segment},{group},{gender},{age},{pvalue},{shopping},{occupation},{city}")
            .expect("writing to memory");
    }
    out
}
