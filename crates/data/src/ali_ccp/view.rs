//! Ali-CCP as SFPNet sees it: the scenarios of field 301, the task click, behaviours from the history fields or from clicks.
//!
//! The paper lists neither features nor how it makes a sequence of the histories, which have no order. Here a row has the 18
//! fields of user, item and combinations, and of each history field (channel) the entries of the largest values, channel by
//! channel, or else the user's earlier clicks. Ids that occur seldom in training rows, and missing ones, are number 0 of their table; a history id's
//! occurrences are counted over training common rows, not over the impressions that share them, of which one common row
//! alone would have enough.
use super::clicks;
use super::vocabulary::{BUCKETS, Buckets, Vocabulary};
use super::{
    CHANNELS, COMBINATIONS, Common, INTENTION, ITEM, SCENARIOS, Samples, Settings, Tables, USER, validates,
};
use crate::loader::{AliCcpBehaviours, Combinations};
use crate::view::{Builder, Chosen, View, gather};
use crate::{Column, Kind, Part, Pooling, Role, Sequence, Spans, Tokens};
use rayon::prelude::*;
use std::sync::Arc;

/// Builds schema, columns and labels.
pub(crate) fn view(raw: Tables, settings: Settings) -> View {
    let Tables { mut samples, common, training, scenarios } = raw;
    let chosen = (!samples.dropped.is_empty()).then(|| Chosen { of: samples.of, rows: samples.chosen() });
    let part_of = |row: usize| match common.index[row] {
        _ if row >= training => Part::Test,
        index if validates(index) => Part::Valid,
        _ => Part::Train,
    };
    let parts: Vec<Part> = (0..common.rows()).map(part_of).collect();
    let part = gather(&parts, &samples.common);
    let place = |id: &u32| scenarios.iter().position(|own| own == id).expect("one of the three") as u16;
    let scenario: Vec<u16> = samples.scenario.par_iter().map(place).collect();
    samples.scenario = Vec::new();
    let session = sessions(&samples.common, common.rows(), &scenario);

    let mut out = Builder::default();
    users(&mut out, &common, &samples.common, &parts, settings);
    items(&mut out, &mut samples, &part, settings);
    if settings.combinations != Combinations::None {
        combinations(&mut out, &mut samples, &part, settings);
    }
    let ids = scenario.par_iter().map(|s| u32::from(*s)).collect();
    out.ids("scenario", Role::Scenario, Kind::Id, SCENARIOS.len(), Column::Id(ids));
    match settings.behaviours {
        AliCcpBehaviours::Histories { per_channel, value } => {
            let max_len = CHANNELS.len() as u32 * per_channel;
            histories(&mut out, common, &samples.common, &parts, settings.min_count, max_len, value);
        }
        AliCcpBehaviours::Clicks { max_len } => {
            let earlier = clicks::earlier(&common.user[0], &parts, &samples.common, &samples.click);
            out.behaviours(&["item_id", "category", "shop", "intention", "brand"], earlier, max_len);
        }
    }

    let names = SCENARIOS.map(|(name, _)| name.to_string()).to_vec();
    let view = out.view([("click", samples.click)]).with_scenarios(names, scenario);
    View { part: Some(part), session: Some(session), chosen, ..view }
}

/// Numbers of the pairs of common row and scenario, by first appearance.
fn sessions(common: &[u32], rows: usize, scenario: &[u16]) -> Vec<u32> {
    let mut number = vec![u32::MAX; rows * SCENARIOS.len()];
    let mut next = 0;
    let session = |(row, scenario): (&u32, &u16)| {
        let own = &mut number[*row as usize * SCENARIOS.len() + usize::from(*scenario)];
        if *own == u32::MAX {
            *own = next;
            next += 1;
        }
        *own
    };
    common.iter().zip(scenario).map(session).collect()
}

/// The user's fields. A common row counts as often as it has impressions.
fn users(out: &mut Builder, common: &Common, of_row: &[u32], parts: &[Part], settings: Settings) {
    let mut rows = vec![0u32; common.rows()];
    of_row.iter().for_each(|row| rows[*row as usize] += 1);
    rows.iter_mut().zip(parts).filter(|(_, part)| **part != Part::Train).for_each(|(rows, _)| *rows = 0);
    for ((_, name), ids) in USER.iter().zip(&common.user) {
        let vocabulary = Vocabulary::new(ids.iter().copied().zip(rows.iter().copied()), settings.min_count);
        let mut numbers = ids.clone();
        vocabulary.apply(&mut numbers);
        out.ids(name, Role::User, Kind::Id, vocabulary.size, Column::Id(gather(&numbers, of_row)));
    }
}

