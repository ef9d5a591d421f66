//! The logs' rows: times, long views, and what else a line says.
use super::Rates;
use crate::kuairand::{LOG_COLUMNS, Layout, Users, Videos};
use crate::simulate::csv::{header, lines};
use crate::simulate::random::{Stream, normal, rng, sigmoid};
use crate::simulate::shop::{Row, base};
use rand::RngExt;
use std::io::Write;

const DAY: u32 = 86_400;
/// 9 April 2022, 0:00 in China, in seconds since 1970.
const START: i64 = 1_649_433_600;
/// Days of the logs up to 21 April, and of the others.
const EARLY_DAYS: u32 = 13;
const LATE_DAYS: u32 = 17;
/// Length of the time in which rows are drawn.
pub(super) const SPAN: u32 = (EARLY_DAYS + LATE_DAYS) * DAY;
/// The rows of Pure's standard logs that are in the early one.
const EARLY: f64 = 1_141_112.0 / 1_436_609.0;
/// The least length of a long view of a longer video, in milliseconds.
const LONG: f32 = 18_000.0;

/// Which log a row belongs to.
#[derive(Clone, Copy, PartialEq, PartialOrd, Eq, Ord)]
enum Log {
    Early,
    Late,
    Random,
}

/// A line of a log.
#[derive(Clone)]
pub(super) struct Line {
    log: Log,
    user: u32,
    video: u32,
    /// Milliseconds since [`START`].
    time: u64,
    pub click: bool,
    long_view: bool,
    like: bool,
    /// In milliseconds.
    play_time: u32,
    duration: u32,
    tab: u8,
    pub probability: f32,
}

/// The standard logs' lines; contexts are places in `tabs`.
pub(super) fn standard(rows: &[Row], tabs: &[u8], videos: &Videos, rates: Rates, seed: u64) -> Vec<Line> {
    let early = (f64::from(SPAN) * EARLY) as u32;
    let when = |time: u32| match time < early {
        true => (Log::Early, stretched(time, early, EARLY_DAYS)),
        false => (Log::Late, EARLY_DAYS * DAY + stretched(time - early, SPAN - early, LATE_DAYS)),
    };
    of(rows, tabs, videos, rates, (seed, 1), when)
}

/// The random log's lines.
pub(super) fn random(rows: &[Row], tabs: &[u8], videos: &Videos, rates: Rates, seed: u64) -> Vec<Line> {
    let when = |time: u32| (Log::Random, EARLY_DAYS * DAY + stretched(time, SPAN, LATE_DAYS));
    of(rows, tabs, videos, rates, (seed, 2), when)
}

/// A time below `span` as a second of so many days.
fn stretched(time: u32, span: u32, days: u32) -> u32 {
    (u64::from(time) * u64::from(days * DAY) / u64::from(span)) as u32
}

fn of(
    rows: &[Row],
    tabs: &[u8],
    videos: &Videos,
    rates: Rates,
    (seed, stream): (u64, u64),
    when: impl Fn(u32) -> (Log, u32),
) -> Vec<Line> {
    // Long videos are seldom watched to the end; one of unknown length counts as one of a minute.
    let length = |video: u32| match videos.duration[video as usize] {
        0.0 => 60_000.0,
        milliseconds => milliseconds,
    };
    let inclination = |row: &Row| {
        let p = f64::from(row.probability).clamp(1e-6, 1.0 - 1e-6);
        0.6 * (p / (1.0 - p)).ln() - 0.5 * f64::from(length(row.item) / 60_000.0).ln()
    };
    let clicks: Vec<f64> = rows.iter().filter(|row| row.positive).map(inclination).collect();
    let alone = rates.long_view_alone;
    let base = base(&clicks, (rates.long_view - alone * (1.0 - rates.click)) / rates.click);
    let r = &mut rng(seed, Stream::Labels, stream << 56);
    let line = |row: &Row| {
        let (log, second) = when(row.time);
        let p = if row.positive { sigmoid(base + inclination(row)) } else { alone };
        let long_view = r.random::<f64>() < p;
        let whole = length(row.item);
        let seen = match (long_view, row.positive) {
            (true, _) => whole.min(LONG) * (1.0 + 0.5 * r.random::<f32>()),
            (false, true) => whole.min(LONG) * (0.4 + 0.6 * r.random::<f32>()),
            (false, false) => 2_000.0 * (0.8 * normal(r)).exp() as f32,
        };
        Line {
            log,
            user: row.user,
            video: row.item,
            time: u64::from(second) * 1000 + r.random_range(0..1000),
            click: row.positive,
            long_view,
            like: row.positive && r.random::<f64>() < 0.04,
            play_time: seen as u32,
            duration: videos.duration[row.item as usize] as u32,
            tab: tabs[usize::from(row.context)],
            probability: row.probability,
        }
    };
    rows.iter().map(line).collect()
}

/// The logs as files, and their lines in the files' order: by user, then by time, as far as the official logs are.
pub(super) fn files(
    layout: Layout,
    all: &[Line],
    users: &Users,
    videos: &Videos,
) -> (Vec<Vec<u8>>, Vec<Line>) {
    let mut all = all.to_vec();
    all.sort_by_key(|line| (line.log, line.user, line.time));
    let mut files = Vec::new();
    for log in all.chunk_by(|a, b| a.log == b.log) {
        // 27K's standard logs come in two parts.
        let parts = if layout == Layout::K27 && log[0].log != Log::Random { 2 } else { 1 };
        let part = log.len().div_ceil(parts);
        files.extend(log.chunks(part).map(|lines| text(lines, users, videos)));
    }
    (files, all)
}

fn text(rows: &[Line], users: &Users, videos: &Videos) -> Vec<u8> {
    lines(&header(&LOG_COLUMNS), rows, |line, out| {
        let (user, video) = (users.id[line.user as usize], videos.id[line.video as usize]);
        let second = (line.time / 1000) as u32;
        let (day, hour) = (second / DAY, second % DAY / 3600);
        let date = if day < 22 { 20_220_409 + day } else { 20_220_501 + day - 22 };
        let time = START * 1000 + line.time as i64;
        let flag = |b: bool| u8::from(b);
        writeln!(
            out,
            "{user},{video},{date},{},{time},{},{},0,0,0,0,{},{},{},0,0,0,{},{}",
            100 * hour,
            flag(line.click),
            flag(line.like),
            flag(line.long_view),
            line.play_time,
            line.duration,
            flag(line.log == Log::Random),
            line.tab
        )
        .expect("writing to memory");
    })
}
