//! Measures -> tables: ours, the paper's, the difference, and what they are worth.
mod cells;
mod compare;
mod computed;
mod csv;
mod html;
mod latex;
mod markdown;
mod plot;
mod points;
mod searches;
mod settings;
mod tensorboard;
mod text;
mod view;

pub use cells::{Cell, Status, Value, collect};
pub use compare::{Significance, Verdict, against_baseline, significance, verdict};
pub use html::{Listed, index};
pub use points::Points;
pub use tensorboard::write_tensorboard;

use crate::{
    plan::Plan,
    spec::{Selection, TableSpec},
    store::Store,
};
use anyhow::{Context, Result};
use std::{collections::BTreeMap, path::Path};

/// Everything that is shown of a table.
pub struct Report<'a> {
    /// The table.
    pub spec: &'a TableSpec,
    /// What of it was selected.
    pub selection: &'a Selection,
    /// Its runs and stages.
    pub plan: &'a Plan,
    /// Where they are.
    pub store: &'a Store,
    /// Its cells, in the order of the grid and of the recorded dimensions.
    pub cells: Vec<Cell>,
    /// How many missing runs exist of older code or data, where these are not shown.
    pub hidden: usize,
    /// Points for a scatter plot, where it has one.
    pub points: Vec<Points>,
    /// The best method against the second best, group by group.
    pub significance: Vec<Significance>,
    /// How near it is to the paper.
    pub verdict: Verdict,
    /// Seconds and largest memory of all its runs and stages.
    pub totals: Totals,
    /// Lines about the settings that were searched for.
    pub searches: Vec<String>,
    /// What a reader must know about the data: dataset -> note.
    pub notes: BTreeMap<String, String>,
}

/// What it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Runs and stages that are finished.
    pub finished: usize,
    /// Sum of their seconds.
    pub seconds: f64,
    /// The largest memory of any of them, in bytes.
    pub peak_rss: f64,
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal, 100 columns wide.
    Text,
    /// GitHub's Markdown.
    Markdown,
    /// A line per cell and metric, at full precision.
    Csv,
    /// One file with everything, for a browser.
    Html,
    /// Tables for a paper.
    Latex,
    /// The plot that the table's spec describes.
    Svg,
    /// The same plot in pixels.
    Png,
}

impl Format {
    /// By the end of a file's name.
    pub fn of_file(file: &Path) -> Result<Self> {
        let end = file.extension().and_then(|end| end.to_str());
        let all = <Self as clap::ValueEnum>::value_variants();
        let found = all.iter().copied().find(|format| end == Some(format.extension()));
        found.with_context(|| {
            let ends: Vec<&str> = all.iter().map(|format| format.extension()).collect();
            format!(
                "--out {}: no format has files of this name (known: .{})",
                file.display(),
                ends.join(", .")
            )
        })
    }

    /// Of files in it.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Text => "txt",
            Format::Markdown => "md",
            Format::Csv => "csv",
            Format::Html => "html",
            Format::Latex => "tex",
            Format::Svg => "svg",
            Format::Png => "png",
        }
    }
}

impl<'a> Report<'a> {
    /// Reads the measures of every run of the plan. With `stale`, runs of older code or data stand in for missing ones.
    pub fn new(
        spec: &'a TableSpec,
        selection: &'a Selection,
        plan: &'a Plan,
        store: &'a Store,
        notes: BTreeMap<String, String>,
        stale: bool,
    ) -> Result<Self> {
        let mut older = cells::older_runs(plan, store)?;
        let hidden = if stale { 0 } else { std::mem::take(&mut older).len() };
        let cells = collect(spec, plan, store, &older)?;
        let points = points::collect(spec, plan, store, &older)?;
        let significance = significance(spec, &cells);
        let verdict = verdict(spec, &cells);
        let (totals, searches) = (Totals::new(plan, store, &older)?, searches::lines(spec, plan));
        Ok(Self {
            spec,
            selection,
            plan,
            store,
            significance,
            verdict,
            totals,
            searches,
            cells,
            hidden,
            points,
            notes,
        })
    }

    /// The report in a format. Markdown that is to be the file `at` shows the SVG of the same name beside it, where
    /// there is one.
    pub fn render(&self, format: Format, at: Option<&Path>) -> Result<Vec<u8>> {
        Ok(match format {
            Format::Text => text::render(self).into_bytes(),
            Format::Markdown => markdown::render(self, at).into_bytes(),
            Format::Csv => csv::render(self)?.into_bytes(),
            Format::Html => html::render(self)?.into_bytes(),
            Format::Latex => latex::render(self).into_bytes(),
            Format::Svg => plot::svg(self)?.into_bytes(),
            Format::Png => plot::png(self)?,
        })
    }

    /// "csdm-table1-released-quick": the name of the report's files.
    pub fn file_stem(&self) -> String {
        let mut stem = self.spec.name.clone();
        if self.selection.profile != "paper" {
            stem += &format!("-{}", self.selection.profile);
        }
        if self.selection.quick {
            stem += "-quick";
        }
        stem
    }

    /// Lines below the title: profile, device, where numbers come from.
    fn about(&self) -> Vec<String> {
        let mut lines = vec![format!("profile {}, device {}", self.selection.profile, self.selection.device)];
        if self.selection.quick {
            lines.insert(0, "quick, simulated: these numbers say nothing about the paper".into());
        }
        if self.cells.iter().any(|c| c.stale) {
            lines.push("numbers marked (stale) come from older code or data".into());
        }
        lines
    }

    /// Lines below the title, with what the data is.
    fn headings(&self) -> Vec<String> {
        let mut lines = self.about();
        let notes = self.notes.iter();
        lines.extend(notes.map(|(name, note)| format!("{}: {note}", self.spec.label("dataset", name))));
        lines
    }

    /// Lines below the tables.
    fn closing(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.significance.iter().map(|s| s.line(self.spec)).collect();
        lines.extend(against_baseline(self.spec, &self.cells));
        let not_printed = |c: &Cell| c.values.keys().any(|m| computed::is_not_printed(self.spec, c, m));
        if self.cells.iter().any(not_printed) {
            lines.push("≈ not printed by the paper, but computed from the numbers that it prints".into());
        }
        lines.extend(self.verdict.lines());
        lines.extend(cells::coverage(&self.cells));
        if self.hidden > 0 {
            lines.push(format!(
                "{} of the missing runs exist of older code or data: --stale shows them",
                self.hidden
            ));
        }
        lines.extend(self.searches.iter().cloned());
        let t = self.totals;
        if t.finished > 0 {
            lines.push(format!(
                "{} runs and stages, {} of computing, at most {:.2} GiB of memory each",
                t.finished,
                crate::engine::clock(t.seconds),
                t.peak_rss / (1u64 << 30) as f64
            ));
        }
        lines
    }
}

impl Totals {
    fn new(plan: &Plan, store: &Store, older: &BTreeMap<String, String>) -> Result<Self> {
        let mut totals = Self::default();
        for node in plan.nodes.values() {
            let mut measures = store.measures(&node.id, node.is_stage())?;
            if let (None, Some(older)) = (&measures, older.get(&node.id)) {
                measures = store.measures(older, false)?;
            }
            let Some(measures) = measures else { continue };
            totals.finished += 1;
            for m in measures {
                match m.metric.as_str() {
                    "wall_seconds" => totals.seconds += m.value,
                    "peak_rss_bytes" => totals.peak_rss = totals.peak_rss.max(m.value),
                    _ => {}
                }
            }
        }
        Ok(totals)
    }
}
