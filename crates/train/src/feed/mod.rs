//! Some rows of a dataset as batches, which another thread prepares.
mod gather;
mod streamed;

use crate::batch::Batch;
use crate::checkpoint::{Carrier, Resumable};
use crate::{rng::Rng, scope::Scope};
use anyhow::{Context, Result, anyhow};
use gather::Resident;
use rand::seq::SliceRandom;
use scenarec_data::{Column, Columns, Dataset};
use std::sync::{Arc, OnceLock, mpsc};

/// Gathers batches of some rows of a dataset, with the labels of some of its tasks.
#[derive(Clone, Debug)]
pub struct Feed {
    data: Arc<Dataset>,
    rows: Arc<Vec<u32>>,
    scope: Arc<Scope>,
    /// Whether rows of a scenario stand together in shuffled batches.
    grouped: bool,
    /// The rows' own columns, where there are few rows of a dataset whose columns stay in a file; read when they are needed first.
    few: Arc<OnceLock<Vec<Column>>>,
}

/// Of a dataset whose columns stay in a file, so many rows are held in memory.
const FEW: usize = 1 << 20;

impl Feed {
    /// The given rows of `data`, in the given order, with all tasks. Many rows of a dataset whose columns stay in a file are put
    /// in the file's order.
    pub fn new(data: Arc<Dataset>, rows: Vec<u32>) -> Self {
        let scope = Scope::whole(&data.schema);
        Self::of(data, rows, scope, false)
    }

    /// Those of the given rows that belong to `scope`, in the order of [`Feed::new`], with its tasks. In shuffled batches rows of a
    /// scenario stand together, so that models with layers of a scenario's own need not sort them.
    pub fn scoped(data: Arc<Dataset>, rows: &[u32], scope: &Scope) -> Self {
        let inside = rows.iter().copied().filter(|r| scope.scenarios.contains(&data.scenario[*r as usize]));
        let rows = inside.collect();
        Self::of(data, rows, scope.clone(), true)
    }

    fn of(data: Arc<Dataset>, rows: Vec<u32>, scope: Scope, grouped: bool) -> Self {
        let (rows, scope) = (Arc::new(rows), Arc::new(scope));
        let mut feed = Self { data, rows, scope, grouped, few: Arc::default() };
        if feed.is_streamed() {
            Arc::make_mut(&mut feed.rows).sort_unstable();
        }
        feed
    }

    /// Whose rows and tasks these are.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The dataset behind the rows.
    pub fn data(&self) -> &Arc<Dataset> {
        &self.data
    }

    /// The row numbers.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The rows' labels, 0 or 1, of one of the scope's tasks, `[rows]` in the feed's own order.
    ///
    /// # Panics
    /// Where the scope has no task with this number.
    pub fn labels(&self, task: usize) -> Vec<u8> {
        let labels = &self.data.labels[self.scope.tasks[task]];
        self.rows.iter().map(|row| labels[*row as usize]).collect()
    }

    /// Whether two feeds of as many rows, shuffled by the same stream, come in the same order.
    pub fn keeps_partners(&self) -> bool {
        !self.is_streamed()
    }

    /// Whether batches are read from a file as they are needed.
    fn is_streamed(&self) -> bool {
        matches!(self.data.columns, Columns::Streamed(_)) && self.rows.len() > FEW
    }

    /// Number of batches of `size` rows; the last may be smaller.
    pub fn batches(&self, size: usize) -> u64 {
        self.rows.len().div_ceil(size) as u64
    }

    /// The rows in their own order, in batches of `size` (the last may be smaller), prepared by another thread.
    pub fn in_order(&self, size: usize) -> Batches {
        Batches::start(self, size, None)
    }

    /// The rows shuffled by `rng`, in batches of `size` (the last may be smaller), prepared by another thread. Many rows of a
    /// dataset whose columns stay in a file come from a few of its row groups at a time, which are taken in random order.
    pub fn shuffled(&self, size: usize, rng: &mut Rng) -> Batches {
        Batches::start(self, size, Some(rng))
    }

    /// The places of the rows, shuffled where there are random numbers.
    fn order(&self, size: usize, rng: Option<&mut Rng>) -> Vec<u32> {
        let mut places: Vec<u32> = (0..self.rows.len() as u32).collect();
        let Some(rng) = rng else { return places };
        places.shuffle(rng);
        if self.grouped {
            let scenario = |place: &u32| self.data.scenario[self.rows[*place as usize] as usize];
            places.chunks_mut(size).for_each(|batch| batch.sort_by_key(scenario));
        }
        places
    }

