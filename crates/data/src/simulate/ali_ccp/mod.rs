//! Simulated Ali-CCP: the four files, in the official byte format, with the scenarios' official proportions and click rates.
//!
//! A user belongs to one scenario, but for a few, and has several common rows: moments, each with a history that is the user's own
//! in large part, and about fifty impressions. The logit of a click on item t in scenario s is
//!
//! ```text
//! base_s + AFFINITY affinity + MATCH Σ_c a_sc v_c(t) + QUALITY quality_t + bias_u
//! affinity = Σ_j ω_j n_j,   n_j = <lens_sc b_j, t>,   ω_j in proportion to a_sc v_j exp(focus_s n_j)
//! ```
//!
//! over the entries j of the history with the largest values v_j of each channel c, b_j what their category, shop, brand or intention
//! node means. v_c(t) is the value of the target's own category, shop, brand or nodes in the history, which the combination
//! fields hold. Scenarios differ in the weights a of the channels, in what a channel's behaviours mean (lens), and in
//! whether they look at all of them or at the nearest ones (focus); so a model has to read behaviours scenario by scenario.
mod files;
mod rows;
mod world;

use super::{Simulate, SimulateConfig, Simulated};
use crate::ali_ccp::FILES;
use crate::raw::RawFiles;
use crate::{Checked, Result};
use rows::Row;
use world::World;

/// Raised whenever the same parameters give other files.
const VERSION: u32 = 1;

/// Users, clicks and impressions of the scenarios B1, B2 and B3: SFPNet, Table 2.
const SIZES: [[f64; 3]; 3] = [
    [91_488.0, 1_291_063.0, 32_236_951.0],
    [2_612.0, 28_022.0, 639_897.0],
    [154_024.0, 1_998_618.0, 52_439_671.0],
];

/// Impressions of a common row, about.
const IMPRESSIONS: usize = 50;
/// Rows per user, at least: a common row in either half.
const LEAST_ROWS: usize = 2 * IMPRESSIONS;

/// Ali-CCP.
pub(super) struct AliCcp;

impl Simulate for AliCcp {
    fn files(&self) -> Vec<&'static str> {
        FILES.to_vec()
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check(&self, config: SimulateConfig) -> Checked<()> {
        let SimulateConfig { users, items, rows, .. } = config;
        for (key, n, least) in [("users", users, 50), ("items", items, 100)] {
            if !(least..=1_000_000).contains(&n) {
                return Err((key, format!("{n} should be {least} to 1000000")));
            }
        }
        let least = (LEAST_ROWS * users).max(20_000);
        if !(least..=200_000_000).contains(&rows) {
            return Err((
                "rows",
                format!("{rows} should be {least} to 200000000: at least {LEAST_ROWS} per user"),
            ));
        }
        Ok(())
    }

    /// The same kind of dataset with another number of rows; each user keeps its own number of rows, and items their own to a
    /// lesser degree.
    fn with_rows(&self, config: SimulateConfig, rows: usize) -> SimulateConfig {
        let factor = rows as f64 / config.rows as f64;
        let users = ((config.users as f64 * factor) as usize).max(50);
        let items = ((config.items as f64 * factor.powf(0.6)).round() as usize).max(100);
        SimulateConfig { users, items, rows, seed: config.seed }
    }

    fn simulate(&self, config: SimulateConfig, _tables: Option<&RawFiles>) -> Result<Simulated> {
        Ok(simulate(config))
    }
}

fn simulate(config: SimulateConfig) -> Simulated {
    let world = World::new(config);
    let moments = world::moments(&world, config);
    // In the order of the files, training before test.
    let [train, test] = [false, true].map(|test| rows::order(&moments, test, config.seed));
    let order = [train, test].concat();
    let rows = rows::rows(&world, &moments, &order, config.seed);
    let mut shown = vec![false; config.items];
    rows.iter().for_each(|row| shown[row.item as usize] = true);
    Simulated {
        files: files::files(&world, &moments, &rows, config),
        click_probability: rows.iter().map(|row: &Row| row.probability).collect(),
        clicks: rows.iter().filter(|row| row.click).count(),
        items: shown.iter().filter(|s| **s).count(),
    }
}
