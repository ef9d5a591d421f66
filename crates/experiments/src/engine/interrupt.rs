//! Ctrl-C: the workers are stopped, and nothing half-written stays.
use rustix::process::{Pid, Signal, kill_process};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static WORKERS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Whether the user wants to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// From now on Ctrl-C (and SIGTERM, SIGHUP) stops the workers; a second one ends this process at once.
pub(super) fn listen() {
    // It fails only where a handler is installed already: then this one is.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        for pid in workers().iter() {
            stop(*pid);
        }
    });
}

/// A worker runs.
pub(super) fn add(pid: u32) {
    workers().push(pid);
    if interrupted() {
        stop(pid);
    }
}

/// A worker has ended (but has not been waited for, so that its number is still its own).
pub(super) fn remove(pid: u32) {
    workers().retain(|p| *p != pid);
}

fn workers() -> std::sync::MutexGuard<'static, Vec<u32>> {
    WORKERS.lock().unwrap_or_else(|e| e.into_inner())
}

fn stop(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid as i32) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}
