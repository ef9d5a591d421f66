//! Where a job keeps what it needs to go on inside.
use crate::{id, job::Job, store::Store};
use anyhow::{Context, Result};
use scenarec_train::Checkpoints;
use std::time::Duration;

/// Seconds between two checkpoints of a run, for whoever wants others than [`SECONDS`]: any number from 0 on, where 0 means one after
/// every batch, whatever it costs.
const VARIABLE: &str = "SCENAREC_CHECKPOINT_SECONDS";
/// A shorter run writes none.
const SECONDS: f64 = 30.0;

/// The checkpoints of a job, in a folder that outlives this process.
pub(super) fn of(job: &Job, id: &str, store: &Store) -> Result<Checkpoints> {
    let about = serde_json::to_string_pretty(&id::job_json(job)?)? + "\n";
    let every = match std::env::var(VARIABLE) {
        Ok(text) => seconds(&text)?,
        Err(std::env::VarError::NotPresent) => Duration::from_secs_f64(SECONDS),
        Err(e) => return Err(e).context(VARIABLE),
    };
    Ok(Checkpoints::new(store.checkpoints(id), id, about, every))
}

fn seconds(text: &str) -> Result<Duration> {
    let number = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    number.with_context(|| format!("{VARIABLE} is {text:?}, but should be a number of seconds from 0 on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_numbers_from_0_on() {
        assert_eq!(seconds("0.5").unwrap(), Duration::from_millis(500));
        assert!(seconds("0").unwrap().is_zero());
        for bad in ["", "-1", "NaN", "inf", "30s"] {
            let error = seconds(bad).unwrap_err().to_string();
            assert!(
                error.contains("SCENAREC_CHECKPOINT_SECONDS is ") && error.contains("from 0 on"),
                "{error}"
            );
        }
    }
}
