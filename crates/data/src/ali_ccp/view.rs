//! Ali-CCP as SFPNet sees it: the scenarios of field 301, the task click, behaviours from the history fields or from clicks.
//!
//! The paper lists neither features nor how it makes a sequence of the histories, which have no order. Here a row has the 18
//! fields of user, item and combinations, and of each history field (channel) the entries of the largest values, channel by
//! channel, or else the user's earlier clicks. Ids that occur seldom in training rows, and missing ones, are number 0 of their table; a history id's
//! occurrences are counted over training common rows, not over the impressions that share them, of which one common row
//! alone would have enough.
use super::common::Common;
use super::known::Known;
use super::skeleton::Samples;
use super::vocabulary::{BUCKETS, Counts, Values};
use super::{AliCcpBehaviours, CHANNELS, COMBINATIONS, Combinations, INTENTION, ITEM, SCENARIOS, USER};
use crate::raw::RawFiles;
use crate::view::{Builder, Take, View, gather, tokens};
use crate::{Column, Kind, Part, Pooling, Result, Role, Schema, Sequence, Spans, Tokens};
use rayon::prelude::*;
use std::sync::Arc;

/// Rows of which columns are made at a time, at least.
const PIECE: usize = 1 << 17;

/// The fields, and what they are numbered by.
pub(super) fn schema(known: &Known) -> Schema {
    Maker::new(known).view(Samples::default()).schema
}

/// Hands the columns of all rows to `take`, some rows at a time.
pub(super) fn rows(raw: &RawFiles, known: &Known, take: &mut Take) -> Result<()> {
    let mut maker = Maker::new(known);
    let mut waiting = Samples::default();
    let mut before = 0;
    let mut give = |samples: Samples| {
        let chosen: Vec<u32> = samples.chosen().iter().map(|row| before + row).collect();
        before += samples.of as u32;
        take(maker.view(samples).rows, &chosen)
    };
    known.samples(raw, |samples| {
        waiting.append(samples);
        if waiting.rows() < PIECE { Ok(()) } else { give(std::mem::take(&mut waiting)) }
    })?;
    if waiting.of == 0 { Ok(()) } else { give(waiting) }
}

/// A behaviour sequence of every common row.
struct Behaviours {
    /// Which of the tokens each common row has.
    spans: Spans,
    /// Name of the field and of its table, the table's size where no other field has it, and the tokens.
    fields: Vec<(String, &'static str, Option<usize>, Arc<Tokens>)>,
}

/// Makes columns of rows.
struct Maker<'a> {
    known: &'a Known,
    /// `[field][common row]`: the user's fields, numbered.
    user: Vec<Vec<u32>>,
    behaviours: Behaviours,
    sessions: Sessions,
}

impl<'a> Maker<'a> {
    fn new(known: &'a Known) -> Self {
        let behaviours = match known.settings.behaviours {
            AliCcpBehaviours::Histories { value, .. } => histories(known, value),
            AliCcpBehaviours::Clicks { .. } => clicked(known),
        };
        let user = known.user.iter().zip(&known.common.user).map(|(own, ids)| own.numbers(ids)).collect();
        Self { known, user, behaviours, sessions: Sessions::new(known.common.rows()) }
    }

    fn view(&mut self, mut samples: Samples) -> View {
        let Known { scenarios, parts, .. } = self.known;
        let place = |id: &u32| {
            scenarios.iter().position(|own| own == id).expect("one of the three, as the samples are checked")
                as u16
        };
        let scenario: Vec<u16> = samples.scenario.par_iter().map(place).collect();
        let session = self.sessions.numbers(&samples.common, &scenario);

        let mut out = Builder::default();
        for (((_, name), numbers), own) in USER.iter().zip(&self.user).zip(&self.known.user) {
            let column = Column::Id(gather(numbers, &samples.common));
            out.ids(name, Role::User, Kind::Id, own.size, column);
        }
        items(&mut out, &mut samples, self.known);
        if self.known.settings.combinations != Combinations::None {
            combinations(&mut out, &samples, self.known);
        }
        let ids = scenario.par_iter().map(|s| u32::from(*s)).collect();
        out.ids("scenario", Role::Scenario, Kind::Id, SCENARIOS.len(), Column::Id(ids));
        let Behaviours { spans, fields } = &self.behaviours;
        let of_row = |places: &[u32]| gather(places, &samples.common);
        let spans = Arc::new(Spans { start: of_row(&spans.start), end: of_row(&spans.end) });
        for (name, table, size, tokens) in fields {
            if let Some(size) = size {
                out.table(table, *size);
            }
            let sequence = Sequence { spans: spans.clone(), tokens: tokens.clone() };
            out.sequence(name, table, self.known.max_len(), sequence);
        }
        let part = gather(parts, &samples.common);
        let names = SCENARIOS.map(|(name, _)| name.to_string()).to_vec();
        let view = out.view([("click", samples.click)]).with_scenarios(names, scenario);
        view.with_part(part).with_session(session)
    }
}

