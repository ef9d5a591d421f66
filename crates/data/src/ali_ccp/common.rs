//! `common_features_*.csv`: what the impressions of a user's moment share.
use super::list::{Single, check_count, entries};
use super::{CHANNELS, INDEX, USER, index};
use crate::raw::LargeFile;
use crate::text::{Bad, Fields, show, stream_lines};
use crate::{Error, Result};
use std::collections::HashMap;

/// Rows of common features, in file order.
#[derive(Default)]
pub(crate) struct Common {
    pub index: Vec<u64>,
    /// `[field][row]`: the id, 0 where it is absent.
    pub user: [Vec<u32>; USER.len()],
    /// How many behaviours each row has.
    pub behaviours: Vec<u32>,
    /// The behaviours of all rows, in a row channel by channel, the largest values first: id, value and channel.
    pub id: Vec<u32>,
    pub value: Vec<f32>,
    pub channel: Vec<u8>,
    /// How many entries of fields with one id were left out.
    pub surplus: usize,
}

/// Some lines, with room for a line's behaviours.
#[derive(Default)]
struct Part {
    rows: Common,
    best: [Best; CHANNELS.len()],
}

impl Common {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.index.len()
    }

    /// Appends the rows of a file, with this many behaviours of each channel; gives their places by their indices.
    pub(super) fn read(&mut self, file: &LargeFile, per_channel: usize) -> Result<HashMap<u64, u32>> {
        let before = self.rows();
        let row = "index,feature count,feature list";
        stream_lines(
            file,
            row,
            |out, text| line(out, text, &file.name, per_channel),
            |part: Part| {
                self.append(part.rows);
                Ok(())
            },
        )?;
        let mut row_of = HashMap::with_capacity(self.rows() - before);
        for (row, index) in self.index.iter().enumerate().skip(before) {
            if let Some(first) = row_of.insert(*index, row as u32) {
                return Err(Error::Input {
                    file: file.path.clone(),
                    line: row - before + 1,
                    column: 1,
                    found: format!(
                        "index {index:016x} again (first in line {})",
                        first as usize - before + 1
                    ),
                    expected: "one line per common feature index".into(),
                });
            }
        }
        Ok(row_of)
    }

    fn append(&mut self, mut next: Common) {
        self.index.append(&mut next.index);
        self.user.iter_mut().zip(&mut next.user).for_each(|(own, next)| own.append(next));
        self.behaviours.append(&mut next.behaviours);
        self.id.append(&mut next.id);
        self.value.append(&mut next.value);
        self.channel.append(&mut next.channel);
        self.surplus += next.surplus;
    }
}

fn line(out: &mut Part, line: &[u8], name: &str, per_channel: usize) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let text = f.text(INDEX)?;
    let index = index(text).ok_or_else(|| Bad { column: 1, found: show(text), expected: INDEX.into() })?;
    let at = f.column();
    let said = f.number("the feature count", 0, u32::MAX.into())?;
    let column = f.column();
    let list = f.text("the feature list")?;
    f.end("the feature list")?;

    let Part { rows, best } = out;
    best.iter_mut().for_each(|b| b.0.clear());
    let mut user = [Single::default(); USER.len()];
    let found = entries(list, column, |e| {
        if let Some(channel) = CHANNELS.iter().position(|c| c.as_bytes() == e.field) {
            best[channel].take(e.id, e.value, per_channel);
        } else if let Some(place) = USER.iter().position(|(number, _)| number.as_bytes() == e.field) {
            rows.surplus += usize::from(user[place].take(&e));
        } else {
            return Err(e.foreign(name));
        }
        Ok(())
    })?;
    check_count(said, at, found)?;
    rows.index.push(index);
    rows.user.iter_mut().zip(user).for_each(|(own, single)| own.push(single.id));
    rows.behaviours.push(best.iter().map(|b| b.0.len() as u32).sum());
    for (channel, best) in best.iter().enumerate() {
        rows.id.extend(best.0.iter().map(|b| b.1));
        rows.value.extend(best.0.iter().map(|b| b.0));
        rows.channel.extend(best.0.iter().map(|_| channel as u8));
    }
    Ok(())
}

/// Values and ids of the entries with the largest values so far, in this order, of equal ones the earlier first.
#[derive(Default)]
struct Best(Vec<(f32, u32)>);

impl Best {
    fn take(&mut self, id: u32, value: f32, most: usize) {
        let place = self.0.partition_point(|(own, _)| *own >= value);
        if place < most {
            self.0.truncate(most - 1);
            self.0.insert(place, (value, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_values_in_order() {
        let best = |values: &[f32], most| {
            let mut best = Best::default();
            values.iter().enumerate().for_each(|(i, v)| best.take(i as u32, *v, most));
            best.0.iter().map(|b| b.1).collect::<Vec<u32>>()
        };
        assert_eq!(best(&[0.7, 1.1, 0.7, 2.0, 1.1, 0.7], 4), [3, 1, 4, 0]);
        assert_eq!(best(&[0.7, 1.1, 0.7], 4), [1, 0, 2]);
        assert_eq!(best(&[0.7, 1.1, 1.1], 1), [1]);
        assert_eq!(best(&[], 3), [0; 0]);
    }
}
