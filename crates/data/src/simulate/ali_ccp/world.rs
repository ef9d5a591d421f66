//! Users, items, what they mean to each scenario, and the moments with their histories.
use super::super::SimulateConfig;
use super::super::random::{D, Stream, Taste, normal, rng, shared_out, skewed, taste};
use super::{IMPRESSIONS, SIZES};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Categories, shops, brands and intention nodes: the channels of histories, and what an item is described by.
pub(super) const CHANNELS: usize = 4;
/// Items per category, shop, brand and intention node.
const ITEMS_PER: [usize; CHANNELS] = [40, 10, 15, 20];
/// Shares of the variance of an item's meaning by category, shop, brand and intention nodes; the rest is its own.
const MEANING: [f64; CHANNELS] = [0.35, 0.2, 0.2, 0.15];
/// Share of the variance of a shop's, brand's or node's meaning that its category explains.
const HOME: f64 = 0.6;
/// Share of items without a brand, and the most intention nodes of one.
const NO_BRAND: f64 = 0.3;
const NODES: usize = 5;

/// How much each scenario looks at each channel and at the nearest behaviours; and mean and deviation of its lenses' factors.
pub(super) const WEIGHTS: [[f64; CHANNELS]; 3] =
    [[1.0, 0.2, 0.2, 0.8], [0.2, 0.4, 1.0, 0.4], [0.3, 1.0, 0.8, 0.2]];
pub(super) const FOCUS: [f64; 3] = [0.5, 1.0, 2.0];
const LENS: (f64, f64) = (0.4, 0.9);

/// Categories that a user is interested in, at most; the share of seen items that are of them; how many items a history has, mean
/// and log-normal spread; and the share of them that all moments of a user have.
const INTERESTS: usize = 4;
const MATCHED: f64 = 0.65;
const HISTORY: (f64, f64) = (60.0, 0.6);
const LASTING: f64 = 0.8;
/// Numbers of values of the user's fields behind the id, and how often one is absent.
pub(super) const PROFILE: [usize; 8] = [98, 13, 2, 7, 3, 3, 2, 4];
const ABSENT: f64 = 0.05;
/// One of so many common rows of B1 has every other impression in B3; as many of B3's are the other way round.
const TWO_SCENARIOS: usize = 50;

pub(super) struct World {
    /// `[item][channel]`: its category, shop, brand (or none) and intention nodes.
    pub attributes: Vec<[Vec<u32>; CHANNELS]>,
    pub vector: Vec<Taste>,
    pub quality: Vec<f64>,
    /// `[channel][value]`.
    pub meaning: [Vec<Taste>; CHANNELS],
    /// `[scenario][channel]`: a factor for every latent taste.
    pub lens: [[Taste; CHANNELS]; 3],
    pub users: Vec<User>,
    /// Items by category, the popular ones first.
    by_category: Vec<Vec<u32>>,
}

pub(super) struct User {
    /// By field; some are absent.
    pub profile: [Option<u32>; PROFILE.len()],
    pub bias: f64,
    interests: Vec<u32>,
}

/// What the impressions of a common row share.
pub(super) struct Moment {
    pub user: u32,
    pub scenario: usize,
    /// The scenario of the other half of the impressions, where there are two.
    pub other: Option<usize>,
    pub test: bool,
    pub rows: usize,
    /// `[channel]`: value and how often it was seen, as a logarithm; by value.
    pub history: [Vec<(u32, f64)>; CHANNELS],
}

impl World {
    pub fn new(config: SimulateConfig) -> World {
        let n = config.items;
        let r = &mut rng(config.seed, Stream::Items, 0);
        let sizes = ITEMS_PER.map(|per| (n / per).max(5));
        // Shops, brands and nodes are at home in a category.
        let homes: Vec<Vec<usize>> = sizes.map(|size| (0..size).map(|v| v % sizes[0]).collect()).to_vec();
        let centres: Vec<Taste> = (0..sizes[0]).map(|_| taste(r)).collect();
        let meaning = std::array::from_fn(|channel| match channel {
            0 => centres.clone(),
            _ => homes[channel].iter().map(|home| mixed(&centres[*home], HOME, r)).collect(),
        });
        let category = skewed(sizes[0], n, r);
        let attributes: Vec<[Vec<u32>; CHANNELS]> = category
            .iter()
            .map(|c| {
                let mut near = |channel: usize| {
                    let own = sizes[channel].div_ceil(sizes[0]);
                    let value = *c as usize + sizes[0] * r.random_range(0..own);
                    let any = r.random_range(0..sizes[channel]);
                    (if value < sizes[channel] { value } else { any }) as u32
                };
                let (shop, brand) = (near(1), near(2));
                let mut nodes: Vec<u32> = (0..NODES).map(|_| near(3)).collect();
                nodes.truncate(r.random_range(1..=NODES));
                nodes.sort_unstable();
                nodes.dedup();
                let brand = if r.random::<f64>() < NO_BRAND { vec![] } else { vec![brand] };
                [vec![*c], vec![shop], brand, nodes]
            })
            .collect();
        let vector = attributes.iter().map(|own| item_vector(own, &meaning, r)).collect();
        let quality = (0..n).map(|_| normal(r)).collect();
        let mut by_category = vec![Vec::new(); sizes[0]];
        category.iter().enumerate().for_each(|(item, c)| by_category[*c as usize].push(item as u32));
        let r = &mut rng(config.seed, Stream::Vocabulary, 0);
        let lens = std::array::from_fn(|_| {
            std::array::from_fn(|_| std::array::from_fn(|_| LENS.0 + LENS.1 * normal(r)))
        });
        let users = (0..config.users as u64)
            .map(|u| User::new(&category, &mut rng(config.seed, Stream::Users, 1 + u)));
        World { attributes, vector, quality, meaning, lens, users: users.collect(), by_category }
    }

