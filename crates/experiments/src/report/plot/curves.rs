//! Learning curves: loss and validation score by epoch, means over seeds.
use super::{
    axis::Axis,
    figure::{Figure, Heading, Mark, Panel, Place},
};
use crate::{
    plan::{Node, PlannedCell},
    report::{Report, compare::compared},
    spec::{MOST_SERIES, PlotKind},
};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// What a panel shows: the combination without what is compared, the training, and which of its two numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    combination: String,
    stage: String,
    quantity: &'static str,
}

/// Series -> epoch -> a value per seed (and per model, where a stage trains several).
type Values = BTreeMap<String, BTreeMap<u64, Vec<f64>>>;

/// None where nothing was trained for more than one epoch.
pub(super) fn figure<'a>(report: &'a Report) -> Result<Option<Figure<'a>>> {
    let (mut subjects, mut order) = (BTreeMap::<Subject, Values>::new(), Vec::new());
    for cell in &report.plan.cells {
        let (combination, own) = names(report, cell);
        let mut seen = BTreeSet::new();
        for (_, run) in &cell.runs {
            for node in with_stages(report, run) {
                let mut of_node = || -> Result<()> {
                    for epoch in report.store.curves(&node.id, node.is_stage())?.unwrap_or_default() {
                        let shared = node.is_stage() && node.job.method.is_null();
                        let series = if shared { SHARED.to_string() } else { own.clone() };
                        if !order.contains(&series) {
                            order.push(series.clone());
                        }
                        let numbers = [("loss", Some(epoch.loss)), ("validation score", epoch.score)];
                        for (quantity, value) in numbers {
                            let Some(value) = value else { continue };
                            let stage = epoch.stage.clone();
                            let subject = Subject { combination: combination.clone(), stage, quantity };
                            let values =
                                subjects.entry(subject).or_default().entry(series.clone()).or_default();
                            values.entry(epoch.epoch).or_default().push(value);
                        }
                    }
                    Ok(())
                };
                // A stage that several seeds or cells use counts once in each cell.
                if seen.insert(node.id.clone()) {
                    of_node()?;
                }
            }
        }
    }
    subjects.retain(|_, values| values.values().any(|epochs| epochs.len() > 1));
    order.retain(|series| subjects.values().any(|values| values.contains_key(series)));
    if subjects.is_empty() || order.len() > MOST_SERIES {
        return Ok(None);
    }
    let panels = subjects.iter().map(|(subject, values)| panel(subject, values, &order)).collect();
    Ok(Some(Figure {
        title: "Learning curves",
        about: vec!["means over seeds; a line ends where the last seed stopped".into()],
        kind: PlotKind::Lines,
        y_name: String::new(),
        x_name: "epoch".into(),
        series: order,
        panels,
    }))
}

/// The series of a stage that does not depend on the method.
const SHARED: &str = "shared by all";

/// The combination's name without the compared dimension, and that one's.
fn names(report: &Report, cell: &PlannedCell) -> (String, String) {
    let spec = report.spec;
    let dimension = compared(spec);
    let coordinates = &cell.combination.coordinates;
    let several = coordinates.iter().filter(|(d, _)| **d != dimension && spec.values(d).len() > 1);
    let combination: Vec<&str> = several.map(|(d, value)| spec.label(d, value)).collect();
    let own = coordinates.get(&dimension).map_or("all", |value| spec.label(&dimension, value));
    (combination.join(", "), own.into())
}

/// A run and the stages that it needs.
fn with_stages<'a>(report: &'a Report, run: &str) -> Vec<&'a Node> {
    let mut nodes: Vec<&Node> = report.plan.nodes.get(run).into_iter().collect();
    let mut next = 0;
    while let Some(node) = nodes.get(next) {
        nodes.extend(node.inputs.values().filter_map(|stage| report.plan.nodes.get(stage)));
        next += 1;
    }
    nodes
}

fn panel(subject: &Subject, values: &Values, order: &[String]) -> Panel {
    let epochs: BTreeSet<u64> = values.values().flat_map(|epochs| epochs.keys().copied()).collect();
    let xs: Vec<u64> = epochs.into_iter().collect();
    let mut marks = Vec::new();
    for (series, epochs) in values {
        let index = order.iter().position(|s| s == series).expect("all series are listed");
        for (epoch, numbers) in epochs {
            marks.push(Mark {
                x: xs.binary_search(epoch).expect("all epochs are listed"),
                series: index,
                mean: Ok(numbers.iter().sum::<f64>() / numbers.len() as f64),
                deviation: None,
                paper: None,
            });
        }
    }
    let stage = subject.stage.replace('_', " ");
    let parts = [subject.combination.as_str(), &stage, subject.quantity];
    let title: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Panel {
        heading: Heading { title: title.join(", "), notes: Vec::new() },
        axis: Axis::around(marks.iter().filter_map(|m| m.mean.ok()), false),
        xs: xs.iter().map(|x| Place { position: *x as f64, label: x.to_string() }).collect(),
        marks,
    }
}
