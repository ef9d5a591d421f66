//! Progress of all workers: bars on a terminal, a line now and then elsewhere.
use super::messages::Message;
use crate::plan::{self, History, Node};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Between two lines where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);

/// Shows what happens.
pub(super) struct Display {
    bars: Option<(MultiProgress, ProgressBar)>,
    start: Instant,
    jobs: usize,
    /// Name of every job, and its kind, on which its time depends.
    known: BTreeMap<String, (String, String)>,
    state: Mutex<State>,
}

struct State {
    running: BTreeMap<String, Running>,
    waiting: Vec<String>,
    history: History,
    told: Option<Instant>,
}

/// A job at work.
struct Running {
    since: Instant,
    bar: Option<ProgressBar>,
    /// Its present piece of work: since when, steps, steps done.
    piece: Option<(Instant, u64, u64)>,
}

impl Running {
    /// Seconds the job takes at the pace of its present piece, what comes after it not counted.
    fn at_this_pace(&self) -> Option<f64> {
        let (since, total, done) = self.piece.filter(|(_, _, done)| *done > 0)?;
        let left = since.elapsed().as_secs_f64() * total.saturating_sub(done) as f64 / done as f64;
        Some(self.since.elapsed().as_secs_f64() + left)
    }
}

impl Display {
    pub(super) fn new(nodes: &[&Node], history: History, jobs: usize) -> Self {
        let known: BTreeMap<_, _> =
            nodes.iter().map(|n| (n.id.clone(), (n.what(), plan::kind(&n.job)))).collect();
        let waiting = known.keys().cloned().collect();
        let bars = std::io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::new();
            let total = multi.add(ProgressBar::new(nodes.len() as u64));
            total.set_style(style("{prefix:40!} {bar:24} {pos}/{len} {elapsed}, {msg}"));
            total.set_prefix("all");
            total.enable_steady_tick(Duration::from_millis(500));
            (multi, total)
        });
        let state = State { running: BTreeMap::new(), waiting, history, told: None };
        Self { bars, start: Instant::now(), jobs, known, state: Mutex::new(state) }
    }

    /// A line of text.
    pub(super) fn say(&self, text: &str) {
        match &self.bars {
            // Where it cannot be shown it is no reason to stop.
            Some((multi, _)) => drop(multi.println(text)),
            None => eprintln!("{text}"),
        }
    }

    pub(super) fn started(&self, id: &str) {
        let bar = self.bars.as_ref().map(|(multi, total)| {
            let bar = multi.insert_before(total, ProgressBar::new(1));
            bar.set_style(style("{prefix:40!} {bar:24} {percent:>3} % {msg}"));
            bar.set_prefix(self.known[id].0.clone());
            bar
        });
        let mut state = self.lock();
        state.waiting.retain(|w| w != id);
        state.running.insert(id.into(), Running { since: Instant::now(), bar, piece: None });
        drop(state);
        self.tick();
    }

    pub(super) fn message(&self, id: &str, message: &Message) {
        if let Some(job) = self.lock().running.get_mut(id) {
            match (message, &mut job.piece) {
                (Message::Begin { total, .. }, piece) => *piece = Some((Instant::now(), *total, 0)),
                (Message::Done(n), Some((_, _, done))) => *done = *n,
                _ => {}
            }
            if let Some(bar) = &job.bar {
                match message {
                    Message::Waiting => bar.set_message("another process does it"),
                    Message::Begin { what, total } => {
                        bar.set_length((*total).max(1));
                        bar.set_position(0);
                        bar.set_message(what.clone());
                    }
                    Message::Done(n) => bar.set_position(*n),
                    Message::Error(_) => {}
                }
            }
        }
        self.tick();
    }

    pub(super) fn ended(&self, id: &str) {
        let mut state = self.lock();
        if let Some(job) = state.running.remove(id) {
            state.history.learn(&self.known[id].1, job.since.elapsed().as_secs_f64());
            if let Some(bar) = job.bar {
                bar.finish_and_clear();
            }
        }
        drop(state);
        self.tick();
    }

    pub(super) fn end(&self) {
        if let Some((_, total)) = &self.bars {
            total.finish_and_clear();
        }
    }

    /// Refreshes the total.
    fn tick(&self) {
        let mut state = self.lock();
        let left = self.left(&state);
        let finished = self.known.len() - state.waiting.len() - state.running.len();
        if let Some((_, total)) = &self.bars {
            total.set_position(finished as u64);
            total.set_message(left);
        } else if state.told.is_none_or(|t| t.elapsed() >= INTERVAL) {
            state.told = Some(Instant::now());
            let elapsed = clock(self.start.elapsed().as_secs_f64());
            eprintln!(
                "{} of {} done, {} running, {elapsed}, {left}",
                finished,
                self.known.len(),
                state.running.len()
            );
        }
    }

    /// "about 3:10 left", from what earlier jobs of the same kinds took; where there were none, from the pace of those at
    /// work.
    fn left(&self, state: &State) -> String {
        let kind = |id: &str| self.known[id].1.as_str();
        let pace = |wanted: &str| {
            let alike = state.running.iter().filter(|(id, _)| kind(id) == wanted);
            alike.filter_map(|(_, job)| job.at_this_pace()).max_by(f64::total_cmp)
        };
        let expected = |id: &str| state.history.of_kind(kind(id)).or_else(|| pace(kind(id)));
        let waiting = state.waiting.iter().map(|id| expected(id));
        let running = state.running.iter().map(|(id, job)| {
            let elapsed = job.since.elapsed().as_secs_f64();
            // A job that takes longer than expected is not about to end for that.
            Some((expected(id)? - elapsed).max(0.1 * elapsed))
        });
        let all: Vec<Option<f64>> = waiting.chain(running).collect();
        let left = clock(all.iter().flatten().sum::<f64>() / self.jobs.max(1) as f64);
        match all.iter().filter(|e| e.is_none()).count() {
            0 => format!("about {left} left"),
            n => format!("about {left} left and {n} of unknown time"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant")
}

/// 75 s as 1:15, an hour as 1:00:00.
pub(crate) fn clock(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock(75.2), "1:15");
        assert_eq!(clock(3600.0), "1:00:00");
    }
}
