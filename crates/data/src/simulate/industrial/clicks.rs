//! What is shown in every session, and what of it is clicked.
use super::super::random::{Stream, draw, normal, rng, sigmoid};
use super::markets::{FEW, Shape, Size};
use super::sessions::{PACE, Session, inactive};
use super::world::{D, Vector, World, dot};
use crate::industrial::{DAY, POSITIONS};
use rand::{Rng, RngExt};
use rayon::prelude::*;

/// Weights of the parts of the logit.
const AFFINITY: f64 = 0.9;
const QUALITY: f64 = 0.4;
const PRICE: f64 = 0.3;
const POSITION: f64 = 0.15;
/// Share of the impressions that are of a category the user is interested in.
const MATCHED: f64 = 0.7;
/// Behaviours that a click depends on.
const LAST: usize = 50;

/// A line of the log.
pub(super) struct Impression {
    pub session: u32,
    pub user: u32,
    pub scenario: u16,
    pub time: i64,
    pub position: u32,
    pub item: u32,
    pub click: bool,
    pub probability: f32,
    /// The affinity before it is standardised.
    affinity: f32,
    /// The rest of the logit without base_s.
    rest: f32,
}

/// base_s of every scenario, and mean and deviation of affinities.
struct Scale {
    base: Vec<f64>,
    mean: f64,
    deviation: f64,
}

/// The log in order of time, and every user's clicks before it, time and item.
pub(super) fn impressions(
    shape: &Shape,
    world: &World,
    plan: &[Vec<Session>],
    seed: u64,
) -> (Vec<Impression>, Vec<Vec<(i64, u32)>>) {
    let inactive = inactive(shape, plan, seed);
    let histories: Vec<Vec<(i64, u32)>> = (0..plan.len())
        .into_par_iter()
        .map(|user| earlier(shape, world, user, inactive[user], seed))
        .collect();
    let rate = |s: &Size| s.clicks / s.impressions;
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let mut scale =
        Scale { base: shape.sizes.iter().map(|s| logit(rate(s))).collect(), mean: 0.0, deviation: 1.0 };
    let mut log = Vec::new();
    // Clicks become behaviours, so the scale depends on itself: three rounds bring the rates to where they should be.
    for round in 0..4 {
        let of_user = |user: usize| own_log(world, user, &plan[user], &histories[user], &scale, seed);
        log = (0..plan.len()).into_par_iter().flat_map_iter(of_user).collect();
        if round < 3 {
            scale = rescaled(shape, &log, scale, rate);
        }
    }
    log.par_sort_by_key(|i| (i.time, i.user, i.position));
    number_sessions(&mut log);
    (log, histories)
}

/// Affinities with mean 0 and deviation 1 over this log, and scenarios with the wanted rates.
fn rescaled(shape: &Shape, log: &[Impression], scale: Scale, rate: impl Fn(&Size) -> f64) -> Scale {
    let n = log.len() as f64;
    let mean = log.iter().map(|i| f64::from(i.affinity)).sum::<f64>() / n;
    let variance = log.iter().map(|i| (f64::from(i.affinity) - mean).powi(2)).sum::<f64>() / n;
    let mut next = Scale { mean, deviation: variance.sqrt().max(1e-9), base: scale.base };
    for (scenario, size) in shape.sizes.iter().enumerate() {
        let own: Vec<f64> = log
            .iter()
            .filter(|i| usize::from(i.scenario) == scenario)
            .map(|i| next.without_base(i.affinity, i.rest))
            .collect();
        let mean = |base: f64| own.iter().map(|x| sigmoid(base + x)).sum::<f64>() / own.len() as f64;
        let (mut low, mut high) = (-20.0, 20.0);
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if mean(middle) < rate(size) { low = middle } else { high = middle }
        }
        next.base[scenario] = low;
    }
    next
}

impl Scale {
    fn without_base(&self, affinity: f32, rest: f32) -> f64 {
        AFFINITY * (f64::from(affinity) - self.mean) / self.deviation + f64::from(rest)
    }
}

/// What a user clicked before the log.
fn earlier(shape: &Shape, world: &World, user: usize, inactive: bool, seed: u64) -> Vec<(i64, u32)> {
    let r = &mut rng(seed, Stream::FileOrder, user as u64);
    let own = &shape.earlier;
    let n = ((own.median * (own.spread * normal(r)).exp()) as usize).min(4 * LAST);
    let n = match inactive {
        true => n % FEW,
        false if own.few.is_empty() => n,
        false => n.max(FEW),
    };
    let mut clicks: Vec<(i64, u32)> = (0..n)
        .map(|_| {
            let time = shape.start - 1 - r.random_range(0..own.days * DAY);
            (time, matched(world, 0, user, r))
        })
        .collect();
    clicks.sort_by_key(|c| c.0);
    clicks
}

