//! KuaiRand with behaviour sequences and sessions: the app's own recommendations, a scenario per tab, the task click. (The SFPNet
//! sheet's public second set; no paper has these columns.)
//!
//! A row's behaviours are the user's clicks at earlier times, in the tabs that are kept. A session is what one user sees in one tab
//! without a pause of more than half an hour.
use super::features::{self, OUTCOMES};
use super::view::{check_tabs, columns, names};
use super::{Layout, Log, Tables, memory, parse};
use crate::config::LoaderKeys;
use crate::config::values::check_max_len;
use crate::ids::Dense;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::sequence::{Earlier, by_user};
use crate::simulate::{KuaiRand, Simulator};
use crate::view::{Chosen, Loaded, View};
use crate::{Checked, Loader, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Raised whenever this view makes other columns of the same files: old caches no longer count.
const VERSION: u32 = 1;

/// Milliseconds after which a session is over.
const PAUSE: i64 = 30 * 60 * 1000;

/// What is made of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The version, which names the raw files.
    pub layout: Layout,
    /// The tabs whose rows are kept, in the order of the scenarios.
    pub tabs: Vec<u8>,
    /// The features, in order.
    pub features: Vec<String>,
    /// Which of them a behaviour has.
    pub behaviours: Vec<String>,
    /// How many behaviours of a row are kept, the most recent ones.
    pub max_len: u32,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        check_tabs(&self.tabs)?;
        features::check(&self.features)?;
        features::check_behaviours(&self.behaviours, &self.features)?;
        check_max_len(self.max_len)?;
        Ok(Loader::KuaiRandSequence(self))
    }
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &OUTCOMES
    }

    fn simulator(&self) -> Simulator {
        Simulator::KuaiRand(KuaiRand { layout: self.layout })
    }

    fn version(&self) -> u32 {
        super::VERSION * 1000 + VERSION
    }

    fn check_memory(&self, folder: &Path) -> Result<()> {
        memory::check(self.layout, self.features.len(), folder)
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view(parse(self.layout, raw, &self.tabs)?, self)))
    }
}

/// Builds schema, columns and labels of the standard logs' rows of these tabs.
fn view(mut raw: Tables, settings: &Settings) -> View {
    let Settings { tabs, features, behaviours, max_len, .. } = settings;
    raw.log.keep_standard();
    let user = Dense::new(&raw.log.user).ids;
    let (mut out, scenario, log) = columns(raw, tabs, features);
    let earlier = Earlier::new(&user, &log.time, |r| log.click[r] == 1);
    out.behaviours(&behaviours.iter().map(String::as_str).collect::<Vec<_>>(), earlier, *max_len);
    let session = sessions(&user, &scenario, &log.time);
    let Log { of, rows, click, time, .. } = log;
    let view = out.view([("click", click)]).with_scenarios(names(tabs), scenario).with_time(time);
    View { chosen: Some(Chosen { of, rows }), ..view.with_session(session) }
}

/// Numbers of sessions, user by user and scenario by scenario.
fn sessions(user: &[u32], scenario: &[u16], time: &[i64]) -> Vec<u32> {
    // A user in a scenario is one of its own.
    let scenarios = scenario.iter().max().map_or(1, |s| u32::from(*s) + 1);
    let visitor: Vec<u32> = user.iter().zip(scenario).map(|(u, s)| u * scenarios + u32::from(*s)).collect();
    let mut session = vec![0; user.len()];
    let order = by_user(&visitor, time);
    let pause = |a: &u32, b: &u32| {
        let (a, b) = (*a as usize, *b as usize);
        visitor[a] == visitor[b] && time[b] - time[a] <= PAUSE
    };
    for (number, own) in order.chunk_by(pause).enumerate() {
        own.iter().for_each(|r| session[*r as usize] = number as u32);
    }
    session
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_or_another_tab_ends_a_session() {
        let minutes = |m: i64| m * 60_000;
        let user = [0, 0, 1, 0, 0, 1];
        let scenario = [1, 1, 1, 0, 1, 1];
        let time = [minutes(40), minutes(10), minutes(12), minutes(11), minutes(71), minutes(100)];
        // User 0 in scenario 0: row 3; in scenario 1: rows 1 and 0, then row 4 after 31 minutes; user 1: rows 2 and 5.
        assert_eq!(sessions(&user, &scenario, &time), [1, 1, 3, 0, 2, 4]);
    }
}
