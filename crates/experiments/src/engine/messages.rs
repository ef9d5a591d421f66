//! What a worker tells the process that started it: lines of JSON on its standard output.
use scenarec_train::{Checkpoints, Progress};
use serde::{Deserialize, Serialize};
use std::{
    cell::{Cell, RefCell},
    io::Write,
    time::{Duration, Instant},
};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// Another process works on the same thing; this one waits for it.
    Waiting,
    /// A piece of work of `total` steps begins.
    Begin {
        /// What it is.
        what: String,
        /// Its steps.
        total: u64,
    },
    /// Steps of the current piece of work that are done.
    Done(u64),
    /// The job ended with this error.
    Error(String),
}

impl Message {
    /// Writes the line. Nobody may be listening, which is no reason to stop.
    pub(super) fn send(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}

/// Tells progress about ten times a second, and keeps checkpoints.
#[derive(Debug)]
pub(super) struct Teller {
    done: Cell<u64>,
    told: RefCell<Instant>,
    checkpoints: Checkpoints,
}

/// Between two lines about progress.
const INTERVAL: Duration = Duration::from_millis(100);

impl Teller {
    pub(super) fn new(checkpoints: Checkpoints) -> Self {
        Self { done: Cell::new(0), told: RefCell::new(Instant::now()), checkpoints }
    }
}

impl Progress for Teller {
    fn begin(&self, what: &str, total: u64) {
        self.done.set(0);
        *self.told.borrow_mut() = Instant::now();
        Message::Begin { what: what.into(), total }.send();
    }

    fn advance(&self, steps: u64) {
        self.done.set(self.done.get() + steps);
        let mut told = self.told.borrow_mut();
        if told.elapsed() >= INTERVAL {
            *told = Instant::now();
            Message::Done(self.done.get()).send();
        }
    }

    fn checkpoints(&self) -> Option<&Checkpoints> {
        Some(&self.checkpoints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back() {
        let messages = [
            Message::Waiting,
            Message::Begin { what: "pretrain".into(), total: 418 },
            Message::Done(7),
            Message::Error("a\nb".into()),
        ];
        for m in messages {
            let line = serde_json::to_string(&m).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Message>(&line).unwrap(), m);
        }
    }
}
