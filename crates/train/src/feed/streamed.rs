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
use std::sync::{Arc, mpsc};

/// How many row groups are mixed.
const MIXED: usize = 16;

/// The row groups of an epoch.
pub(super) struct Stream {
    streamed: Arc<Streamed>,
    /// The groups, in the order in which they are read, with the feed's rows that are in them.
    groups: Vec<(usize, std::ops::Range<usize>)>,
    /// None where rows keep their order.
    rng: Option<Rng>,
}

/// A row group of which not all rows are used up.
struct Open {
    columns: Vec<Column>,
    /// The row group's first row.
    start: u32,
    /// Rows to come, the last one first.
    rows: Vec<u32>,
}

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
        Self { streamed, groups, rng }
    }

    /// Sends all batches, or what went wrong.
    pub fn send(mut self, feed: &Feed, size: usize, sender: &mpsc::SyncSender<Result<Batch>>) {
        let mut read = self.read_ahead().into_iter();
        let mut rng = self.rng.take();
        let mixed = if rng.is_some() { MIXED } else { 1 };
        let mut open: Vec<Open> = Vec::new();
        let mut next = |open: &mut Vec<Open>, rng: &mut Option<Rng>| -> Result<bool> {
            let Some(group) = read.next() else { return Ok(false) };
            let (place, columns) = group?;
            let (group, own) = &self.groups[place];
            let mut rows = feed.rows()[own.clone()].to_vec();
            match rng {
                Some(rng) => rows.shuffle(rng),
                None => rows.reverse(),
            }
            open.push(Open { columns, start: self.streamed.rows(*group).start, rows });
            Ok(true)
        };
        let mut batch = || -> Result<Option<Batch>> {
            open.retain(|group| !group.rows.is_empty());
            let mut picks: Vec<(usize, u32)> = Vec::with_capacity(size);
            let mut more = true;
            while picks.len() < size {
                while more && open.iter().filter(|group| !group.rows.is_empty()).count() < mixed {
                    more = next(&mut open, &mut rng)?;
                }
                let left = open.iter().map(|group| group.rows.len()).sum::<usize>();
                if left == 0 {
                    break;
                }
                let mut nth = rng.as_mut().map_or(0, |rng| rng.random_range(0..left));
                let of = open.iter().position(|group| {
                    let here = nth < group.rows.len();
                    nth = nth.wrapping_sub(if here { 0 } else { group.rows.len() });
                    here
                });
                let of = of.expect("a row that is left");
                picks.push((of, open[of].rows.pop().expect("a row that is left")));
            }
            if picks.is_empty() {
                return Ok(None);
            }
            if feed.grouped && rng.is_some() {
                picks.sort_by_key(|(_, row)| feed.data.scenario[*row as usize]);
            }
            let columns: Vec<&[Column]> = open.iter().map(|group| &group.columns[..]).collect();
            let places: Vec<(usize, u32)> =
                picks.iter().map(|(of, row)| (*of, row - open[*of].start)).collect();
            let rows: Vec<u32> = picks.iter().map(|pick| pick.1).collect();
            Ok(Some(gather(&feed.data, &feed.scope, &rows, &columns, &Grouped(&places))))
        };
        // The receiver is gone when the consumer stopped early; then there is nothing left to do.
        while let Some(batch) = batch().transpose() {
            let failed = batch.is_err();
            if sender.send(batch).is_err() || failed {
                return;
            }
        }
    }

    /// The groups' places and columns, one of them ahead.
    fn read_ahead(&self) -> mpsc::Receiver<Result<(usize, Vec<Column>)>> {
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
        receiver
    }
}
