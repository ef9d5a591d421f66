//! The page over all tables.
use super::page;
use crate::report::{Report, Status};
use maud::html;
use std::collections::BTreeSet;

/// A table of the index.
#[derive(Clone, Debug)]
pub struct Listed {
    paper: String,
    name: String,
    title: String,
    provenances: BTreeSet<String>,
    done: usize,
    cells: usize,
    verdict: Vec<String>,
    /// Its page, beside the index; none where it cannot be planned, with the reason.
    page: Result<String, String>,
}

impl Listed {
    /// A report whose page is `file`.
    pub fn new(report: &Report, file: &str) -> Self {
        let done = report.cells.iter().filter(|c| c.status == Status::Done).count();
        let made_on = report.cells.iter().map(|c| c.provenance.clone()).filter(|p| !p.is_empty());
        Self {
            paper: report.spec.paper.clone(),
            name: report.spec.name.clone(),
            title: report.spec.title.clone(),
            provenances: made_on.collect(),
            done,
            cells: report.cells.len(),
            verdict: report.verdict.lines(),
            page: Ok(file.into()),
        }
    }

    /// A table without a report.
    pub fn without(paper: &str, name: &str, title: &str, why: String) -> Self {
        Self {
            paper: paper.into(),
            name: name.into(),
            title: title.into(),
            provenances: BTreeSet::new(),
            done: 0,
            cells: 0,
            verdict: Vec::new(),
            page: Err(why),
        }
    }
}

/// The page: every table by paper, with what of it is there.
pub fn index(tables: &[Listed]) -> String {
    let papers: BTreeSet<&str> = tables.iter().map(|t| t.paper.as_str()).collect();
    let body = html! {
        h1 { "Tables and figures" }
        @for paper in papers {
            h2 { (paper) }
            div.wide {
                table.list {
                    thead { tr { th.left { "table" } th.left { "made on" } th { "cells" } th.left { "verdict" } } }
                    tbody {
                        @for t in tables.iter().filter(|t| t.paper == paper) {
                            tr.first {
                                td.left {
                                    @match &t.page {
                                        Ok(file) => a href=(file) { (t.name) },
                                        Err(_) => (t.name),
                                    }
                                    br; span.soft { (t.title) }
                                }
                                td.left { @for p in &t.provenances { (page::made_on(p)) " " } }
                                td { @if t.page.is_ok() { (t.done) " of " (t.cells) } }
                                td.left {
                                    @if let Err(why) = &t.page { (why) }
                                    @for line in &t.verdict { (line.trim_start_matches("verdict: ")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    page::page("scenarec: tables and figures", &body)
}