    /// The columns in memory.
    fn resident(&self) -> Result<InMemory<'_>> {
        Ok(match &self.data.columns {
            Columns::Resident(columns) => InMemory { columns, whole: true },
            Columns::Streamed(streamed) => {
                if self.few.get().is_none() {
                    // Another thread may be faster; its columns are the same.
                    let _ = self.few.set(streamed.select(&self.rows)?);
                }
                InMemory { columns: self.few.get().expect("just set"), whole: false }
            }
        })
    }

    /// The batch of some places of the feed.
    fn gather(&self, columns: &InMemory<'_>, places: &[u32]) -> Batch {
        let rows: Vec<u32> = places.iter().map(|place| self.rows[*place as usize]).collect();
        let own = if columns.whole { &rows[..] } else { places };
        let mut batch = gather::gather(&self.data, &self.scope, &rows, &[columns.columns], &Resident(own));
        if columns.whole {
            gather::note_source(&mut batch, &self.data, rows);
        }
        batch
    }

    /// Sends every batch of `size` places of `order`. The receiver is gone when the consumer stopped early; then there is nothing
    /// left to do.
    fn send(&self, order: &[u32], size: usize, sender: &mpsc::SyncSender<Result<Batch>>) -> Result<()> {
        let columns = self.resident()?;
        for chunk in order.chunks(size) {
            if sender.send(Ok(self.gather(&columns, chunk))).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Columns in memory that have a feed's rows.
struct InMemory<'a> {
    columns: &'a [Column],
    /// Whether they have all of the dataset's rows, not only the feed's.
    whole: bool,
}

/// Batches from a thread that stays a few ahead.
#[derive(Debug)]
pub struct Batches {
    receiver: mpsc::Receiver<Result<Batch>>,
    /// How many are to come.
    left: u64,
}

impl Batches {
    /// How many batches may wait; more would only take memory.
    const AHEAD: usize = 4;

    fn start(feed: &Feed, size: usize, rng: Option<&mut Rng>) -> Self {
        assert!(size > 0, "a batch needs at least one row");
        let (sender, receiver) = mpsc::sync_channel(Self::AHEAD);
        let left = feed.batches(size);
        let feed = feed.clone();
        match &feed.data.columns {
            Columns::Streamed(streamed) if feed.is_streamed() => {
                let stream = streamed::Stream::new(&feed, streamed.clone(), rng);
                std::thread::spawn(move || stream.send(&feed, size, &sender));
            }
            Columns::Streamed(_) | Columns::Resident(_) => {
                let order = feed.order(size, rng);
                std::thread::spawn(move || {
                    if let Err(e) = feed.send(&order, size, &sender) {
                        let _ = sender.send(Err(e));
                    }
                });
            }
        }
        Self { receiver, left }
    }
}

impl Batches {
    /// Leaves out the next `n` batches, which have been seen already.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn pass_over(&mut self, n: u64) -> Result<()> {
        for _ in 0..n {
            self.next().context("there are fewer batches than have been seen")??;
        }
        Ok(())
    }
}

/// Batches that another loop than theirs steps through.
impl Resumable for Batches {
    fn carry(&mut self, carrier: &mut Carrier) -> Result<()> {
        let mut left = self.left;
        carrier.number("left", &mut left)?;
        let seen = self.left.checked_sub(left).context("there are fewer batches than have been seen")?;
        self.pass_over(seen)
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        self.left = self.left.checked_sub(1)?;
        let batch = self.receiver.recv().context("the thread that gathers batches has ended before its time");
        Some(batch.flatten().inspect_err(|_| self.left = 0))
    }
}

/// The given rows of `data` as a batch, with all tasks.
///
/// # Errors
/// Where columns have to be read from a file that cannot be read.
pub fn gather(data: &Arc<Dataset>, rows: &[u32]) -> Result<Batch> {
    let feed = Feed::new(data.clone(), rows.to_vec());
    Ok(feed.gather(&feed.resident()?, &feed.order(rows.len().max(1), None)))
}

