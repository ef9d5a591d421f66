//! What must be known of all impressions before columns can be made of any of them: the first pass over the files.
use super::clicks::{self, Click, Moments};
use super::common::Common;
use super::skeleton::{self, Samples, fourth_scenario};
use super::vocabulary::{Buckets, Counts, Values, Vocabulary};
use super::{
    AliCcpBehaviours, CHANNELS, COMBINATIONS, Combinations, FILES, ITEM, SCENARIOS, Settings, validates,
};
use crate::raw::{LargeFile, RawFiles};
use crate::{Error, Part, Result, Spans};
use std::collections::HashMap;

/// What all impressions have in common, and what stands for their ids.
pub(super) struct Known {
    pub settings: Settings,
    /// The common rows, test rows after training ones.
    pub common: Common,
    /// The part of every common row.
    pub parts: Vec<Part>,
    /// Places of common rows by their index, for each pair of files.
    row_of: [HashMap<u64, u32>; 2],
    /// How many impressions the files have.
    pub of: usize,
    /// The raw ids of [`SCENARIOS`].
    pub scenarios: [u32; SCENARIOS.len()],
    pub user: Vec<Vocabulary>,
    pub item: Vec<Vocabulary>,
    pub intention: Vocabulary,
    /// With buckets of values where these are asked for.
    pub combination: Vec<(Vocabulary, Option<Buckets>)>,
    /// Items that were clicked in training rows, where they are behaviours: in the order in which they are, and which of them
    /// each common row has.
    pub clicks: Option<(Samples, Vec<u32>, Spans)>,
}

impl Known {
    pub fn read(raw: &RawFiles, settings: Settings) -> Result<Known> {
        let per_channel = settings.behaviours.per_channel() as usize;
        let mut common = Common::default();
        let mut row_of = Vec::new();
        let mut training = 0;
        for name in &FILES[2..] {
            training = common.rows();
            row_of.push(common.read(raw.large(name), per_channel)?);
        }
        let row_of: [_; 2] = row_of.try_into().expect("two files");
        let part_of = |row: usize| match common.index[row] {
            _ if row >= training => Part::Test,
            index if validates(index) => Part::Valid,
            _ => Part::Train,
        };
        let parts: Vec<Part> = (0..common.rows()).map(part_of).collect();
        let mut count = Count::new(settings, &parts);
        for_all(raw, &row_of, settings, |file, samples| count.add(file, samples))?;
        tracing::info!(
            "{} of {} rows have a purchase without a click and are left out; {} entries of fields with one id are not the \
             largest of their line's and are left out",
            count.dropped,
            count.of,
            count.surplus + common.surplus
        );
        let Count { rows, item, intention, combination, values, of, moments, click, clicked, .. } = count;
        let scenarios = scenarios(raw, count.scenarios)?;
        // A common row counts as often as it has impressions.
        let user = common.user.iter().map(|ids| {
            let mut counts = Counts::default();
            let training = ids.iter().zip(&rows).zip(&parts).filter(|(_, part)| **part == Part::Train);
            training.for_each(|((id, rows), _)| counts.add(*id, *rows));
            counts.vocabulary(settings.min_count)
        });
        let user = user.collect();
        let clicks = moments.map(|moments| {
            let (order, spans) = clicks::earlier(&common.user[0], &moments, &click);
            (clicked, order, spans)
        });
        let vocabulary = |counts: Counts| counts.vocabulary(settings.min_count);
        let mut buckets = values.map(|values| values.map(Values::buckets).into_iter());
        let combination = combination
            .into_iter()
            .map(|counts| (vocabulary(counts), buckets.as_mut().and_then(Iterator::next)));
        Ok(Known {
            settings,
            scenarios,
            user,
            item: item.into_iter().map(vocabulary).collect(),
            intention: vocabulary(intention),
            combination: combination.collect(),
            clicks,
            of,
            row_of,
            parts,
            common,
        })
    }

    /// Hands all impressions to `take`, some at a time. What the first pass has not seen was not there.
    pub fn samples(&self, raw: &RawFiles, mut take: impl FnMut(Samples) -> Result<()>) -> Result<()> {
        for_all(raw, &self.row_of, self.settings, |file, samples| {
            let known = samples.scenario.iter().all(|id| self.scenarios.contains(id));
            if known { take(samples) } else { Err(file.changed()) }
        })
    }

    /// The most behaviours of a row.
    pub fn max_len(&self) -> u32 {
        match self.settings.behaviours {
            AliCcpBehaviours::Histories { per_channel, .. } => CHANNELS.len() as u32 * per_channel,
            AliCcpBehaviours::Clicks { max_len } => max_len,
        }
    }
}

