//! KuaiRand as M3oE sees it (section 4.1): a domain per tab, the tasks click and long_view.
//!
//! M3oE does not list its features and released no program for this dataset, so the dataset file lists them. Users,
//! videos and every category are numbered by first appearance among the rows' users and videos; number 0 of a category
//! stands for a missing value.
use super::features::{OUTCOMES, Source, find};
use super::{DURATIONS, Layout, Log, TABS, Tables, VERSION, duration_bucket, features, memory, parse};
use crate::config::LoaderKeys;
use crate::ids::Dense;
use crate::loader::Format;
use crate::raw::RawFiles;
use crate::simulate::{KuaiRand, Simulator};
use crate::view::{Builder, Chosen, Loaded, View, gather, ragged};
use crate::{Checked, Column, Kind, Loader, Pooling, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is made of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The version, which names the raw files.
    pub layout: Layout,
    /// The tabs whose rows are kept, in the order of the scenarios.
    pub tabs: Vec<u8>,
    /// The features, in order.
    pub features: Vec<String>,
}

impl LoaderKeys for Settings {
    fn loader(self) -> Checked<Loader> {
        check_tabs(&self.tabs)?;
        features::check(&self.features)?;
        Ok(Loader::KuaiRand(self))
    }
}

/// Whether there are such tabs, none twice.
pub(super) fn check_tabs(tabs: &[u8]) -> Checked<()> {
    if let Some(tab) = tabs.iter().find(|t| usize::from(**t) >= TABS) {
        return Err(("tabs", format!("{tab} should be a tab, 0 to {}", TABS - 1)));
    }
    if let Some((_, tab)) = tabs.iter().enumerate().find(|(i, tab)| tabs[..*i].contains(tab)) {
        return Err(("tabs", format!("{tab} is there twice")));
    }
    if tabs.is_empty() {
        return Err(("tabs", "there should be at least one tab".into()));
    }
    Ok(())
}

impl Format for Settings {
    fn outcomes(&self) -> &'static [&'static str] {
        &OUTCOMES
    }

    fn simulator(&self) -> Simulator {
        Simulator::KuaiRand(KuaiRand { layout: self.layout })
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn check_memory(&self, folder: &Path) -> Result<()> {
        memory::check(self.layout, self.features.len(), folder)
    }

    fn load<'a>(&self, raw: &'a RawFiles) -> Result<Loaded<'a>> {
        Ok(Loaded::View(view(parse(self.layout, raw, &self.tabs)?, &self.tabs, &self.features)))
    }
}

/// Builds schema, columns and labels of the rows of these tabs, which are the scenarios.
fn view(raw: Tables, tabs: &[u8], features: &[String]) -> View {
    let (out, scenario, log) = columns(raw, tabs, features);
    let chosen = Some(Chosen { of: log.of, rows: log.rows });
    let view = out.view([("click", log.click), ("long_view", log.long_view)]);
    View { chosen, ..view.with_scenarios(names(tabs), scenario).with_time(log.time) }
}

/// The scenarios' names.
pub(super) fn names(tabs: &[u8]) -> Vec<String> {
    (1..=tabs.len()).map(|n| n.to_string()).collect()
}

/// The columns of the features, the rows' scenarios, and what is left of the log: all but the users' and videos' ids.
pub(super) fn columns(raw: Tables, tabs: &[u8], features: &[String]) -> (Builder, Vec<u16>, Log) {
    let Tables { mut log, users, videos } = raw;
    let (user, video) = (Dense::new(&log.user), Dense::new(&log.video));
    (log.user, log.video) = (Vec::new(), Vec::new()); // They take memory.
    // Per user and per video once, in order of first appearance; per row only look-ups.
    let row = |row: Option<usize>| row.expect("checked by the parser");
    let user_row: Vec<usize> = user.raw.iter().map(|id| row(users.row(*id))).collect();
    let video_row: Vec<usize> = video.raw.iter().map(|id| row(videos.row(*id))).collect();
    let of_video = |column: &[u32]| -> Vec<u32> { video_row.iter().map(|row| column[*row]).collect() };
    let place = |tab: &u8| tabs.iter().position(|t| t == tab).expect("only rows of these tabs are kept");
    let scenario: Vec<u16> = log.tab.iter().map(|tab| place(tab) as u16).collect();

    let mut out = Builder::default();
    for name in features {
        let (role, source) = find(name);
        let mut ids = |size, ids| out.ids(name, role, Kind::Id, size, Column::Id(ids));
        let small = |values: &[u8]| values.iter().map(|v| u32::from(*v)).collect();
        match source {
            Source::UserId => ids(user.len(), user.ids.clone()),
            Source::VideoId => ids(video.len(), video.ids.clone()),
            Source::Tab => ids(tabs.len(), scenario.iter().map(|s| u32::from(*s)).collect()),
            Source::Hour => ids(24, small(&log.hour)),
            Source::IsRand => ids(2, small(&log.is_rand)),
            Source::User(column) => {
                let codes: Vec<u32> = user_row.iter().map(|row| users.codes[column].codes[*row]).collect();
                let (codes, size) = renumber(&codes);
                ids(size, gather(&codes, &user.ids));
            }
            Source::Video(column) => {
                let (codes, size) = renumber(&of_video(&videos.codes[column].codes));
                ids(size, gather(&codes, &video.ids));
            }
            Source::Duration => {
                let classes: Vec<u32> =
                    video_row.iter().map(|row| duration_bucket(videos.duration[*row])).collect();
                ids(DURATIONS.len() + 1, gather(&classes, &video.ids));
            }
            Source::FirstTag => {
                let (codes, size) = renumber(&of_video(&videos.first_tag()));
                ids(size, gather(&codes, &video.ids));
            }
            Source::Tags => {
                let (lists, size) = tags(&videos, &video_row);
                out.ids(name, role, Kind::Bag(Pooling::Mean), size, ragged(&video.ids, &lists));
            }
        }
    }
    (out, scenario, log)
}

/// Codes numbered anew from 1 by first appearance, and how many numbers there are; 0, for a missing value, stays 0 and
/// always counts.
fn renumber(codes: &[u32]) -> (Vec<u32>, usize) {
    let dense = Dense::new(&[&[super::codes::MISSING], codes].concat());
    (dense.ids[1..].to_vec(), dense.len())
}

/// The tags of the videos in these rows, and how many numbers they have.
fn tags(videos: &super::Videos, rows: &[usize]) -> (Vec<Vec<u32>>, usize) {
    let mut start = vec![0];
    start.extend(videos.tags_of.iter().scan(0, |sum, n| {
        *sum += usize::from(*n);
        Some(*sum)
    }));
    let all: Vec<u32> =
        rows.iter().flat_map(|row| &videos.tags.codes[start[*row]..start[row + 1]]).copied().collect();
    let (all, size) = renumber(&all);
    let mut rest = &all[..];
    let lists = rows.iter().map(|row| {
        let (own, others) = rest.split_at(usize::from(videos.tags_of[*row]));
        rest = others;
        own.to_vec()
    });
    (lists.collect(), size)
}