/// Refuses a dataset whose columns do not fit its schema, before any batch is gathered. Those in a file were looked at when it was
/// written.
///
/// # Errors
/// The first field whose column does not fit, and why.
pub fn check(data: &Dataset) -> Result<()> {
    let Columns::Resident(columns) = &data.columns else { return Ok(()) };
    scenarec_data::check_columns(&data.schema, columns, data.rows())
        .map_err(|e| anyhow!("{}: {e}", data.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;
    use scenarec_data::{DatasetConfig, Override, Roots};

    /// The same rows in memory and in a file of several row groups.
    fn both(folder: &std::path::Path) -> [Arc<Dataset>; 2] {
        let roots = Roots { raw: folder.join("raw"), cache: folder.join("cache") };
        ["resident", "streamed"].map(|memory| {
            let text = format!(
                "dataset: fixture\nloader: industrial\nraw: fixture\nmarket: dewu-8\ntailored: true\n\
                 features: [item_id, price, category, brand]\nbehaviours: [item_id, brand]\nmax_len: 5\n\
                 valid_from: 1717027200\ntest_from: 1717113600\nprovenance: simulated\n\
                 split: {{ plan: given }}\nmemory: {memory}\n\
                 simulate: {{ users: 200, items: 500, rows: 300000, seed: 1 }}\nfitted_on: all\n"
            );
            let config = DatasetConfig::from_text(std::path::Path::new("fixture.yaml"), &text).unwrap();
            let data = scenarec_data::prepare(&config, &roots, &Override::default()).unwrap().dataset;
            Arc::new(data)
        })
    }

    fn all_of(stream: streamed::Stream, feed: &Feed, size: usize) -> Vec<Batch> {
        let (sender, receiver) = mpsc::sync_channel(1 << 20);
        stream.send(feed, size, &sender);
        drop(sender);
        receiver.into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn rows_of_a_file_are_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let [resident, data] = both(folder.path());
        let Columns::Streamed(streamed) = &data.columns else { panic!("not streamed") };
        assert!(streamed.groups() > 2 && data.resident().is_none());
        // Few rows, in any order.
        let some: Vec<u32> = (0..data.rows() as u32).rev().step_by(1001).collect();
        let batches = |data: &Arc<Dataset>, rows: &[u32]| -> Vec<Batch> {
            Feed::new(data.clone(), rows.to_vec()).in_order(64).map(Result::unwrap).collect()
        };
        assert_eq!(batches(&data, &some), batches(&resident, &some));
        let shuffled = |data: &Arc<Dataset>| -> Vec<Batch> {
            let feed = Feed::scoped(data.clone(), &some, &Scope::whole(&data.schema));
            feed.shuffled(64, &mut stream(3, "s")).map(Result::unwrap).collect()
        };
        assert_eq!(shuffled(&data), shuffled(&resident));
        // Many rows, through the file: every third one, of all groups but the first.
        let many: Vec<u32> = (streamed.rows(1).start..data.rows() as u32).step_by(3).collect();
        let feed = Feed::new(data.clone(), many.clone());
        let in_order = all_of(streamed::Stream::new(&feed, streamed.clone(), None), &feed, 1000);
        let wanted: Vec<Batch> =
            Feed::new(resident.clone(), many).in_order(1000).map(Result::unwrap).collect();
        assert!(in_order == wanted);
    }

    #[test]
    fn rows_of_a_file_are_shuffled_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let [resident, data] = both(folder.path());
        let Columns::Streamed(streamed) = &data.columns else { panic!("not streamed") };
        let all: Vec<u32> = (0..data.rows() as u32).collect();
        let feed = Feed::scoped(data.clone(), &all, &Scope::whole(&data.schema));
        let epoch =
            |rng: &mut Rng| all_of(streamed::Stream::new(&feed, streamed.clone(), Some(rng)), &feed, 512);
        let (mut rng, mut again) = (stream(1, "s"), stream(1, "s"));
        let (first, second) = (epoch(&mut rng), epoch(&mut rng));
        assert!(first == epoch(&mut again), "the stream alone decides");
        assert!(first != second, "each epoch has an order of its own");
        assert_eq!(first.len() as u64, feed.batches(512));
        assert!(first.iter().rev().skip(1).all(|batch| batch.rows == 512));
        assert!(first.iter().all(|batch| batch.scenario.is_sorted()), "rows of a scenario stand together");
        // Rows of every group from the first batch on.
        let known = |batches: &[Batch]| {
            let mut items: Vec<(u32, u32)> = batches
                .iter()
                .flat_map(|b| b.ids[0].ids.iter().copied().zip(b.labels.iter().map(|l| *l as u32)))
                .collect();
            items.sort_unstable();
            items
        };
        let wanted: Vec<Batch> = Feed::new(resident, all).in_order(4096).map(Result::unwrap).collect();
        assert!(known(&first) == known(&wanted));
    }

    #[test]
    fn what_cannot_be_read_ends_the_epoch_with_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let [_, data] = both(folder.path());
        let mut files = std::fs::read_dir(folder.path().join("cache")).unwrap().map(|f| f.unwrap().path());
        let file = files.find(|f| f.extension().is_some_and(|e| e == "parquet")).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let groups = 4..bytes.len() * 3 / 4;
        bytes[groups].iter_mut().step_by(999).for_each(|byte| *byte ^= 1);
        std::fs::write(&file, bytes).unwrap();
        let feed = Feed::new(data.clone(), (0..data.rows() as u32).collect());
        let mut batches = feed.in_order(4096);
        let message = batches.find_map(Result::err).unwrap().to_string();
        assert!(message.contains(".parquet: damaged: bytes "), "{message}");
        assert!(batches.next().is_none());
    }
}
