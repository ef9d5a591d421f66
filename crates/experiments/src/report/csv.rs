//! The report as CSV: a line per cell and metric, at full precision.
use super::{Report, Status};
use crate::metric;
use anyhow::{Context, Result};
use std::collections::BTreeSet;

pub(super) fn render(report: &Report) -> Result<String> {
    let dimensions: BTreeSet<&String> = report.cells.iter().flat_map(|c| c.coordinates.keys()).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["table"];
    header.extend(dimensions.iter().map(|d| d.as_str()));
    header.extend([
        "metric",
        "mean",
        "deviation",
        "seeds",
        "paper",
        "difference",
        "status",
        "provenance",
        "stale",
    ]);
    writer.write_record(&header)?;
    for cell in &report.cells {
        let mut metrics: Vec<&String> = cell.values.keys().collect();
        if !cell.values.contains_key(&report.spec.layout.cells[0]) {
            metrics.insert(0, &report.spec.layout.cells[0]);
        }
        for metric in metrics {
            let v = cell.values.get(metric).cloned().unwrap_or_default();
            let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
            let computed = metric::of(metric).measure.is_none();
            let seeds = if computed { String::new() } else { v.by_seed.len().to_string() };
            let mut record = vec![report.spec.name.clone()];
            record.extend(dimensions.iter().map(|d| cell.coordinates.get(*d).cloned().unwrap_or_default()));
            record.extend([
                metric.clone(),
                number(v.mean()),
                number(v.deviation()),
                seeds,
                number(v.paper),
                number(v.difference()),
                status(&cell.status),
                cell.provenance.clone(),
                cell.stale.to_string(),
            ]);
            writer.write_record(&record)?;
        }
    }
    let bytes = writer.into_inner().context("cannot write CSV")?;
    Ok(String::from_utf8(bytes)?)
}

fn status(status: &Status) -> String {
    match status {
        Status::Done => "done".into(),
        Status::Part { have, want } => format!("{have} of {want} seeds"),
        Status::NotYet(reason) => format!("not yet: {reason}"),
        Status::NotRun => "not run".into(),
        Status::Failed(message) => format!("failed: {message}"),
    }
}
