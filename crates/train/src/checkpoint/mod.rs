//! Checkpoints inside a run: a process that is killed leaves behind how far its training loops were, and the next one goes
//! on from there, with the same result to the last bit.
//!
//! A run executes its loops in one order. Each has a file, by its place in that order: while it goes on, the state
//! between two of its batches; then the state in which it left what it trained. A process that begins again executes the run
//! from the start, but a loop with a file goes on from it, and one that has ended is passed over. What lies between the loops is
//! done again, which is cheap and, as everything here, comes out the same; a loop without a file begins anew.
mod carrier;
mod file;

pub use carrier::{Carrier, Number, Resumable};

use anyhow::{Context, Result, bail};
use file::Head;
use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The share of a run's time that may go into its checkpoints.
const SHARE: f64 = 0.01;

/// Name of the file that says whose checkpoints are in a folder.
pub const ABOUT: &str = "job.json";

/// The checkpoints of one run.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    run: String,
    about: String,
    every: Duration,
    began: Instant,
    clock: RefCell<Clock>,
    loops: Cell<usize>,
}

/// What was done when.
#[derive(Debug)]
struct Clock {
    /// Seconds of the processes before this one, up to the last checkpoint that was read.
    before: f64,
    /// How many those processes are.
    resumed: u32,
    /// When a checkpoint was written last.
    written: Instant,
    /// What writing has cost this process, and the last time.
    spent: Duration,
    last: Duration,
}

impl Checkpoints {
    /// The checkpoints of the run called `run`, in a folder that no other process uses and that is made when there is
    /// something to write. A checkpoint is written when the last one, or the start, is `every` ago, but only as often as it costs
    /// at most a hundredth of the run's time; where `every` is 0, after every batch, whatever it costs. The file
    /// [`ABOUT`] beside them has the contents `about`.
    pub fn new(folder: PathBuf, run: &str, about: String, every: Duration) -> Self {
        let began = Instant::now();
        let (spent, last) = (Duration::ZERO, Duration::ZERO);
        let clock = Clock { before: 0.0, resumed: 0, written: began, spent, last };
        Self { folder, run: run.into(), about, every, began, clock: clock.into(), loops: Cell::new(0) }
    }

    /// Seconds of work in the run so far: this process's, and of those before it what came before the checkpoint that
    /// the next one went on from.
    pub fn seconds(&self) -> f64 {
        self.clock.borrow().before + self.began.elapsed().as_secs_f64()
    }

    /// How many other processes' work is part of the run.
    pub fn resumed(&self) -> u32 {
        self.clock.borrow().resumed
    }

    /// The run's next loop, called `what`.
    pub(crate) fn next_loop(&self, what: &str) -> LoopCheckpoint<'_> {
        let place = self.loops.replace(self.loops.get() + 1);
        LoopCheckpoint {
            all: self,
            path: self.folder.join(format!("{place:03}.safetensors")),
            what: what.into(),
        }
    }

    /// Whether the run can afford a checkpoint.
    fn affordable(&self) -> bool {
        let clock = self.clock.borrow();
        let cost = (clock.spent + clock.last).as_secs_f64();
        self.every.is_zero() || cost <= SHARE * self.began.elapsed().as_secs_f64()
    }

    fn write(&self, path: &Path, what: &str, subject: &mut dyn Resumable) -> Result<()> {
        let start = Instant::now();
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let about = self.folder.join(ABOUT);
        if !about.exists() {
            fs::write(&about, &self.about).with_context(|| format!("cannot write {}", about.display()))?;
        }
        let contents = Carrier::written(subject)?;
        let resumed = self.resumed();
        let head = Head { run: self.run.clone(), what: what.into(), seconds: self.seconds(), resumed };
        file::write(path, &head, &contents)?;
        let mut clock = self.clock.borrow_mut();
        let cost = start.elapsed();
        clock.last = cost;
        clock.spent += cost;
        clock.written = Instant::now();
        Ok(())
    }

    /// What was written at `path`; none, with a message, where that is not this run's or is damaged.
    fn read(&self, path: &Path, what: &str, subject: &mut dyn Resumable) -> Result<bool> {
        let (head, contents) = match file::read(path) {
            Ok(None) => return Ok(false),
            Ok(Some(found)) => found,
            Err(e) => {
                tracing::warn!("{} is ignored, and {what} begins anew: {e:#}", path.display());
                return Ok(false);
            }
        };
        if head.run != self.run || head.what != what {
            let Head { run, what: other, .. } = head;
            tracing::warn!(
                "{} is ignored, and {what} begins anew: it is of {other} of {run}",
                path.display()
            );
            return Ok(false);
        }
        if let Err(e) = Carrier::read(contents, subject) {
            // What is trained may be half of one state and half of another by now.
            bail!("{} does not fit {what}: remove it, and start again ({e:#})", path.display());
        }
        let mut clock = self.clock.borrow_mut();
        clock.before = clock.before.max(head.seconds);
        clock.resumed = clock.resumed.max(head.resumed + 1);
        Ok(true)
    }
}

/// The checkpoint of one loop.
#[derive(Debug)]
pub(crate) struct LoopCheckpoint<'a> {
    all: &'a Checkpoints,
    path: PathBuf,
    what: String,
}

impl LoopCheckpoint<'_> {
    /// Goes on from the checkpoint; false where there is none.
    pub fn resume(&self, subject: &mut dyn Resumable) -> Result<bool> {
        self.all.read(&self.path, &self.what, subject)
    }

    /// Whether it is time for a checkpoint.
    pub fn is_due(&self) -> bool {
        self.all.clock.borrow().written.elapsed() >= self.all.every && self.all.affordable()
    }

    /// Writes how things are between two batches.
    pub fn write(&self, subject: &mut dyn Resumable) -> Result<()> {
        self.all.write(&self.path, &self.what, subject)
    }

    /// Whether the end of the loop is worth a checkpoint: none is in a run that takes no longer than the time between two.
    pub fn keeps_end(&self) -> bool {
        self.all.began.elapsed() >= self.all.every && self.all.affordable()
    }
}
