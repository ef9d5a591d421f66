//! `sample_skeleton_*.csv`: the impressions, each with what is its own and the index of what it shares with others.
use super::list::{Single, check_count, entries};
use super::{COMBINATIONS, INDEX, INTENTION, ITEM, SCENARIO, index};
use crate::raw::LargeFile;
use crate::text::{Bad, Fields, show, stream_lines};
use crate::{Error, Result};
use std::collections::HashMap;
use std::io::BufRead;

/// Some impressions, in the order of the files; without those that have a purchase and no click.
#[derive(Default)]
pub(crate) struct Samples {
    /// How many there are in the files.
    pub of: usize,
    /// Which of them were left out.
    pub dropped: Vec<u32>,
    pub click: Vec<u8>,
    /// The row's common features.
    pub common: Vec<u32>,
    /// Raw id.
    pub scenario: Vec<u32>,
    /// `[field][row]`: the id, 0 where it is absent.
    pub item: [Vec<u32>; ITEM.len()],
    /// Row r's intention nodes end before this place among all; those of row 0 begin at 0.
    pub intention_ends: Vec<u64>,
    pub intention: Vec<u32>,
    /// `[field][row]`: the id, 0 where it is absent.
    pub combination: [Vec<u32>; COMBINATIONS.len()],
    /// `[field][row]`, where they are asked for: the value, 0 where it is absent.
    pub combination_value: Option<[Vec<f32>; COMBINATIONS.len()]>,
    /// How many entries of fields with one id were left out.
    pub surplus: usize,
}

/// What a line is.
const ROW: &str = "sample id,click,purchase,index,feature count,feature list";

/// Hands the rows of a file to `take`, some at a time. Their indices must be among those of a file of common features.
pub(super) fn read(
    file: &LargeFile,
    common: &str,
    row_of: &HashMap<u64, u32>,
    with_values: bool,
    take: impl FnMut(Samples) -> Result<()>,
) -> Result<()> {
    let parse = |out: &mut Samples, text: &[u8]| {
        if with_values && out.combination_value.is_none() {
            out.combination_value = Some(Default::default());
        }
        line(out, text, &file.name, common, row_of)
    };
    stream_lines(file, ROW, parse, take)
}

impl Samples {
    /// How many rows were not left out.
    pub fn rows(&self) -> usize {
        self.click.len()
    }

    /// The intention nodes of a row.
    pub fn intention_of(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).map_or(0, |before| self.intention_ends[before]);
        &self.intention[start as usize..self.intention_ends[row] as usize]
    }

    /// Appends the item of a row of others, and nothing else.
    pub fn push_item(&mut self, other: &Samples, row: usize) {
        self.item.iter_mut().zip(&other.item).for_each(|(own, other)| own.push(other[row]));
        self.intention.extend_from_slice(other.intention_of(row));
        self.intention_ends.push(self.intention.len() as u64);
    }

    /// Appends other rows.
    pub fn append(&mut self, mut next: Samples) {
        self.dropped.extend(next.dropped.iter().map(|row| self.of as u32 + row));
        self.of += next.of;
        self.click.append(&mut next.click);
        self.common.append(&mut next.common);
        self.scenario.append(&mut next.scenario);
        self.item.iter_mut().zip(&mut next.item).for_each(|(own, next)| own.append(next));
        let before = self.intention.len() as u64;
        self.intention_ends.extend(next.intention_ends.iter().map(|end| before + end));
        self.intention.append(&mut next.intention);
        self.combination.iter_mut().zip(&mut next.combination).for_each(|(own, next)| own.append(next));
        if let Some(next) = &mut next.combination_value {
            let own = self.combination_value.get_or_insert_default();
            own.iter_mut().zip(next).for_each(|(own, next)| own.append(next));
        }
        self.surplus += next.surplus;
    }

    /// Which of the files' rows these are, from 0 for the first of these.
    pub fn chosen(&self) -> Vec<u32> {
        let mut dropped = self.dropped.iter().copied().peekable();
        (0..self.of as u32).filter(|row| dropped.next_if_eq(row).is_none()).collect()
    }
}

