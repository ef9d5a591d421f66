//! Simulated MovieLens, in both official layouts.
mod files;
mod world;

use super::{Simulate, SimulateConfig, Simulated};
use crate::movielens::Layout;
use crate::raw::RawFiles;
use crate::{Checked, Result};
use serde::{Deserialize, Serialize};
use world::World;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// Ratings that every user has at least, as in the official data.
const MIN_ACTIVITY: usize = 20;

/// MovieLens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movielens {
    /// Layout of the files.
    pub layout: Layout,
    /// Ratings from here on are clicks; the click probabilities hold for this threshold only.
    pub positive_from: u8,
}

impl Simulate for Movielens {
    fn files(&self) -> Vec<&'static str> {
        self.layout.files().to_vec()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn rows_key(&self) -> &'static str {
        "ratings"
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        let SimulateConfig { users, items, rows: ratings, .. } = config;
        if users == 0 || users > 10_000_000 {
            return Err(("users", format!("{users} should be 1 to 10000000")));
        }
        if !(2 * MIN_ACTIVITY..=10_000_000).contains(&items) {
            return Err(("items", format!("{items} should be {} to 10000000", 2 * MIN_ACTIVITY)));
        }
        // At most a quarter of all pairs: a long tail needs room.
        let (least, most) = (MIN_ACTIVITY * users, (users * items / 4).max(MIN_ACTIVITY * users));
        if !(least..=most).contains(&ratings) || ratings > u32::MAX as usize {
            let why = format!("{ratings} should be {least} to {most}: at least {MIN_ACTIVITY} per user");
            return Err(("ratings", why));
        }
        Ok(())
    }

    /// The same kind of dataset with another number of ratings: users and items shrink or grow with the square root, so
    /// that both the ratings per user and those per item do too.
    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        let factor = (rows as f64 / config.rows as f64).sqrt();
        let scale = |n: usize| ((n as f64 * factor).round() as usize).max(1);
        SimulateConfig {
            // Some room above the least number of ratings per user.
            users: scale(config.users).min(rows / (MIN_ACTIVITY + 5)).max(1),
            items: scale(config.items).max(2 * MIN_ACTIVITY),
            rows,
            seed: config.seed,
        }
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(simulate(self.layout, self.positive_from, config))
    }
}

/// The files; ratings from `positive_from` on are clicks.
fn simulate(layout: Layout, positive_from: u8, config: SimulateConfig) -> Simulated {
    let world = World::new(config);
    let rows = world.rows(layout, positive_from);
    let mut rated = vec![false; config.items];
    rows.iter().for_each(|r| rated[r.item as usize] = true);
    Simulated {
        files: vec![
            files::ratings(layout, &rows),
            files::users(layout, &world),
            files::movies(layout, &world),
        ],
        click_probability: rows.iter().map(|r| r.click_probability).collect(),
        clicks: rows.iter().filter(|r| r.rating >= positive_from).count(),
        items: rated.iter().filter(|r| **r).count(),
    }
}
