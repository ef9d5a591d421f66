//! Progress of all workers: bars on a terminal, a line now and then elsewhere.
use super::messages::Message;
use crate::plan::{History, Node};
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
    /// Name and expected seconds of every job.
    known: BTreeMap<String, (String, f64)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<String, (Instant, Option<ProgressBar>)>,
    finished: usize,
    finished_work: f64,
    told: Option<Instant>,
}

impl Display {
    pub(super) fn new(nodes: &[&Node], history: &History, jobs: usize) -> Self {
        let expected: Vec<Option<f64>> = nodes.iter().map(|n| history.expected(&n.job)).collect();
        let (sum, n) = expected.iter().flatten().fold((0.0, 0), |(s, n), e| (s + e, n + 1));
        let mean = if n == 0 { 1.0 } else { sum / f64::from(n) };
        let known = nodes
            .iter()
            .zip(expected)
            .map(|(n, e)| (n.id.clone(), (n.what(), e.unwrap_or(mean).max(1e-3))))
            .collect();
        let bars = std::io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::new();
            let total = multi.add(ProgressBar::new(nodes.len() as u64));
            total.set_style(style("{prefix:40!} {bar:24} {pos}/{len} {elapsed}, {msg}"));
            total.set_prefix("all");
            total.enable_steady_tick(Duration::from_millis(500));
            (multi, total)
        });
        Self { bars, start: Instant::now(), jobs, known, state: Mutex::default() }
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
        self.lock().running.insert(id.into(), (Instant::now(), bar));
        self.tick();
    }

    pub(super) fn message(&self, id: &str, message: &Message) {
        if let Some((_, Some(bar))) = self.lock().running.get(id) {
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
        self.tick();
    }

    pub(super) fn ended(&self, id: &str) {
        let mut state = self.lock();
        if let Some((_, Some(bar))) = state.running.remove(id) {
            bar.finish_and_clear();
        }
        state.finished += 1;
        state.finished_work += self.known[id].1;
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
        if let Some((_, total)) = &self.bars {
            total.set_position(state.finished as u64);
            total.set_message(left);
        } else if state.told.is_none_or(|t| t.elapsed() >= INTERVAL) {
            state.told = Some(Instant::now());
            let elapsed = clock(self.start.elapsed().as_secs_f64());
            eprintln!(
                "{} of {} done, {} running, {elapsed}, {left}",
                state.finished,
                self.known.len(),
                state.running.len()
            );
        }
    }

    /// "about 3:10 left"
    fn left(&self, state: &State) -> String {
        let total: f64 = self.known.values().map(|(_, e)| e).sum();
        let running: f64 = state
            .running
            .iter()
            .map(|(id, (since, _))| since.elapsed().as_secs_f64().min(0.95 * self.known[id].1))
            .sum();
        let elapsed = self.start.elapsed().as_secs_f64();
        let work = state.finished_work + running;
        if state.finished == 0 || work <= 0.0 {
            return format!("{} at once", self.jobs);
        }
        format!("about {} left", clock(elapsed * (total - work).max(0.0) / work))
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