/// The error about a scenario too many, which the line at this place (from 0) has.
pub(super) fn fourth_scenario(
    file: &LargeFile,
    place: usize,
    scenario: u32,
    known: &[(usize, u32)],
) -> Result<Error> {
    let path = &file.path;
    let failed = |e| Error::io(path, "cannot read the file")(e);
    let mut lines = std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?).split(b'\n');
    let text = lines.nth(place).ok_or_else(|| file.changed())?.map_err(failed)?;
    let list = memchr::memrchr(b',', &text).ok_or_else(|| file.changed())? + 1;
    let mut column = list + 1;
    let _ = entries(&text[list..], list + 1, |e| {
        if e.field == SCENARIO.as_bytes() {
            column = e.column;
        }
        Ok(())
    });
    let found = format!("a fourth scenario, {scenario}");
    let known: Vec<String> = known.iter().map(|k| k.1.to_string()).collect();
    let expected = format!("one of the scenarios {}", known.join(", "));
    Ok(Bad { column, found, expected }.at(path, place + 1))
}

fn line(
    out: &mut Samples,
    line: &[u8],
    name: &str,
    common: &str,
    row_of: &HashMap<u64, u32>,
) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    f.number("the sample id", 1, u32::MAX.into())?;
    let click = f.number("click", 0, 1)? as u8;
    let purchase = f.number("purchase", 0, 1)?;
    let at = f.column();
    let text = f.text(INDEX)?;
    let bad = |expected: String| Bad { column: at, found: show(text), expected };
    let index = index(text).ok_or_else(|| bad(INDEX.into()))?;
    let row = *row_of.get(&index).ok_or_else(|| bad(format!("an index that occurs in {common}")))?;
    let at = f.column();
    let said = f.number("the feature count", 0, u32::MAX.into())?;
    let column = f.column();
    let list = f.text("the feature list")?;
    f.end("the feature list")?;

    let mut item = [Single::default(); ITEM.len()];
    let mut combination = [Single::default(); COMBINATIONS.len()];
    let mut scenario = Single::default();
    let first = out.intention.len();
    let find = |fields: &[(&str, &str)], field: &[u8]| fields.iter().position(|f| f.0.as_bytes() == field);
    let found = entries(list, column, |e| {
        if e.field == INTENTION.0.as_bytes() {
            out.intention.push(e.id);
        } else if let Some(place) = find(&ITEM, e.field) {
            out.surplus += usize::from(item[place].take(&e));
        } else if let Some(place) = find(&COMBINATIONS, e.field) {
            out.surplus += usize::from(combination[place].take(&e));
        } else if e.field == SCENARIO.as_bytes() {
            if scenario.take(&e) {
                let found = "a second scenario".into();
                return Err(Bad { column: e.column, found, expected: format!("one field {SCENARIO}") });
            }
        } else {
            return Err(e.foreign(name));
        }
        Ok(())
    })?;
    check_count(said, at, found)?;
    if scenario.id == 0 {
        let expected = format!("field {SCENARIO}, the scenario, in every list");
        return Err(Bad { column, found: "a list without it".into(), expected });
    }
    out.of += 1;
    if click == 0 && purchase == 1 {
        out.dropped.push(out.of as u32 - 1);
        out.intention.truncate(first);
        return Ok(());
    }
    out.click.push(click);
    out.common.push(row);
    out.scenario.push(scenario.id);
    out.item.iter_mut().zip(item).for_each(|(own, single)| own.push(single.id));
    out.intention_ends.push(out.intention.len() as u64);
    out.combination.iter_mut().zip(combination).for_each(|(own, single)| own.push(single.id));
    if let Some(values) = &mut out.combination_value {
        values.iter_mut().zip(combination).for_each(|(own, single)| own.push(single.value));
    }
    Ok(())
}