/// Numbers in place of ids, which are counted where the row trains; how many numbers there are.
fn numbered(ids: &mut [u32], part: &[Part], settings: Settings) -> usize {
    let training = ids.iter().zip(part).filter(|(_, part)| **part == Part::Train);
    let vocabulary = Vocabulary::new(training.map(|(id, _)| (*id, 1)), settings.min_count);
    vocabulary.apply(ids);
    vocabulary.size
}

/// The item's fields: the intention nodes, of which there are any number, before the brand.
fn items(out: &mut Builder, samples: &mut Samples, part: &[Part], settings: Settings) {
    for ((_, name), ids) in ITEM.iter().zip(&mut samples.item) {
        if *name == "brand" {
            let mut offsets = vec![0];
            offsets.append(&mut samples.intention_ends);
            let mut values = std::mem::take(&mut samples.intention);
            let of_row = |row: usize| &values[offsets[row] as usize..offsets[row + 1] as usize];
            let training = (0..part.len()).filter(|row| part[*row] == Part::Train).flat_map(of_row);
            let vocabulary = Vocabulary::new(training.map(|id| (*id, 1)), settings.min_count);
            vocabulary.apply(&mut values);
            let column = Column::Ragged { offsets, values, weights: None };
            out.ids(INTENTION.1, Role::Item, Kind::Bag(Pooling::Mean), vocabulary.size, column);
        }
        let mut ids = std::mem::take(ids);
        let size = numbered(&mut ids, part, settings);
        out.ids(name, Role::Item, Kind::Id, size, Column::Id(ids));
    }
}

/// The combination fields, and the buckets of their values: from 1, 0 for a missing one.
fn combinations(out: &mut Builder, samples: &mut Samples, part: &[Part], settings: Settings) {
    let mut values = samples.combination_value.take();
    for (place, (_, name)) in COMBINATIONS.iter().enumerate() {
        let mut ids = std::mem::take(&mut samples.combination[place]);
        let buckets: Option<Vec<u32>> = values.as_mut().map(|values| {
            let values = std::mem::take(&mut values[place]);
            let known = || ids.par_iter().zip(&values).zip(part);
            let training = known().filter(|((id, _), part)| **id > 0 && **part == Part::Train);
            let buckets = Buckets::new(training.map(|((_, value), _)| *value).collect());
            known().map(|((id, value), _)| if *id > 0 { 1 + buckets.of(*value) } else { 0 }).collect()
        });
        let size = numbered(&mut ids, part, settings);
        out.ids(name, Role::Context, Kind::Id, size, Column::Id(ids));
        if let Some(buckets) = buckets {
            out.ids(&format!("{name}.value"), Role::Context, Kind::Id, 1 + BUCKETS, Column::Id(buckets));
        }
    }
}

/// The behaviours from history fields: a common row's are those of all its impressions.
fn histories(
    out: &mut Builder,
    common: Common,
    of_row: &[u32],
    parts: &[Part],
    min_count: u32,
    max_len: u32,
    with_values: bool,
) {
    let ends: Vec<u32> = common
        .behaviours
        .iter()
        .scan(0, |sum, n| {
            *sum += n;
            Some(*sum)
        })
        .collect();
    let starts: Vec<u32> = ends.iter().zip(&common.behaviours).map(|(end, n)| end - n).collect();
    let training = || {
        let rows = (0..parts.len()).filter(|row| parts[*row] == Part::Train);
        rows.flat_map(|row| starts[row] as usize..ends[row] as usize)
    };
    let spans = Spans { start: gather(&starts, of_row), end: gather(&ends, of_row) };
    let spans = Arc::new(spans);
    let vocabulary = Vocabulary::new(training().map(|token| (common.id[token], 1)), min_count);
    let mut ids = common.id;
    vocabulary.apply(&mut ids);
    let mut sequences = vec![
        ("id", "history", vocabulary.size, ids),
        ("channel", "channel", CHANNELS.len(), common.channel.iter().map(|c| u32::from(*c)).collect()),
    ];
    if with_values {
        let buckets = Buckets::new(training().map(|token| common.value[token]).collect());
        let values = common.value.par_iter().map(|value| buckets.of(*value)).collect();
        sequences.push(("value", "history_value", BUCKETS, values));
    }
    for (name, table, size, values) in sequences {
        out.table(table, size);
        let tokens = Tokens { values, ..Tokens::default() };
        out.sequence(
            &format!("behaviours.{name}"),
            table,
            max_len,
            Sequence { spans: spans.clone(), tokens },
        );
    }
}
