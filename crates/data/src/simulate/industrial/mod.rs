//! Simulated logs of the industrial sets: scenarios of very different sizes whose users and items overlap, sessions, and behaviours
//! that mean something else in every scenario.
//!
//! The logit of a click by user u on item t, shown in scenario s and circumstances c (day or evening), is
//!
//! ```text
//! base_s + AFFINITY affinity(u, t, s, c) + QUALITY quality_t + PRICE price_s(t) - POSITION log(1 + position)
//! affinity = Σ_j ω_j <R b_j, t>,   ω = softmax_j(τ_s <R b_j, t>),   R = I + ρ U V',   U, V of s and c, of rank 4
//! ```
//!
//! over the latent vectors b_j of the user's last clicks, standardised. R turns every single behaviour, so that a model has to
//! read behaviours scenario by scenario; with ρ = 0 (`tailored: false`) they mean the same everywhere. τ_s says whether a
//! scenario looks at all of them or at the nearest ones.
//!
//! Where attributes count apart (`Likeness::Attributes`), the affinity is Σ_p w_sp affinity_p over the item itself, its category, its
//! brand and its price, each with vectors and an R of its own, weights w_s of the scenario (equal with `tailored: false`), and ω falls
//! with the age of a behaviour by a factor of the scenario's own.
mod clicks;
mod markets;
mod sessions;
mod world;

use super::csv::{header, lines};
use super::random::{Stream, rng, sparse_ids};
use super::{Simulate, SimulateConfig, Simulated};
use crate::industrial::{FILES, HISTORY_COLUMNS, IMPRESSION_COLUMNS, ITEM_COLUMNS, Market, USER_COLUMNS};
use crate::raw::RawFiles;
use crate::{Checked, Result};
use clicks::Impression;
use markets::shape;
use serde::{Deserialize, Serialize};
use std::io::Write;
use world::World;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// The log of an industrial set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Industrial {
    /// Whose.
    pub market: Market,
    /// Whether behaviours mean something else in every scenario.
    pub tailored: bool,
}

impl Simulate for Industrial {
    fn files(&self) -> Vec<&'static str> {
        FILES.to_vec()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        let SimulateConfig { users, items, rows, .. } = config;
        for (key, n, least) in [("users", users, 100), ("items", items, 500)] {
            if !(least..=10_000_000).contains(&n) {
                return Err((key, format!("{n} should be {least} to 10000000")));
            }
        }
        let least = 20 * shape(self.market).sizes.len() * sessions::LONGEST;
        if !(least..=100_000_000).contains(&rows) {
            return Err(("rows", format!("{rows} should be {least} to 100000000")));
        }
        Ok(())
    }

    /// The same kind of dataset with another number of rows; each user keeps its own number of rows, and items their own to a
    /// lesser degree.
    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        let factor = rows as f64 / config.rows as f64;
        let scale = |n: usize, factor: f64, least| ((n as f64 * factor).round() as usize).max(least);
        SimulateConfig {
            users: scale(config.users, factor, 100),
            items: scale(config.items, factor.powf(0.6), 500),
            rows,
            seed: config.seed,
        }
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(simulate(self.market, self.tailored, config))
    }
}

fn simulate(market: Market, tailored: bool, config: SimulateConfig) -> Simulated {
    let shape = shape(market);
    let world = World::new(&shape, tailored, config);
    let plan = sessions::plan(&shape, config);
    let (impressions, histories) = clicks::impressions(&shape, &world, &plan, config.seed);

    let r = &mut rng(config.seed, Stream::Vocabulary, 1);
    let (user_ids, item_ids) = (sparse_ids(config.users, r), sparse_ids(config.items, r));
    let row = |i: &Impression, out: &mut Vec<u8>| {
        let (user, item) = (user_ids[i.user as usize], item_ids[i.item as usize]);
        let Impression { session, scenario, time, position, click, .. } = i;
        let click = u8::from(*click);
        writeln!(out, "{session},{user},{scenario},{time},{position},{item},{click}")
            .expect("writing to memory");
    };
    let table = |columns: &[&str], ids: &[u32], attributes: &[Vec<u32>]| {
        let rows: Vec<usize> = (0..ids.len()).collect();
        lines(&header(columns), &rows, |row, out| {
            write!(out, "{}", ids[*row]).expect("writing to memory");
            attributes.iter().for_each(|a| write!(out, ",{}", a[*row]).expect("writing to memory"));
            out.push(b'\n');
        })
    };
    let histories: Vec<(u32, i64, u32)> = histories
        .iter()
        .enumerate()
        .flat_map(|(user, clicks)| clicks.iter().map(move |(time, item)| (user as u32, *time, *item)))
        .collect();
    let history = |(user, time, item): &(u32, i64, u32), out: &mut Vec<u8>| {
        let (user, item) = (user_ids[*user as usize], item_ids[*item as usize]);
        writeln!(out, "{user},{time},{item}").expect("writing to memory");
    };
    let mut shown = vec![false; config.items];
    impressions.iter().for_each(|i| shown[i.item as usize] = true);
    Simulated {
        files: vec![
            lines(&header(&IMPRESSION_COLUMNS), &impressions, row),
            table(&USER_COLUMNS, &user_ids, &world.users.attributes),
            table(&ITEM_COLUMNS, &item_ids, &world.items.attributes),
            lines(&header(&HISTORY_COLUMNS), &histories, history),
        ],
        click_probability: impressions.iter().map(|i| i.probability).collect(),
        clicks: impressions.iter().filter(|i| i.click).count(),
        items: shown.iter().filter(|s| **s).count(),
    }
}
