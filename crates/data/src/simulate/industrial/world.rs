//! Users, items and what scenarios make of behaviours.
use super::super::SimulateConfig;
use super::super::random::{Stream, normal, rng, skewed};
use super::markets::{Likeness, Shape};
use crate::industrial::USER_VALUES;
use rand::{Rng, RngExt};

/// Width of latent vectors, and rank of what a scenario does to them.
pub(super) const D: usize = 16;
const RANK: usize = 4;
pub(super) type Vector = [f32; D];

/// ρ: how far a scenario turns a behaviour.
const TURN: f32 = 0.7;
/// Variance of an item's vector by category, brand and its own.
const PARTS: [f64; 3] = [0.55, 0.2, 0.25];
/// Weight of the item itself where its attributes count apart.
const ITSELF: f32 = 0.15;
/// The factor by which each next older behaviour counts less, in the scenario that forgets fastest.
const FADE: f32 = 0.9;
/// Categories that a user is interested in, at most.
const INTERESTS: usize = 4;
/// τ of the broadest and of the most focused scenario.
const FOCUS: (f32, f32) = (0.3, 3.0);

pub(super) struct World {
    pub users: Users,
    pub items: Items,
    /// `[scenario][part][circumstances]`.
    turns: Vec<Vec<[Turn; 2]>>,
    /// w, `[scenario][part]`.
    pub weights: Vec<Vec<f32>>,
    /// τ by scenario.
    pub focus: Vec<f32>,
    /// By how much the next older behaviour counts less, by scenario.
    pub fade: Vec<f32>,
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
    /// What behaviours and items are compared in, `[part][item]`.
    pub parts: Vec<Vec<Vector>>,
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
        let parts = match shape.likeness {
            Likeness::Whole => 1,
            Likeness::Attributes => 4,
        };
        let turns = (0..scenarios)
            .map(|_| {
                (0..parts).map(|_| if tailored { [turn(r), turn(r)] } else { [still(), still()] }).collect()
            })
            .collect();
        let share = |s: usize| s as f32 / (scenarios - 1) as f32;
        let focus = (0..scenarios).map(|s| FOCUS.0 * (FOCUS.1 / FOCUS.0).powf(share(s * 5 % scenarios)));
        let [categories, .., prices] = shape.market.item_values();
        let price = (0..scenarios).map(|_| {
            let slope = normal(r) as f32;
            (0..prices).map(|p| slope * (p as f32 / (prices - 1) as f32 - 0.5)).collect()
        });
        let (focus, price) = (focus.collect(), price.collect());
        let apart = shape.likeness == Likeness::Attributes;
        let weights = (0..scenarios).map(|_| if apart { weights(tailored, r) } else { vec![1.0] }).collect();
        let fade = |s: usize| if apart { FADE.powf(share(s * 3 % scenarios)) } else { 1.0 };
        World {
            users: Users::new(categories, config),
            items: Items::new(shape, config),
            turns,
            weights,
            focus,
            fade: (0..scenarios).map(fade).collect(),
            price,
        }
    }

    /// R b, for a scenario, a part and circumstances.
    pub fn turned(&self, scenario: usize, part: usize, circumstances: usize, b: &Vector) -> Vector {
        let Turn { u, v } = &self.turns[scenario][part][circumstances];
        let mut out = *b;
        for (u, v) in u.iter().zip(v) {
            let along = TURN * (D as f32).sqrt() * dot(v, b);
            out.iter_mut().zip(u).for_each(|(o, u)| *o += along * u);
        }
        out
    }
}

/// What a scenario makes of the item itself, its category, its brand and its price.
fn weights(tailored: bool, r: &mut impl Rng) -> Vec<f32> {
    let attributes: [f32; 3] = std::array::from_fn(|_| if tailored { normal(r).exp() as f32 } else { 1.0 });
    let sum: f32 = attributes.iter().sum();
    [ITSELF].into_iter().chain(attributes.map(|w| (1.0 - ITSELF) * w / sum)).collect()
}

impl Users {
    fn new(categories: usize, config: SimulateConfig) -> Users {
        let r = &mut rng(config.seed, Stream::Users, 0);
        let attributes = USER_VALUES.iter().map(|n| skewed(*n, config.users, r)).collect();
        let interests = (0..config.users).map(|_| {
            let n = r.random_range(1..=INTERESTS);
            skewed(categories, n, r)
        });
        Users { attributes, interests: interests.collect() }
    }
}

impl Items {
    fn new(shape: &Shape, config: SimulateConfig) -> Items {
        let r = &mut rng(config.seed, Stream::Items, 0);
        let n = config.items;
        let [categories, brands, shops, prices] = shape.market.item_values();
        let category = skewed(categories, n, r);
        // A brand is at home in a category, a shop with some brands; prices go with the brand.
        let home = |category: u32| (category as usize * brands / categories) as u32;
        let at_home = (brands / categories).max(3) as u32;
        let brand: Vec<u32> =
            category.iter().map(|c| (home(*c) + r.random_range(0..at_home)) % brands as u32).collect();
        let shop = brand.iter().map(|b| (b * 3 / 2 + r.random_range(0..3)) % shops as u32).collect();
        let level: Vec<f64> = (0..brands).map(|_| r.random::<f64>()).collect();
        let price = brand.iter().map(|b| {
            let at = prices as f64 * (0.8 * level[*b as usize] + 0.2 * r.random::<f64>());
            (at as u32).min(prices as u32 - 1)
        });
        let price: Vec<u32> = price.collect();
        let variance = match shape.likeness {
            Likeness::Whole => PARTS,
            Likeness::Attributes => [1.0; 3],
        };
        let centres: Vec<Vector> = (0..categories).map(|_| gauss(r, variance[0])).collect();
        let effects: Vec<Vector> = (0..brands).map(|_| gauss(r, variance[1])).collect();
        let own: Vec<Vector> = (0..n).map(|_| gauss(r, variance[2])).collect();
        let of = |values: &[u32], vectors: &[Vector]| values.iter().map(|v| vectors[*v as usize]).collect();
        let [centres, effects]: [Vec<Vector>; 2] = [of(&category, &centres), of(&brand, &effects)];
        let parts = match shape.likeness {
            Likeness::Whole => {
                let whole = |i: usize| std::array::from_fn(|d| centres[i][d] + effects[i][d] + own[i][d]);
                vec![(0..n).map(whole).collect()]
            }
            Likeness::Attributes => {
                let levels: Vec<Vector> = (0..prices).map(|_| gauss(r, 1.0)).collect();
                vec![own, centres, effects, of(&price, &levels)]
            }
        };
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
        Items { on_sale: on_sale.collect(), attributes: vec![category, brand, shop, price], parts, quality }
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
