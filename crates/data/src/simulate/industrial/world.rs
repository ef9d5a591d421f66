//! Users, items and what scenarios make of behaviours.
use super::super::SimulateConfig;
use super::super::random::{Stream, normal, rng, skewed};
use super::Shape;
use crate::industrial::{ITEM_VALUES, USER_VALUES};
use rand::{Rng, RngExt};

/// Width of latent vectors, and rank of what a scenario does to them.
pub(super) const D: usize = 16;
const RANK: usize = 4;
pub(super) type Vector = [f32; D];

/// ρ: how far a scenario turns a behaviour.
const TURN: f32 = 0.7;
/// Variance of an item's vector by category, brand and its own.
const PARTS: [f64; 3] = [0.55, 0.2, 0.25];
/// Categories that a user is interested in, at most.
const INTERESTS: usize = 4;
/// τ of the broadest and of the most focused scenario.
const FOCUS: (f32, f32) = (0.3, 3.0);

pub(super) struct World {
    pub users: Users,
    pub items: Items,
    /// `[scenario][circumstances]`.
    turns: Vec<[Turn; 2]>,
    /// τ by scenario.
    pub focus: Vec<f32>,
    /// What a price is worth, `[scenario][price]`.
    pub price: Vec<Vec<f32>>,
}

pub(super) struct Users {
    /// `[attribute][user]`.
    pub attributes: Vec<Vec<u32>>,
    /// Categories.
    pub interests: Vec<Vec<u32>>,
}

pub(super) struct Items {
    /// `[attribute][item]`: category, brand, shop, price.
    pub attributes: Vec<Vec<u32>>,
    pub vector: Vec<Vector>,
    pub quality: Vec<f32>,
    /// Items of each scenario by category, the popular ones first: `[scenario][category]`.
    pub on_sale: Vec<Vec<Vec<u32>>>,
}

/// R = I + ρ U V', applied to a behaviour.
struct Turn {
    u: [Vector; RANK],
    v: [Vector; RANK],
}

impl World {
    pub fn new(shape: &Shape, tailored: bool, config: SimulateConfig) -> World {
        let scenarios = shape.sizes.len();
        let r = &mut rng(config.seed, Stream::Vocabulary, 0);
        let turn =
            |r: &mut _| Turn { u: std::array::from_fn(|_| unit(r)), v: std::array::from_fn(|_| unit(r)) };
        let still = || Turn { u: [[0.0; D]; RANK], v: [[0.0; D]; RANK] };
        let turns =
            (0..scenarios).map(|_| if tailored { [turn(r), turn(r)] } else { [still(), still()] }).collect();
        let share = |s: usize| s as f32 / (scenarios - 1) as f32;
        let focus = (0..scenarios).map(|s| FOCUS.0 * (FOCUS.1 / FOCUS.0).powf(share(s * 5 % scenarios)));
        let price = (0..scenarios).map(|_| {
            let slope = normal(r) as f32;
            (0..ITEM_VALUES[3]).map(|p| slope * (p as f32 / (ITEM_VALUES[3] - 1) as f32 - 0.5)).collect()
        });
        let (focus, price) = (focus.collect(), price.collect());
        World { users: Users::new(config), items: Items::new(shape, config), turns, focus, price }
    }

    /// R b, for a scenario and circumstances.
    pub fn turned(&self, scenario: usize, circumstances: usize, b: &Vector) -> Vector {
        let Turn { u, v } = &self.turns[scenario][circumstances];
        let mut out = *b;
        for (u, v) in u.iter().zip(v) {
            let along = TURN * (D as f32).sqrt() * dot(v, b);
            out.iter_mut().zip(u).for_each(|(o, u)| *o += along * u);
        }
        out
    }
}

impl Users {
    fn new(config: SimulateConfig) -> Users {
        let r = &mut rng(config.seed, Stream::Users, 0);
        let attributes = USER_VALUES.iter().map(|n| skewed(*n, config.users, r)).collect();
        let interests = (0..config.users).map(|_| {
            let n = r.random_range(1..=INTERESTS);
            skewed(ITEM_VALUES[0], n, r)
        });
        Users { attributes, interests: interests.collect() }
    }
}

impl Items {
    fn new(shape: &Shape, config: SimulateConfig) -> Items {
        let r = &mut rng(config.seed, Stream::Items, 0);
        let n = config.items;
        let [categories, brands, shops, prices] = ITEM_VALUES;
        let category = skewed(categories, n, r);
        // A brand is at home in a category, a shop with some brands; prices go with the brand.
        let per_category = brands / categories;
        let brand: Vec<u32> = category
            .iter()
            .map(|c| c * per_category as u32 + r.random_range(0..per_category as u32))
            .collect();
        let shop = brand.iter().map(|b| (b * 3 / 2 + r.random_range(0..3)) % shops as u32).collect();
        let level: Vec<f64> = (0..brands).map(|_| r.random::<f64>()).collect();
        let price = brand.iter().map(|b| {
            let at = prices as f64 * (0.8 * level[*b as usize] + 0.2 * r.random::<f64>());
            (at as u32).min(prices as u32 - 1)
        });
        let price = price.collect();
        let centres: Vec<Vector> = (0..categories).map(|_| gauss(r, PARTS[0])).collect();
        let effects: Vec<Vector> = (0..brands).map(|_| gauss(r, PARTS[1])).collect();
        let vector = (0..n).map(|i| {
            let own = gauss(r, PARTS[2]);
            let (centre, effect) = (&centres[category[i] as usize], &effects[brand[i] as usize]);
            std::array::from_fn(|d| centre[d] + effect[d] + own[d])
        });
        let vector = vector.collect();
        let quality = (0..n).map(|_| normal(r) as f32).collect();
        let most = shape.sizes.iter().map(|s| s.items).fold(0.0, f64::max);
        let on_sale = shape.sizes.iter().enumerate().map(|(scenario, size)| {
            let r = &mut rng(config.seed, Stream::Items, 1 + scenario as u64);
            let mut by_category = vec![Vec::new(); categories];
            for (item, category) in category.iter().enumerate() {
                if r.random::<f64>() < size.items / most {
                    by_category[*category as usize].push(item as u32);
                }
            }
            by_category
        });
        Items { on_sale: on_sale.collect(), attributes: vec![category, brand, shop, price], vector, quality }
    }
}

fn gauss(r: &mut impl Rng, variance: f64) -> Vector {
    std::array::from_fn(|_| (variance.sqrt() * normal(r)) as f32)
}

/// A random vector of length 1.
fn unit(r: &mut impl Rng) -> Vector {
    let v = gauss(r, 1.0);
    let length = dot(&v, &v).sqrt();
    v.map(|x| x / length)
}

pub(super) fn dot(a: &Vector, b: &Vector) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
