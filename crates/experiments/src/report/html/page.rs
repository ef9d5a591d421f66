//! The frame of every page: one file that needs no network and no script.
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// A page.
pub(super) fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                p.soft { "Made by scenarec " (env!("CARGO_PKG_VERSION")) "." }
            }
        }
    };
    page.into_string()
}

/// What the numbers were made on.
pub(super) fn made_on(provenance: &str) -> Markup {
    html! { span class={ "made " (provenance) } { (provenance) " data" } }
}

/// A list whose lines may begin with two blanks, which are below the one before.
pub(super) fn list(lines: &[String]) -> Markup {
    let mut items: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        match (line.strip_prefix("  "), items.last_mut()) {
            (Some(inner), Some((_, below))) => below.push(inner),
            _ => items.push((line, Vec::new())),
        }
    }
    html! {
        ul {
            @for (line, below) in items {
                li {
                    (line)
                    @if !below.is_empty() { ul { @for line in below { li { (line) } } } }
                }
            }
        }
    }
}
