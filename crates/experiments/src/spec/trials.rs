//! The trials of a combination's search, and the one that won.
use super::{
    changes::Changes,
    resolve::{Combination, Resolver},
    score::Best,
    search::Tried,
};
use crate::job::Job;
use anyhow::Result;

/// Tells what the trial with these runs is worth, once they are finished.
pub type Score<'a> = dyn Fn(&Best, &[Job]) -> Result<Option<f64>> + 'a;

/// What becomes of the search that applies to a combination.
#[derive(Clone, Debug)]
pub enum CellSearch {
    /// It does not take place; where that was said.
    Off(String),
    /// It does.
    On(Trials),
}

/// A combination's trials.
#[derive(Clone, Debug)]
pub struct Trials {
    /// What decides between them.
    pub best: Best,
    /// In the order of the spec.
    pub trials: Vec<Trial>,
    /// The best one, once all have their scores.
    pub chosen: Option<usize>,
}

/// One choice of values, tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The values.
    pub tried: Tried,
    /// Its runs, one per seed.
    pub jobs: Vec<Job>,
    /// What it is worth, once all its runs are finished.
    pub score: Option<f64>,
}

impl CellSearch {
    /// The values to run a combination with: none yet where trials have to decide.
    pub(super) fn values(search: Option<&Self>) -> Option<Changes> {
        match search {
            None | Some(Self::Off(_)) => Some(Changes::default()),
            Some(Self::On(t)) => Some(t.trials[t.chosen?].tried.changes.clone()),
        }
    }
}

/// Resolves the search that applies to a combination, if one does.
pub(super) fn resolve(
    resolver: &Resolver,
    combination: &Combination,
    score: &Score,
) -> Result<Option<CellSearch>> {
    let (spec, selection) = (resolver.spec, resolver.selection);
    let Some(search) = spec.searches.iter().find(|s| s.applies(&combination.coordinates)) else {
        return Ok(None);
    };
    if let Some(place) = resolver.changes(combination).then(&selection.set).search_off() {
        return Ok(Some(CellSearch::Off(place.to_string())));
    }
    if let Some(place) = search.overruled(&selection.set, &combination.coordinates)? {
        return Ok(Some(CellSearch::Off(place.to_string())));
    }
    let mut all = search.tried();
    if selection.quick && all.len() > 2 {
        // The first and the last are enough to see that it works.
        all.drain(1..all.len() - 1);
    }
    let seeds = if selection.quick { spec.quick.seeds } else { search.seeds };
    let mut trials = Vec::new();
    for tried in all {
        let first = resolver.job(combination, &search.changes.then(&tried.changes))?;
        if (spec.recipe.evaluates_on_test)(&first)? {
            return Err(search.on_test_rows(spec.recipe.name));
        }
        let jobs = first.for_seeds(seeds);
        let score = score(&search.best, &jobs)?;
        trials.push(Trial { tried, jobs, score });
    }
    let chosen = search.best.choose(trials.iter().map(|t| t.score));
    Ok(Some(CellSearch::On(Trials { best: search.best.clone(), trials, chosen })))
}
