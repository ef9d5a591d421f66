//! `show`.
use super::{print, select::TableArgs, session::Session};
use crate::{id, plan::PlannedCell, roots::Roots, spec::CellSearch};
use anyhow::{Context, Result};
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// Every combination's settings, resolved.
pub(super) fn show(roots: &Roots, paper: Option<&str>, args: &TableArgs) -> Result<()> {
    let session = Session::open(roots, paper, args)?;
    let (plan, notes) = session.plan(roots)?;
    let mut out = format!("# {}: {}\n", session.spec.name, session.spec.title);
    for (dataset, note) in notes {
        out += &format!("# {dataset}: {note}\n");
    }
    for cell in &plan.cells {
        out += "---\n";
        let coordinates: Vec<_> =
            cell.combination.coordinates.iter().map(|(d, v)| format!("{d} {v}")).collect();
        out += &format!("# {}\n", coordinates.join(", "));
        if let Some(reason) = &cell.combination.not_yet {
            out += &format!("not_yet: {reason:?}\n");
            continue;
        }
        let mut shown = Mapping::new();
        if let Some(search) = &cell.search {
            shown.insert("search".into(), search_of(cell, search)?);
        }
        if cell.undecided() {
            shown.insert("undecided".into(), format!("{} runs", cell.seeds).into());
        } else {
            shown.insert("runs".into(), by_seed(&cell.runs)?);
        }
        // Where nothing is decided, all that can be shown is a trial.
        let first = cell.runs.first().or_else(|| cell.trials.first()?.first());
        let (_, first) = first.context("a combination has a run or a trial")?;
        let node = &plan.nodes[first];
        shown.insert("needs".into(), serde_yaml::to_value(&node.inputs)?);
        let job = if cell.undecided() { "first_trial" } else { "job" };
        shown.insert(job.into(), serde_yaml::to_value(id::job_json(&node.job)?)?);
        out += &serde_yaml::to_string(&shown)?;
    }
    print(&out)
}

/// What was tried, what it is worth and what was chosen.
fn search_of(cell: &PlannedCell, search: &CellSearch) -> Result<Value> {
    let mut shown = Mapping::new();
    match search {
        CellSearch::Off(place) => drop(shown.insert("off".into(), place.as_str().into())),
        CellSearch::On(search) => {
            let mut trials = Vec::new();
            for (trial, runs) in search.trials.iter().zip(&cell.trials) {
                let mut one = Mapping::from_iter([("tried".into(), trial.tried.text().into())]);
                one.insert("runs".into(), by_seed(runs)?);
                if let Some(score) = trial.score {
                    one.insert(search.best.metric.as_str().into(), score.into());
                }
                trials.push(Value::Mapping(one));
            }
            shown.insert("trials".into(), trials.into());
            if let Some(i) = search.chosen {
                shown.insert("chosen".into(), search.trials[i].tried.text().into());
            }
        }
    }
    Ok(Value::Mapping(shown))
}

/// Seed -> id.
fn by_seed(runs: &[(u64, String)]) -> Result<Value> {
    Ok(serde_yaml::to_value(runs.iter().cloned().collect::<BTreeMap<u64, String>>())?)
}
