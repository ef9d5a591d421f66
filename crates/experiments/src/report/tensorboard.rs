//! Learning curves as TensorBoard's event files.
use super::Report;
use anyhow::{Context, Result};
use scenarec_train::Epoch;
use std::{fs, path::Path};
use tfrecord::{EventWriter, EventWriterConfig};

/// Writes a folder below `folder` for every finished run and stage with curves, named as `plan` names it; returns how many.
/// Tags are `<stage>/loss` and `<stage>/score`, with the phase between where there is one; steps are epochs.
pub fn write_tensorboard(report: &Report, folder: &Path) -> Result<usize> {
    let mut written = 0;
    for node in report.plan.nodes.values() {
        let Some(epochs) = report.store.curves(&node.id, node.is_stage())? else { continue };
        let ended = report.store.environment(&node.id, node.is_stage())?.map_or(0, |of| of.ended);
        let place = folder.join(node.what().replace(['/', ' '], "-"));
        let cannot = || format!("cannot write event files to {}", place.display());
        fs::create_dir_all(&place).with_context(cannot)?;
        // One file per id: writing again replaces it.
        let file = place.join(format!("events.out.tfevents.{ended}.{}", node.id));
        let config = EventWriterConfig { auto_flush: false };
        let mut writer = EventWriter::create(&file, config).with_context(cannot)?;
        for epoch in epochs {
            for (name, value) in [("loss", Some(epoch.loss)), ("score", epoch.score)] {
                let Some(value) = value else { continue };
                let at = (epoch.epoch as i64, ended as f64 * 1e6);
                writer.write_scalar(tag(&epoch, name), at, value as f32).with_context(cannot)?;
            }
        }
        writer.flush().with_context(cannot)?;
        written += 1;
    }
    Ok(written)
}

fn tag(epoch: &Epoch, name: &str) -> String {
    let parts = [epoch.stage.as_str(), epoch.phase.as_str(), name];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}
