//! The impressions: which items are shown in every moment, and what of them is clicked.
use super::super::random::{Stream, Taste, rng, shuffle, sigmoid};
use super::super::shop::base;
use super::SIZES;
use super::world::{CHANNELS, FOCUS, Moment, WEIGHTS, World, dot};
use rand::RngExt;
use rayon::prelude::*;

/// Weights of the parts of the logit.
const AFFINITY: f64 = 0.8;
const MATCH: f64 = 0.1;
const QUALITY: f64 = 0.3;
/// Behaviours of each channel that a click depends on.
const PER_CHANNEL: usize = 12;
/// Share of clicks that lead to a purchase, and how many rows per file have a purchase without a click.
const PURCHASES: f64 = 0.0055;
const INVALID: usize = 3;

/// A line of the log.
#[derive(Clone)]
pub(super) struct Row {
    /// Place among the moments.
    pub moment: u32,
    pub scenario: u8,
    pub item: u32,
    pub click: bool,
    pub purchase: bool,
    pub probability: f32,
    /// The affinity before it is standardised.
    affinity: f32,
    /// The rest of the logit without base_s.
    rest: f32,
}

/// The moments of one of the two files, in random order.
pub(super) fn order(moments: &[Moment], test: bool, seed: u64) -> Vec<u32> {
    let own = (0..moments.len() as u32).filter(|m| moments[*m as usize].test == test);
    let mut own: Vec<u32> = own.collect();
    shuffle(&mut own, &mut rng(seed, Stream::FileOrder, u64::from(test)));
    own
}

/// The impressions of the moments in this order.
pub(super) fn rows(world: &World, moments: &[Moment], order: &[u32], seed: u64) -> Vec<Row> {
    let mut rows: Vec<Row> =
        order.par_iter().flat_map_iter(|m| of_moment(world, moments, *m, seed)).collect();
    let n = rows.len() as f64;
    let mean = rows.iter().map(|row| f64::from(row.affinity)).sum::<f64>() / n;
    let variance = rows.iter().map(|row| (f64::from(row.affinity) - mean).powi(2)).sum::<f64>() / n;
    let logit = |row: &Row| {
        AFFINITY * (f64::from(row.affinity) - mean) / variance.sqrt().max(1e-9) + f64::from(row.rest)
    };
    let bases: Vec<f64> = SIZES
        .iter()
        .enumerate()
        .map(|(scenario, [_, clicks, impressions])| {
            let own = rows.iter().filter(|row| usize::from(row.scenario) == scenario);
            base(&own.map(logit).collect::<Vec<f64>>(), clicks / impressions)
        })
        .collect();
    rows.par_chunk_by_mut(|a, b| a.moment == b.moment).for_each(|rows| {
        let r = &mut rng(seed, Stream::Labels, rows[0].moment.into());
        for row in rows {
            row.probability = sigmoid(bases[usize::from(row.scenario)] + logit(row)) as f32;
            row.click = r.random::<f32>() < row.probability;
            row.purchase = row.click && r.random::<f64>() < PURCHASES;
        }
    });
    let training = rows.iter().filter(|row| !moments[row.moment as usize].test).count();
    let (train, test) = rows.split_at_mut(training);
    for file in [train, test] {
        let n = file.len();
        for k in 0..INVALID {
            let next = file[n * k / INVALID..].iter_mut().find(|row| !row.click && !row.purchase);
            next.expect("most rows are not clicked").purchase = true;
        }
    }
    rows
}

/// A behaviour as a scenario sees it.
struct Behaviour {
    weight: f64,
    vector: Taste,
}

fn of_moment(world: &World, moments: &[Moment], number: u32, seed: u64) -> Vec<Row> {
    let moment = &moments[number as usize];
    let r = &mut rng(seed, Stream::Rows, number.into());
    let behaviours: [Vec<Behaviour>; 3] =
        std::array::from_fn(|s| match s == moment.scenario || Some(s) == moment.other {
            true => behaviours(world, moment, s),
            false => Vec::new(),
        });
    let row = |k| {
        let scenario = moment.other.filter(|_| k % 2 == 1).unwrap_or(moment.scenario);
        let item = world.seen(moment.user, r);
        let place = item as usize;
        let matches: f64 = (0..CHANNELS)
            .map(|c| WEIGHTS[scenario][c] * matches(world, moment, item, c).map(|m| m.1).fold(0.0, f64::max))
            .sum();
        let rest = MATCH * matches + QUALITY * world.quality[place] + world.users[moment.user as usize].bias;
        Row {
            moment: number,
            scenario: scenario as u8,
            item,
            click: false,
            purchase: false,
            probability: 0.0,
            affinity: affinity(&behaviours[scenario], FOCUS[scenario], &world.vector[place]) as f32,
            rest: rest as f32,
        }
    };
    (0..moment.rows).map(row).collect()
}

/// Those of the largest values of each channel.
fn behaviours(world: &World, moment: &Moment, scenario: usize) -> Vec<Behaviour> {
    let channel = |c: usize| {
        let mut entries = moment.history[c].clone();
        entries.sort_by(|a, b| b.1.total_cmp(&a.1));
        entries.truncate(PER_CHANNEL);
        entries.into_iter().map(move |(value, times)| {
            let (meaning, lens) = (&world.meaning[c][value as usize], &world.lens[scenario][c]);
            let vector = std::array::from_fn(|d| meaning[d] * lens[d]);
            Behaviour { weight: WEIGHTS[scenario][c] * times, vector }
        })
    };
    (0..CHANNELS).flat_map(channel).collect()
}

/// Σ_j ω_j n_j; 0 without behaviours.
fn affinity(behaviours: &[Behaviour], focus: f64, target: &Taste) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for b in behaviours {
        let near = dot(&b.vector, target);
        let weight = b.weight * (focus * near).exp();
        sum += weight * near;
        weights += weight;
    }
    sum / f64::max(weights, 1e-9)
}

/// What of an item's categories, shops, brands or nodes the history has, and its values there.
pub(super) fn matches(
    world: &World,
    moment: &Moment,
    item: u32,
    channel: usize,
) -> impl Iterator<Item = (u32, f64)> {
    let history = &moment.history[channel];
    world.attributes[item as usize][channel].iter().filter_map(move |value| {
        let place = history.binary_search_by_key(value, |entry| entry.0).ok()?;
        Some(history[place])
    })
}

#[cfg(test)]
mod tests {
    use super::super::{SimulateConfig, world::moments};
    use super::*;

    /// Pearson's correlation.
    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (of_a, of_b) = (mean(a), mean(b));
        let product = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
        };
        product(a, of_a, b, of_b) / (product(a, of_a, a, of_a) * product(b, of_b, b, of_b)).sqrt()
    }

    #[test]
    fn the_same_behaviours_mean_something_else_in_every_scenario() {
        let config = SimulateConfig { users: 100, items: 1000, rows: 20_000, seed: 3 };
        let world = World::new(config);
        let moments = moments(&world, config);
        let of = |s: usize| -> Vec<f64> {
            let pairs = moments.iter().flat_map(|moment| {
                let behaviours = behaviours(&world, moment, s);
                world
                    .vector
                    .iter()
                    .step_by(20)
                    .map(move |item| affinity(&behaviours, FOCUS[s], item))
                    .collect::<Vec<_>>()
            });
            pairs.collect()
        };
        let of = [0, 1, 2].map(of);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let same = correlation(&of[a], &of[b]);
            assert!(same.abs() < 0.7, "scenarios {a} and {b}: {same}");
        }
    }
}
