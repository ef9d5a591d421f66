//! The report as HTML: one file with table, verdict, plots, data, settings, environment and cost.
mod facts;
mod index;
mod page;

pub use index::{Listed, index};

use super::{Report, plot, view};
use anyhow::Result;
use maud::{Markup, PreEscaped, html};

/// The page.
pub(super) fn render(report: &Report) -> Result<String> {
    let (picture, curves) = (plot::svg_or_bars(report)?, plot::learning_curves(report)?);
    let spec = report.spec;
    let body = html! {
        header {
            p.soft { (spec.paper) " · " (spec.name) }
            h1 { (spec.title) }
            @if report.selection.quick {
                p.warning { "Quick mode on simulated data: these numbers say nothing about the paper." }
            }
            p { "Profile " (report.selection.profile) ", device " (report.selection.device) "." }
        }
        h2 { "Data" }
        (data(report))
        h2 { "Numbers" }
        @for group in view::groups(report) { (table(&group)) }
        @if report.cells.iter().any(|c| c.stale) {
            p { "Numbers marked (stale) come from older code or data." }
        }
        @if !report.significance.is_empty() {
            p.soft { "Bold: best of its column. *: significant at 0.05. ±: one deviation over seeds." }
        }
        h2 { "What they are worth" }
        (page::list(&report.closing()))
        @if let Some(svg) = picture { h2 { "Plot" } (figure(&spec.title, &svg)) }
        @if let Some(svg) = curves { h2 { "Learning curves" } (figure("Loss and validation score by epoch", &svg)) }
        (facts::settings(report)?)
        (facts::environment(report)?)
        (facts::cost(report)?)
    };
    Ok(page::page(&spec.title, &body))
}

/// What every dataset is, of all that the table names.
fn data(report: &Report) -> Markup {
    html! {
        ul {
            @for (name, note) in &report.notes {
                @let (provenance, rest) = note.split_once(" data").unwrap_or((note, ""));
                li { (report.spec.label("dataset", name)) ": " (page::made_on(provenance)) (rest) }
            }
        }
    }
}

fn table(group: &view::Group) -> Markup {
    html! {
        @if !group.heading.is_empty() { h3 { (group.heading) } }
        div.wide {
            table {
                thead {
                    tr {
                        th.left { }
                        th.left { }
                        @for column in &group.columns { th scope="col" { (column) } }
                    }
                }
                tbody {
                    @for line in &group.lines {
                        @let beside = line.what.starts_with(' ');
                        tr.first[!line.label.is_empty()].beside[beside] {
                            th scope="row" { (line.label) }
                            td.what { (line.what.trim()) }
                            @for cell in &line.cells { td.best[cell.best] { (cell.text) } }
                        }
                    }
                }
            }
        }
    }
}

/// The picture with the page's colours in place of its own greys, so that it goes with a dark page too.
fn figure(title: &str, svg: &str) -> Markup {
    let mut svg = svg.replacen("<svg ", "<svg role=\"img\" ", 1);
    for (own, pages) in plot::GREYS.into_iter().zip(["--page", "--ink", "--soft", "--line"]) {
        svg = svg.replace(&format!("\"{own}\""), &format!("\"var({pages})\""));
    }
    html! { figure aria-label=(title) { (PreEscaped(svg)) } }
}