/// A user's lines.
fn own_log(
    world: &World,
    user: usize,
    sessions: &[Session],
    history: &[(i64, u32)],
    scale: &Scale,
    seed: u64,
) -> Vec<Impression> {
    let r = &mut rng(seed, Stream::Rows, user as u64);
    let mut labels = rng(seed, Stream::Labels, user as u64);
    let mut behaviours: Vec<u32> = history.iter().map(|(_, item)| *item).collect();
    let mut log = Vec::new();
    for session in sessions {
        let scenario = usize::from(session.scenario);
        for position in 0..session.impressions {
            let time = session.time + PACE * position as i64;
            // Day and evening.
            let circumstances = usize::from(time.rem_euclid(DAY) >= 18 * 3600);
            let item = shown(world, scenario, user, r);
            let last = &behaviours[behaviours.len().saturating_sub(LAST)..];
            let affinity = affinity(world, scenario, circumstances, last, item);
            let place = item as usize;
            let price = world.price[scenario][world.items.attributes[3][place] as usize];
            let rest = QUALITY * f64::from(world.items.quality[place]) + PRICE * f64::from(price)
                - POSITION * (1.0 + position.min(POSITIONS) as f64).ln();
            let rest = rest as f32;
            let probability = sigmoid(scale.base[scenario] + scale.without_base(affinity, rest)) as f32;
            let click = labels.random::<f32>() < probability;
            if click {
                behaviours.push(item);
            }
            log.push(Impression {
                session: 0,
                user: user as u32,
                scenario: session.scenario,
                time,
                position: position as u32,
                item,
                click,
                probability,
                affinity,
                rest,
            });
        }
    }
    log
}

/// Σ_p w_p Σ_j ω_j <R b_j, t>; 0 without behaviours.
fn affinity(world: &World, scenario: usize, circumstances: usize, behaviours: &[u32], item: u32) -> f32 {
    let of_part = |(part, vectors): (usize, &Vec<Vector>)| {
        let target = &vectors[item as usize];
        let near = |b: &u32| {
            dot(&world.turned(scenario, part, circumstances, &vectors[*b as usize]), target)
                / (D as f32).sqrt()
        };
        let near: Vec<f32> = behaviours.iter().map(near).collect();
        let highest = near.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let age = |place: usize| (behaviours.len() - 1 - place) as f32;
        let weight = |(place, n): (usize, &f32)| {
            (world.focus[scenario] * (n - highest)).exp() * world.fade[scenario].powf(age(place))
        };
        let sum: f32 = near.iter().enumerate().map(weight).sum();
        let weighted = near.iter().enumerate().map(|own| weight(own) * own.1).sum::<f32>();
        if near.is_empty() { 0.0 } else { world.weights[scenario][part] * weighted / sum }
    };
    world.items.parts.iter().enumerate().map(of_part).sum()
}

/// An item for a page of a scenario.
fn shown(world: &World, scenario: usize, user: usize, r: &mut impl Rng) -> u32 {
    if r.random::<f64>() < MATCHED { matched(world, scenario, user, r) } else { any(world, scenario, r) }
}

/// One of a category that the user is interested in, or any where the scenario has none of them.
fn matched(world: &World, scenario: usize, user: usize, r: &mut impl Rng) -> u32 {
    let interests = &world.users.interests[user];
    let category = interests[r.random_range(0..interests.len())] as usize;
    match &world.items.on_sale[scenario][category] {
        items if items.is_empty() => any(world, scenario, r),
        items => popular(items, r),
    }
}

fn any(world: &World, scenario: usize, r: &mut impl Rng) -> u32 {
    let categories = &world.items.on_sale[scenario];
    let total: usize = categories.iter().map(Vec::len).sum();
    let shares = categories.iter().map(|items| items.len() as f64 / total as f64);
    let mut category = draw(shares, r.random::<f64>());
    while categories[category].is_empty() {
        category = (category + 1) % categories.len();
    }
    popular(&categories[category], r)
}

/// The first ones are the popular ones.
fn popular(items: &[u32], r: &mut impl Rng) -> u32 {
    items[(items.len() as f64 * r.random::<f64>().powi(2)) as usize]
}

/// Numbers sessions in order of their beginnings.
fn number_sessions(log: &mut [Impression]) {
    let users = log.iter().map(|i| i.user as usize + 1).max().unwrap_or(0);
    let (mut current, mut next) = (vec![0; users], 0);
    for impression in log {
        if impression.position == 0 {
            current[impression.user as usize] = next;
            next += 1;
        }
        impression.session = current[impression.user as usize];
    }
}
