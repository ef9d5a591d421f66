//! The four files.
use super::super::SimulateConfig;
use super::super::csv::lines;
use super::super::random::{Stream, rng, shuffle, sparse_ids};
use super::rows::{Row, matches};
use super::world::{CHANNELS, Moment, PROFILE, World};
use crate::ali_ccp::{CHANNELS as HISTORIES, COMBINATIONS, INTENTION, ITEM, SCENARIO, USER};
use std::io::Write;

/// Raw ids. Every field has numbers of its own.
struct Ids {
    user: Vec<u32>,
    item: Vec<u32>,
    profile: [u32; PROFILE.len()],
    /// Of categories, shops, brands and nodes as the history, the item and the combination has them.
    history: [u32; CHANNELS],
    attribute: [u32; CHANNELS],
    combination: [u32; CHANNELS],
    scenario: [u32; 3],
}

impl Ids {
    fn new(world: &World, config: SimulateConfig) -> Ids {
        let r = &mut rng(config.seed, Stream::Vocabulary, 1);
        let mut next = 0;
        let mut sparse = |n: usize, next: &mut u32| {
            let mut ids: Vec<u32> = sparse_ids(n, r).iter().map(|id| *next + id).collect();
            *next += 3 * n as u32 + 1;
            shuffle(&mut ids, r);
            ids
        };
        let after = |n: usize, next: &mut u32| {
            let first = *next;
            *next += n as u32;
            first
        };
        let sizes = world.meaning.each_ref().map(Vec::len);
        let user = sparse(config.users, &mut next);
        let profile = PROFILE.map(|n| after(n, &mut next));
        let history = sizes.map(|n| after(n, &mut next));
        let item = sparse(config.items, &mut next);
        let attribute = sizes.map(|n| after(n, &mut next));
        let first = after(3, &mut next);
        let combination = sizes.map(|n| after(n, &mut next));
        // Not in the order of the scenarios' sizes.
        Ids { user, item, profile, history, attribute, combination, scenario: [first + 1, first + 2, first] }
    }
}

/// Entries of a list in random order, each field, id and value.
fn write_list(mut entries: Vec<(&str, u32, f64)>, order: u64, seed: u64, out: &mut Vec<u8>) {
    shuffle(&mut entries, &mut rng(seed, Stream::FileOrder, order));
    write!(out, "{},", entries.len()).expect("writing to memory");
    for (i, (field, id, value)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.push(1);
        }
        write!(out, "{field}\u{2}{id}\u{3}{value:?}").expect("writing to memory");
    }
    out.push(b'\n');
}

/// In the order of the loader's files.
pub(super) fn files(world: &World, moments: &[Moment], rows: &[Row], config: SimulateConfig) -> Vec<Vec<u8>> {
    let ids = Ids::new(world, config);
    let seed = config.seed;
    // Each half numbers its moments by itself, so that the same index is another moment in the other one.
    let mut of_half = [0u64; 2];
    let indices: Vec<u64> = moments
        .iter()
        .map(|moment| {
            let number = &mut of_half[usize::from(moment.test)];
            *number += 1;
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
        })
        .collect();
    let training = rows.iter().filter(|row| !moments[row.moment as usize].test).count();
    let (train, test) = rows.split_at(training);
    let skeleton = |rows: &[Row], half: u64| {
        let numbers: Vec<usize> = (0..rows.len()).collect();
        lines("", &numbers, |number, out| {
            let row = &rows[*number];
            let index = indices[row.moment as usize];
            let (click, purchase) = (u8::from(row.click), u8::from(row.purchase));
            write!(out, "{},{click},{purchase},{index:016x},", number + 1).expect("writing to memory");
            let entries = skeleton_entries(world, &ids, &moments[row.moment as usize], row);
            write_list(entries, (half << 40) + *number as u64, seed, out);
        })
    };
    let common = |test: bool, half: u64| {
        let mut own: Vec<usize> = (0..moments.len()).filter(|m| moments[*m].test == test).collect();
        shuffle(&mut own, &mut rng(seed, Stream::FileOrder, 2 + half));
        lines("", &own, |number, out| {
            write!(out, "{:016x},", indices[*number]).expect("writing to memory");
            write_list(
                common_entries(world, &ids, &moments[*number]),
                (half << 40) + *number as u64,
                seed,
                out,
            );
        })
    };
    vec![skeleton(train, 1), skeleton(test, 2), common(false, 3), common(true, 4)]
}

fn skeleton_entries<'a>(world: &World, ids: &Ids, moment: &Moment, row: &Row) -> Vec<(&'a str, u32, f64)> {
    let [categories, shops, brands, nodes] = &world.attributes[row.item as usize];
    let mut entries = vec![
        (SCENARIO, ids.scenario[usize::from(row.scenario)], 1.0),
        (ITEM[0].0, ids.item[row.item as usize], 1.0),
    ];
    let fields = [(ITEM[1].0, categories), (ITEM[2].0, shops), (ITEM[3].0, brands), (INTENTION.0, nodes)];
    for (channel, (field, values)) in fields.into_iter().enumerate() {
        entries.extend(values.iter().map(|value| (field, ids.attribute[channel] + value, 1.0)));
    }
    for (channel, (field, _)) in COMBINATIONS.into_iter().enumerate() {
        let known = matches(world, moment, row.item, channel);
        entries.extend(known.map(|(value, times)| (field, ids.combination[channel] + value, times)));
    }
    entries
}

fn common_entries<'a>(world: &World, ids: &Ids, moment: &Moment) -> Vec<(&'a str, u32, f64)> {
    let user = moment.user as usize;
    let mut entries = vec![(USER[0].0, ids.user[user], 1.0)];
    for (field, value) in world.users[user].profile.iter().enumerate() {
        entries.extend(value.map(|value| (USER[1 + field].0, ids.profile[field] + value, 1.0)));
    }
    for (channel, field) in HISTORIES.into_iter().enumerate() {
        let history = moment.history[channel].iter();
        entries.extend(history.map(|(value, times)| (field, ids.history[channel] + value, *times)));
    }
    entries
}
