//! Points that a table's runs made for a scatter plot.
use crate::{
    plan::Plan,
    spec::{Coordinates, Plot, TableSpec},
    store::{Cloud, Store},
};
use anyhow::Result;
use std::collections::BTreeMap;

/// Points of one run.
#[derive(Clone, Debug)]
pub struct Points {
    /// The run's combination: dimension of the grid -> entry.
    pub coordinates: Coordinates,
    /// Its seed.
    pub seed: u64,
    /// By panel and series.
    pub clouds: Vec<Cloud>,
}

/// Of every combination the points of the first seed that has some; nothing where the table has no scatter plot. `older`
/// are the ids of runs that stand in for missing ones, by the missing one's.
pub(super) fn collect(
    spec: &TableSpec,
    plan: &Plan,
    store: &Store,
    older: &BTreeMap<String, String>,
) -> Result<Vec<Points>> {
    let mut all = Vec::new();
    if !matches!(spec.layout.plot, Some(Plot::Scatter { .. })) {
        return Ok(all);
    }
    for planned in &plan.cells {
        for (seed, id) in &planned.runs {
            let id = if store.has(id, false) { id } else { older.get(id).unwrap_or(id) };
            if let Some(clouds) = store.points(id)? {
                let coordinates = planned.combination.coordinates.clone();
                all.push(Points { coordinates, seed: *seed, clouds });
                break;
            }
        }
    }
    Ok(all)
}