/// Numbers of the pairs of common row and scenario, by first appearance.
struct Sessions {
    number: Vec<u32>,
    next: u32,
}

impl Sessions {
    fn new(common: usize) -> Self {
        Self { number: vec![u32::MAX; common * SCENARIOS.len()], next: 0 }
    }

    fn numbers(&mut self, common: &[u32], scenario: &[u16]) -> Vec<u32> {
        let session = |(row, scenario): (&u32, &u16)| {
            let own = &mut self.number[*row as usize * SCENARIOS.len() + usize::from(*scenario)];
            if *own == u32::MAX {
                *own = self.next;
                self.next += 1;
            }
            *own
        };
        common.iter().zip(scenario).map(session).collect()
    }
}

/// The item's fields: the intention nodes, of which there are any number, before the brand.
fn items(out: &mut Builder, samples: &mut Samples, known: &Known) {
    for (((_, name), ids), own) in ITEM.iter().zip(&samples.item).zip(&known.item) {
        if *name == "brand" {
            let mut offsets = vec![0];
            offsets.append(&mut samples.intention_ends);
            let values = known.intention.numbers(&samples.intention);
            let column = Column::Ragged { offsets, values, weights: None };
            out.ids(INTENTION.1, Role::Item, Kind::Bag(Pooling::Mean), known.intention.size, column);
        }
        out.ids(name, Role::Item, Kind::Id, own.size, Column::Id(own.numbers(ids)));
    }
}

/// The combination fields, and the buckets of their values: from 1, 0 for a missing one.
fn combinations(out: &mut Builder, samples: &Samples, known: &Known) {
    for (place, (_, name)) in COMBINATIONS.iter().enumerate() {
        let (own, buckets) = &known.combination[place];
        let ids = &samples.combination[place];
        out.ids(name, Role::Context, Kind::Id, own.size, Column::Id(own.numbers(ids)));
        let Some(buckets) = buckets else { continue };
        let values = samples.combination_value.as_ref().map_or(&[][..], |values| &values[place]);
        let bucket = |(id, value): (&u32, &f32)| if *id > 0 { 1 + buckets.of(*value) } else { 0 };
        let column = Column::Id(ids.par_iter().zip(values).map(bucket).collect());
        out.ids(&format!("{name}.value"), Role::Context, Kind::Id, 1 + BUCKETS, column);
    }
}

/// Items that were clicked, as the fields of the rows' items have them.
fn clicked(known: &Known) -> Behaviours {
    let (samples, order, spans) = known.clicks.as_ref().expect("clicks, where they are behaviours");
    let column = |place: usize| Column::Id(known.item[place].numbers(&samples.item[place]));
    let offsets = std::iter::once(0).chain(samples.intention_ends.iter().copied()).collect();
    let values = known.intention.numbers(&samples.intention);
    let intention = Column::Ragged { offsets, values, weights: None };
    let mut fields = Vec::new();
    for (place, (_, name)) in ITEM.iter().enumerate() {
        if *name == "brand" {
            let tokens = tokens(&intention, Kind::Bag(Pooling::Mean), order);
            fields.push((format!("behaviours.{}", INTENTION.1), INTENTION.1, None, Arc::new(tokens)));
        }
        let tokens = tokens(&column(place), Kind::Id, order);
        fields.push((format!("behaviours.{name}"), *name, None, Arc::new(tokens)));
    }
    Behaviours { spans: spans.clone(), fields }
}

/// The behaviours from history fields: a common row's are those of all its impressions.
fn histories(known: &Known, with_values: bool) -> Behaviours {
    let Known { common, parts, settings, .. } = known;
    let Common { behaviours, id, value, channel, .. } = common;
    let end = |sum: &mut u32, n: &u32| {
        *sum += n;
        Some(*sum)
    };
    let ends: Vec<u32> = behaviours.iter().scan(0, end).collect();
    let starts: Vec<u32> = ends.iter().zip(behaviours).map(|(end, n)| end - n).collect();
    let training = || {
        let rows = (0..parts.len()).filter(|row| parts[*row] == Part::Train);
        rows.flat_map(|row| starts[row] as usize..ends[row] as usize)
    };
    let mut counts = Counts::default();
    training().for_each(|token| counts.add(id[token], 1));
    let vocabulary = counts.vocabulary(settings.min_count);
    let field = |name: &str, table, size, values| {
        let tokens = Tokens { values, ..Tokens::default() };
        (format!("behaviours.{name}"), table, Some(size), Arc::new(tokens))
    };
    let channels = channel.iter().map(|c| u32::from(*c)).collect();
    let mut fields = vec![
        field("id", "history", vocabulary.size, vocabulary.numbers(id)),
        field("channel", "channel", CHANNELS.len(), channels),
    ];
    if with_values {
        let mut values = Values::default();
        training().for_each(|token| values.add(value[token]));
        let buckets = values.buckets();
        let values = value.par_iter().map(|value| buckets.of(*value)).collect();
        fields.push(field("value", "history_value", BUCKETS, values));
    }
    Behaviours { spans: Spans { start: starts, end: ends }, fields }
}
