//! Batches of rows whose columns stay in a file.
//!
//! A thread reads row groups, in random order or in the file's. Rows are taken from [`MIXED`] of them at random, each row of them
//! all as likely as another; a group that is used up makes room for the next.
use super::Feed;
use super::gather::{Grouped, gather};
use crate::batch::Batch;
use crate::rng::Rng;
use anyhow::Result;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use scenarec_data::{Column, Streamed};
use std::ops::Range;
use std::sync::{Arc, mpsc};

/// How many row groups are mixed.
const MIXED: usize = 16;

/// The row groups of an epoch.
pub(super) struct Stream {
    streamed: Arc<Streamed>,
    /// The groups, in the order in which they are read, with the places of the feed's rows that are in them.
    groups: Vec<(usize, Range<usize>)>,
    /// None where rows keep their order.
    rng: Option<Rng>,
    /// Groups of which not all rows are used up, and, until a batch is gathered, those that it used up.
    open: Vec<Open>,
}

/// A row group in memory.
struct Open {
    columns: Vec<Column>,
    /// The row group's first row.
    start: u32,
    /// Rows to come, the last one first.
    rows: Vec<u32>,
}

/// Row groups as they are read: the place among the epoch's groups, and the columns.
type Read = mpsc::IntoIter<Result<(usize, Vec<Column>)>>;

impl Stream {
    /// The rows of `feed`, which ascend.
    pub fn new(feed: &Feed, streamed: Arc<Streamed>, rng: Option<&mut Rng>) -> Self {
        let rows = feed.rows();
        let place = |row: u32| rows.partition_point(|own| *own < row);
        let mut groups: Vec<_> = (0..streamed.groups())
            .map(|group| (group, place(streamed.rows(group).start)..place(streamed.rows(group).end)))
            .filter(|(_, own)| !own.is_empty())
            .collect();
        let rng = rng.map(|rng| Rng::seed_from_u64(rng.random())).map(|mut own| {
            groups.shuffle(&mut own);
            own
        });
        Self { streamed, groups, rng, open: Vec::new() }
    }

    /// Sends all batches, or what went wrong. The receiver is gone when the consumer stopped early; then there is nothing left to do.
    pub fn send(mut self, feed: &Feed, size: usize, sender: &mpsc::SyncSender<Result<Batch>>) {
        let mut read = self.read_ahead();
        while let Some(batch) = self.batch(feed, size, &mut read).transpose() {
            let failed = batch.is_err();
            if sender.send(batch).is_err() || failed {
                return;
            }
        }
    }

    /// The next batch; none where no row is left.
    fn batch(&mut self, feed: &Feed, size: usize, read: &mut Read) -> Result<Option<Batch>> {
        self.open.retain(|group| !group.rows.is_empty());
        let mut picks: Vec<(usize, u32)> = Vec::with_capacity(size);
        while picks.len() < size {
            self.fill(feed, read)?;
            let Some(pick) = self.pick() else { break };
            picks.push(pick);
        }
        if picks.is_empty() {
            return Ok(None);
        }
        if feed.grouped && self.rng.is_some() {
            picks.sort_by_key(|(_, row)| feed.data.scenario[*row as usize]);
        }
        let columns: Vec<&[Column]> = self.open.iter().map(|group| &group.columns[..]).collect();
        let places: Vec<(usize, u32)> =
            picks.iter().map(|(of, row)| (*of, row - self.open[*of].start)).collect();
        let rows: Vec<u32> = picks.iter().map(|pick| pick.1).collect();
        Ok(Some(gather(&feed.data, &feed.scope, &rows, &columns, &Grouped(&places))))
    }

    /// Opens groups until as many as are mixed have rows left, or all are open.
    fn fill(&mut self, feed: &Feed, read: &mut Read) -> Result<()> {
        let mixed = if self.rng.is_some() { MIXED } else { 1 };
        while self.open.iter().filter(|group| !group.rows.is_empty()).count() < mixed {
            let Some(next) = read.next() else { break };
            let (place, columns) = next?;
            let (group, own) = &self.groups[place];
            let mut rows = feed.rows()[own.clone()].to_vec();
            match &mut self.rng {
                Some(rng) => rows.shuffle(rng),
                None => rows.reverse(),
            }
            self.open.push(Open { columns, start: self.streamed.rows(*group).start, rows });
        }
        Ok(())
    }

    /// Takes one of the rows that are left, with the open group that it is in.
    fn pick(&mut self) -> Option<(usize, u32)> {
        let left = self.open.iter().map(|group| group.rows.len()).sum::<usize>();
        if left == 0 {
            return None;
        }
        let mut nth = self.rng.as_mut().map_or(0, |rng| rng.random_range(0..left));
        for (of, group) in self.open.iter_mut().enumerate() {
            match nth.checked_sub(group.rows.len()) {
                None => return group.rows.pop().map(|row| (of, row)),
                Some(rest) => nth = rest,
            }
        }
        None
    }

    /// Starts to read the groups, one of them ahead.
    fn read_ahead(&self) -> Read {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (streamed, groups) = (self.streamed.clone(), self.groups.clone());
        std::thread::spawn(move || {
            for (place, (group, _)) in groups.iter().enumerate() {
                let columns = streamed.read(*group).map(|columns| (place, columns)).map_err(Into::into);
                if sender.send(columns).is_err() {
                    return;
                }
            }
        });
        receiver.into_iter()
    }
}
