//! What the numbers were made with: settings, machines, time.
use crate::{
    engine::clock,
    environment::Environment,
    plan::Node,
    report::{Report, compare::compared},
};
use anyhow::Result;
use maud::{Markup, html};
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The settings of every combination, seeds aside.
pub(super) fn settings(report: &Report) -> Result<Markup> {
    let mut all = Vec::new();
    for cell in &report.plan.cells {
        let Some(node) = cell.runs.first().and_then(|(_, id)| report.plan.nodes.get(id)) else { continue };
        let spec = report.spec;
        let coordinates = cell.combination.coordinates.iter();
        let name: Vec<&str> = coordinates.map(|(d, value)| spec.label(d, value)).collect();
        all.push((name.join(", "), written(node)?));
    }
    Ok(html! {
        h2 { "Settings" }
        @for (name, text) in all {
            details { summary { (name) } pre { (text) } }
        }
    })
}

/// Model, method, recipe and dataset as YAML.
fn written(node: &Node) -> Result<String> {
    let job = &node.job;
    let mut all = serde_yaml::Mapping::new();
    all.insert("recipe".into(), job.recipe.clone().into());
    let sections = [("model", &job.model), ("method", &job.method), ("run", &job.settings)];
    for (name, section) in sections.into_iter().filter(|(_, section)| !section.is_null()) {
        all.insert(name.into(), section.clone());
    }
    all.insert("dataset".into(), serde_yaml::to_value(&job.dataset.config)?);
    all.insert("threads".into(), job.threads.into());
    Ok(serde_yaml::to_string(&Value::Mapping(all))?)
}

/// On which machines and with which sources runs were made.
pub(super) fn environment(report: &Report) -> Result<Markup> {
    let mut machines: BTreeMap<Vec<(&str, String)>, usize> = BTreeMap::new();
    let mut days = BTreeSet::new();
    let mut resumed = 0;
    for node in finished(report) {
        let of = report.store.environment(&node.id, node.is_stage())?;
        resumed += usize::from(of.as_ref().is_some_and(|of| of.resumed > 0));
        days.extend(of.iter().flat_map(|of| [of.started, of.ended]));
        let lines = of.map_or_else(|| vec![("environment.json", "missing".to_string())], lines);
        *machines.entry(lines).or_default() += 1;
    }
    Ok(html! {
        h2 { "Environment" }
        @if machines.is_empty() { p { "Nothing is computed." } }
        @for (lines, runs) in &machines {
            p { (runs) @if *runs == 1 { " run or stage" } @else { " runs and stages" } }
            ul { @for (name, value) in lines { li { (name) ": " code { (value) } } } }
        }
        @if resumed > 0 {
            p.soft {
                (resumed) @if resumed == 1 { " was" } @else { " were" }
                " interrupted and went on from a checkpoint, to the same numbers; the time is that of all parts."
            }
        }
        @if let (Some(first), Some(last)) = (days.first(), days.last()) {
            p.soft { "Begun " (time(*first)) ", ended " (time(*last)) ", UTC." }
        }
    })
}

fn lines(of: Environment) -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_string();
    vec![
        ("commit", of.commit.unwrap_or_else(unknown)),
        ("processor", of.cpu.unwrap_or_else(unknown)),
        ("device", of.device),
        ("threads of a run", of.threads.to_string()),
        ("libtorch", of.libtorch.unwrap_or_else(unknown)),
        ("compiler", of.rustc),
    ]
}

/// Seconds since 1970 as "2026-11-22 23:41".
fn time(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|s| chrono::DateTime::from_timestamp(s, 0));
    at.map_or_else(|| seconds.to_string(), |at| at.format("%Y-%m-%d %H:%M").to_string())
}

/// Time and memory by entry of what is compared; stages that entries share are apart.
pub(super) fn cost(report: &Report) -> Result<Markup> {
    let spec = report.spec;
    let dimension = compared(spec);
    let mut entry_of: BTreeMap<&str, &str> = BTreeMap::new();
    for cell in &report.plan.cells {
        let Some(value) = cell.combination.coordinates.get(&dimension) else { continue };
        entry_of.extend(cell.all_runs().map(|id| (id, spec.label(&dimension, value))));
    }
    let mut rows: BTreeMap<&str, (usize, f64, f64)> = BTreeMap::new();
    for node in finished(report) {
        let name = entry_of.get(node.id.as_str()).copied().unwrap_or("shared stages");
        let (runs, seconds, memory) = rows.entry(name).or_default();
        *runs += 1;
        for m in report.store.measures(&node.id, node.is_stage())?.unwrap_or_default() {
            match m.metric.as_str() {
                "wall_seconds" => *seconds += m.value,
                "peak_rss_bytes" => *memory = memory.max(m.value),
                _ => {}
            }
        }
    }
    Ok(html! {
        h2 { "Time and memory" }
        div.wide {
            table {
                thead { tr { th.left { } th { "runs" } th { "computing" } th { "each" } th { "peak memory" } } }
                tbody {
                    @for (name, (runs, seconds, memory)) in rows {
                        tr.first {
                            th scope="row" { (name) }
                            td { (runs) }
                            td { (clock(seconds)) }
                            td { (format!("{:.1} s", seconds / runs as f64)) }
                            td { (format!("{:.2} GiB", memory / (1u64 << 30) as f64)) }
                        }
                    }
                }
            }
        }
    })
}

fn finished<'a>(report: &'a Report) -> impl Iterator<Item = &'a Node> {
    report.plan.nodes.values().filter(|n| report.store.has(&n.id, n.is_stage()))
}