fn for_all(
    raw: &RawFiles,
    row_of: &[HashMap<u64, u32>; 2],
    settings: Settings,
    mut take: impl FnMut(&LargeFile, Samples) -> Result<()>,
) -> Result<()> {
    let with_values = settings.combinations == Combinations::IdAndValue;
    for (file, row_of) in [0, 1].into_iter().zip(row_of) {
        let samples = raw.large(FILES[file]);
        // Every line is a row, as when they were counted.
        let mut of = 0;
        skeleton::read(samples, FILES[2 + file], row_of, with_values, |part| {
            of += part.of;
            if of <= samples.lines { take(samples, part) } else { Err(samples.changed()) }
        })?;
        if of != samples.lines {
            return Err(samples.changed());
        }
    }
    Ok(())
}

/// What is counted.
struct Count<'a> {
    /// Of every common row.
    parts: &'a [Part],
    /// Impressions of every common row.
    rows: Vec<u32>,
    item: [Counts; ITEM.len()],
    intention: Counts,
    combination: [Counts; COMBINATIONS.len()],
    values: Option<[Values; COMBINATIONS.len()]>,
    /// Impressions and raw id.
    scenarios: Vec<(usize, u32)>,
    /// Where clicks are behaviours.
    moments: Option<Moments>,
    click: Vec<Click>,
    clicked: Samples,
    /// Rows of the files, with those that are left out.
    of: usize,
    /// Rows of the files before this one.
    before: (String, usize),
    dropped: usize,
    surplus: usize,
}

impl<'a> Count<'a> {
    fn new(settings: Settings, parts: &'a [Part]) -> Self {
        let with_values = settings.combinations == Combinations::IdAndValue;
        let clicks = matches!(settings.behaviours, AliCcpBehaviours::Clicks { .. });
        Self {
            parts,
            rows: vec![0; parts.len()],
            item: Default::default(),
            intention: Counts::default(),
            combination: Default::default(),
            values: with_values.then(Default::default),
            scenarios: Vec::new(),
            moments: clicks.then(|| Moments::new(parts.len())),
            click: Vec::new(),
            clicked: Samples::default(),
            of: 0,
            before: Default::default(),
            dropped: 0,
            surplus: 0,
        }
    }

    fn add(&mut self, file: &LargeFile, samples: Samples) -> Result<()> {
        if self.before.0 != file.name {
            self.before = (file.name.clone(), self.of);
        }
        for (row, common) in samples.common.iter().enumerate() {
            self.rows[*common as usize] += 1;
            self.scenario(file, &samples, row)?;
            if let Some(moments) = &mut self.moments {
                moments.add((self.of - self.dropped + row) as u32, *common);
            }
            if self.parts[*common as usize] != Part::Train {
                continue;
            }
            self.item.iter_mut().zip(&samples.item).for_each(|(own, ids)| own.add(ids[row], 1));
            samples.intention_of(row).iter().for_each(|id| self.intention.add(*id, 1));
            self.combination.iter_mut().zip(&samples.combination).for_each(|(own, ids)| own.add(ids[row], 1));
            if let (Some(own), Some(values)) = (&mut self.values, &samples.combination_value) {
                for ((own, values), ids) in own.iter_mut().zip(values).zip(&samples.combination) {
                    if ids[row] > 0 {
                        own.add(values[row]);
                    }
                }
            }
            if self.moments.is_some() && samples.click[row] == 1 {
                self.click.push(Click { row: (self.of - self.dropped + row) as u32, common: *common });
                self.clicked.push_item(&samples, row);
            }
        }
        self.of += samples.of;
        self.dropped += samples.dropped.len();
        self.surplus += samples.surplus;
        Ok(())
    }

    fn scenario(&mut self, file: &LargeFile, samples: &Samples, row: usize) -> Result<()> {
        let id = samples.scenario[row];
        match self.scenarios.iter().position(|(_, known)| *known == id) {
            Some(place) => self.scenarios[place].0 += 1,
            None if self.scenarios.len() == SCENARIOS.len() => {
                let place = self.of - self.before.1 + samples.chosen()[row] as usize;
                return Err(fourth_scenario(file, place, id, &self.scenarios)?);
            }
            None => self.scenarios.push((1, id)),
        }
        Ok(())
    }
}

/// The raw ids of [`SCENARIOS`]: field 301 does not say which is which, their numbers of impressions do.
fn scenarios(raw: &RawFiles, mut counts: Vec<(usize, u32)>) -> Result<[u32; SCENARIOS.len()]> {
    counts.sort_unstable_by(|a, b| b.cmp(a));
    if counts.len() == SCENARIOS.len() && counts.windows(2).all(|two| two[0].0 > two[1].0) {
        return Ok(SCENARIOS.map(|(_, place)| counts[place].1));
    }
    let found: Vec<String> = counts.iter().map(|(n, id)| format!("{id} ({n} rows)")).collect();
    Err(Error::Input {
        file: raw.large(FILES[0]).path.clone(),
        line: 1,
        column: 1,
        found: format!("the scenarios {} in both files together", found.join(", ")),
        expected: "three scenarios with different numbers of rows, by which they are told apart".into(),
    })
}