    /// An item that a user sees: mostly of the categories the user is interested in, and popular ones more often.
    pub fn seen(&self, user: u32, r: &mut impl Rng) -> u32 {
        let interests = &self.users[user as usize].interests;
        let popular = r.random::<f64>().powi(2);
        match r.random::<f64>() < MATCHED {
            true => {
                let items = &self.by_category[interests[r.random_range(0..interests.len())] as usize];
                items[(items.len() as f64 * popular) as usize]
            }
            false => (self.attributes.len() as f64 * popular) as u32,
        }
    }
}

impl User {
    fn new(category: &[u32], r: &mut impl Rng) -> User {
        let profile = PROFILE.map(|n| (r.random::<f64>() >= ABSENT).then(|| skewed(n, 1, r)[0]));
        // What a group of the profile has in common, and the user's own.
        let bias =
            0.3 * (profile[1].map_or(0.0, |group| f64::from(group * 7 % 5) - 2.0) + normal(r)) / 2f64.sqrt();
        let n = r.random_range(1..=INTERESTS);
        let interests = (0..n).map(|_| category[r.random_range(0..category.len())]).collect();
        User { profile, bias, interests }
    }
}

/// A taste of which `share` of the variance is another's.
fn mixed(other: &Taste, share: f64, r: &mut impl Rng) -> Taste {
    other.map(|x| share.sqrt() * x + (1.0 - share).sqrt() * normal(r))
}

fn item_vector(own: &[Vec<u32>; CHANNELS], meaning: &[Vec<Taste>; CHANNELS], r: &mut impl Rng) -> Taste {
    let rest = 1.0 - MEANING.iter().sum::<f64>();
    let mut vector = taste(r).map(|x| rest.sqrt() * x);
    for ((values, meaning), share) in own.iter().zip(meaning).zip(MEANING) {
        for value in values {
            let weight = share.sqrt() / values.len() as f64;
            vector.iter_mut().zip(&meaning[*value as usize]).for_each(|(v, m)| *v += weight * m);
        }
    }
    vector
}

/// The moments of all users, scenario by scenario, training and test in turn; together as many impressions as there are rows.
pub(super) fn moments(world: &World, config: SimulateConfig) -> Vec<Moment> {
    let r = &mut rng(config.seed, Stream::Users, 0);
    let users = shared_out(&SIZES.map(|s| s[0]), config.users, 1, usize::MAX);
    let impressions = shared_out(&SIZES.map(|s| s[2]), config.rows, 1, usize::MAX);
    let numbers: Vec<usize> = impressions.iter().map(|n| (n / IMPRESSIONS).max(2)).collect();
    let mut all = Vec::new();
    let mut first = 0;
    for scenario in 0..SIZES.len() {
        let n = numbers[scenario];
        let activity: Vec<f64> = (0..n).map(|_| (0.5 * normal(r)).exp()).collect();
        let rows = shared_out(&activity, impressions[scenario], 1, usize::MAX);
        let step = n / (numbers[0] / TWO_SCENARIOS).max(1);
        all.extend(rows.into_iter().enumerate().map(|(k, rows)| Moment {
            user: (first + k / 2 % users[scenario]) as u32,
            scenario,
            other: (scenario != 1 && k % step == 0).then_some(2 - scenario),
            test: k % 2 == 1,
            rows,
            history: Default::default(),
        }));
        first += users[scenario];
    }
    all.par_iter_mut()
        .enumerate()
        .for_each(|(k, moment)| moment.history = history(world, moment.user, k, config.seed));
    all
}

/// How often a user saw items of each category, shop, brand and intention node.
fn history(world: &World, user: u32, moment: usize, seed: u64) -> [Vec<(u32, f64)>; CHANNELS] {
    let lasting = &mut rng(seed, Stream::Users, (1 << 40) + u64::from(user));
    let own = &mut rng(seed, Stream::Users, (2 << 40) + moment as u64);
    let n = (HISTORY.0 * (HISTORY.1 * normal(lasting)).exp()).clamp(1.0, 2000.0) as usize;
    let mut seen: [BTreeMap<u32, f64>; CHANNELS] = Default::default();
    for _ in 0..n {
        let item = world.seen(user, lasting);
        let item = if own.random::<f64>() < LASTING { item } else { world.seen(user, own) };
        // What was long ago counts less.
        let weight = own.random_range(0.2..1.5);
        for (seen, values) in seen.iter_mut().zip(&world.attributes[item as usize]) {
            values.iter().for_each(|value| *seen.entry(*value).or_default() += weight);
        }
    }
    // With as many decimals as the files have.
    let value = |weight: f64| (weight.ln_1p() * 1e5).round() / 1e5;
    seen.map(|seen| seen.into_iter().map(|(v, weight)| (v, value(weight))).collect())
}

pub(super) fn dot(a: &Taste, b: &Taste) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / (D as f64).sqrt()
}
