//! Which settings were tried for the table's runs, and which were chosen.
use crate::{
    plan::{Plan, PlannedCell},
    spec::{CellSearch, TableSpec},
};

/// For every combination that is searched what was chosen, and below it the score of everything tried.
pub(super) fn lines(spec: &TableSpec, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in &plan.cells {
        let name = name(spec, cell);
        let search = match &cell.search {
            None => continue,
            Some(CellSearch::Off(place)) => {
                lines.push(format!("not searched: {name}: {place} says otherwise"));
                continue;
            }
            Some(CellSearch::On(search)) => search,
        };
        let n = search.trials.len();
        lines.push(match search.chosen {
            Some(i) => {
                let chosen = search.trials[i].tried.text();
                format!(
                    "searched on validation rows: {name}: {chosen} of {n} tried; their {}",
                    search.best.metric
                )
            }
            None => {
                let known = search.trials.iter().filter(|t| t.score.is_some()).count();
                format!("to be searched on validation rows: {name}: {known} of {n} tried")
            }
        });
        for (i, trial) in search.trials.iter().enumerate() {
            if let Some(score) = trial.score {
                let chosen = if search.chosen == Some(i) { " (chosen)" } else { "" };
                lines.push(format!("  {score:.5} {}{chosen}", trial.tried.text()));
            }
        }
    }
    lines
}

/// "MovieLens-1M, CSDM"
fn name(spec: &TableSpec, cell: &PlannedCell) -> String {
    let shown = spec.layout.rows.iter().chain(&spec.layout.columns);
    let labels = shown.filter_map(|d| Some(spec.label(d, cell.combination.coordinates.get(d)?)));
    labels.collect::<Vec<_>>().join(", ")
}
