//! The pool: as many workers at once as there are places, each job when its stages exist.
use super::{display::Display, interrupt, messages::Message, worker::Order};
use crate::{
    plan::{History, Node, Plan},
    roots::Roots,
    store::{Failure, Store},
};
use anyhow::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    process::{ExitStatus, Stdio},
    sync::{Condvar, Mutex},
    time::Duration,
};

/// How to execute.
#[derive(Clone, Debug)]
pub struct Options {
    /// Workers at once.
    pub jobs: usize,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Id and error of jobs that failed, or could not start since a stage of theirs failed.
    pub failures: BTreeMap<String, Failure>,
    /// Jobs that were executed.
    pub executed: usize,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// Jobs that are waiting, running, done.
#[derive(Default)]
struct State<'a> {
    waiting: Vec<&'a Node>,
    running: usize,
    unfinished: BTreeSet<String>,
    failed: BTreeMap<String, Failure>,
    outcome: Outcome,
    broken: Option<anyhow::Error>,
}

/// Executes everything the plan lacks. A job that fails costs that job, and those that need it; jobs that `failed` a
/// moment ago are not tried again.
pub fn execute(
    plan: &Plan,
    store: &Store,
    roots: &Roots,
    options: &Options,
    failed: BTreeMap<String, Failure>,
) -> Result<Outcome> {
    store.remove_leftovers()?;
    let mut missing = plan.missing();
    missing.retain(|n| !failed.contains_key(&n.id));
    if missing.is_empty() {
        return Ok(Outcome { failures: failed, ..Outcome::default() });
    }
    interrupt::listen();
    let display = Display::new(&missing, History::read(store)?, options.jobs);
    let mut state = State {
        unfinished: missing.iter().map(|n| n.id.clone()).collect(),
        waiting: missing,
        failed,
        ..State::default()
    };
    prepare_data(&mut state, roots, &display);
    let pool = Pool { store, roots, display: &display, state: Mutex::new(state), changed: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| pool.serve());
        }
    });
    display.end();
    if interrupt::interrupted() {
        store.remove_leftovers()?;
    }
    let state = pool.state.into_inner().unwrap_or_else(|e| e.into_inner());
    if let Some(e) = state.broken {
        return Err(e);
    }
    let mut outcome = state.outcome;
    outcome.failures = state.failed;
    outcome.interrupted = interrupt::interrupted();
    Ok(outcome)
}

/// Fills the cache of every dataset before workers that share it start. Jobs whose data cannot be had fail.
fn prepare_data(state: &mut State, roots: &Roots, display: &Display) {
    let mut prepared: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut rest = Vec::new();
    for node in std::mem::take(&mut state.waiting) {
        let d = &node.job.dataset;
        let error = prepared.entry(d.fingerprint.clone()).or_insert_with(|| {
            display.say(&format!("preparing {}", d.config.dataset));
            scenarec_data::fill_cache(&d.config, &roots.data, &d.quick)
                .err()
                .map(|e| format!("{:#}", anyhow::Error::from(e)))
        });
        match error {
            None => rest.push(node),
            Some(message) => {
                let failure = Failure { what: node.what(), message: message.clone(), log: None };
                state.failed.insert(node.id.clone(), failure);
            }
        }
    }
    state.waiting = rest;
}

struct Pool<'a> {
    store: &'a Store,
    roots: &'a Roots,
    display: &'a Display,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

impl<'a> Pool<'a> {
    /// One place: takes jobs until there are none.
    fn serve(&self) {
        while let Some(node) = self.next() {
            let result = self.run(node);
            self.display.ended(&node.id);
            let mut state = self.lock();
            state.running -= 1;
            match result {
                _ if interrupt::interrupted() => {}
                Ok(None) => {
                    state.unfinished.remove(&node.id);
                    state.outcome.executed += 1;
                    self.store.clear_failure(&node.id);
                }
                Ok(Some(failure)) => {
                    self.display.say(&format!("failed: {}: {}", failure.what, failure.message));
                    if let Err(e) = self.store.set_failure(&node.id, &failure) {
                        state.broken.get_or_insert(e);
                    }
                    state.failed.insert(node.id.clone(), failure);
                }
                Err(e) => {
                    state.broken.get_or_insert(e);
                }
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The first job whose stages exist. Waits where there may be one later.
    fn next(&self) -> Option<&'a Node> {
        let mut state = self.lock();
        loop {
            if interrupt::interrupted() || state.broken.is_some() {
                return None;
            }
            self.drop_blocked(&mut state);
            let ready = |n: &&Node| n.inputs.values().all(|i| !state.unfinished.contains(i));
            if let Some(i) = state.waiting.iter().position(ready) {
                state.running += 1;
                return Some(state.waiting.remove(i));
            }
            if state.waiting.is_empty() || state.running == 0 {
                return None;
            }
            let pause = Duration::from_millis(200);
            state = self.changed.wait_timeout(state, pause).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// Jobs that need a failed stage fail.
    fn drop_blocked(&self, state: &mut State) {
        for node in std::mem::take(&mut state.waiting) {
            match node.inputs.iter().find(|(_, id)| state.failed.contains_key(*id)) {
                None => state.waiting.push(node),
                Some((name, _)) => {
                    let message = format!("needs the stage {name}, which failed");
                    let failure = Failure { what: node.what(), message, log: None };
                    state.failed.insert(node.id.clone(), failure);
                }
            }
        }
    }

    /// Executes one job in a process of its own. An error means that no job can be executed.
    fn run(&self, node: &Node) -> Result<Option<Failure>> {
        let order = Order::of(node);
        let mut command = order.command(self.roots);
        let mut child = command
            .args(["--parent", &std::process::id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot start a worker")?;
        interrupt::add(child.id());
        self.display.started(&node.id);
        let mut error = None;
        if let Some(mut stdin) = child.stdin.take() {
            // A worker that ends before it has read everything says why itself.
            let _ = stdin.write_all(&serde_json::to_vec(&order)?);
        }
        let out = child.stdout.take().context("the worker has no output")?;
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Message::Error(e)) => error = Some(e),
                Ok(message) => self.display.message(&node.id, &message),
                // libtorch may print something of its own.
                Err(_) => {}
            }
        }
        interrupt::remove(child.id());
        let status = child.wait().context("cannot wait for a worker")?;
        if status.success() && self.store.has(&node.id, node.is_stage()) {
            // Its log is in the finished folder.
            let _ = fs::remove_file(self.store.log(&node.id));
            return Ok(None);
        }
        let log = Some(self.store.log(&node.id)).filter(|l| l.is_file());
        let message = error.unwrap_or_else(|| ended(status));
        Ok(Some(Failure { what: node.what(), message, log }))
    }
}

/// How a process ended.
fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(101), _) => "the process panicked".into(),
        (Some(code), _) => format!("the process ended with status {code}"),
        (None, Some(9)) => "the process was killed (signal 9; is there enough memory?)".into(),
        (None, Some(signal)) => format!("the process was killed by signal {signal}"),
        (None, None) => "the process ended".into(),
    }
}
