//! `log_*.csv`: who watched which video, when and on which screen, and what came of it.
use super::{LOG_COLUMNS, Layout, TABS, Users, Videos};
use crate::Result;
use crate::ids::TIMES;
use crate::raw::RawFile;
use crate::text::{Bad, Fields, parse_table};
use crate::view::gather;

/// Rows of the logs, in the order of the files.
#[derive(Default)]
pub(crate) struct Log {
    /// How many rows the files have.
    pub of: usize,
    /// Which of them these are.
    pub rows: Vec<u32>,
    /// Raw id.
    pub user: Vec<u32>,
    /// Raw id.
    pub video: Vec<u32>,
    /// 0 to 23, in China.
    pub hour: Vec<u8>,
    /// Milliseconds since 1970.
    pub time: Vec<i64>,
    pub click: Vec<u8>,
    pub long_view: Vec<u8>,
    pub is_rand: Vec<u8>,
    pub tab: Vec<u8>,
}

/// The first and the last day of the official logs.
const DATES: (u64, u64) = (20_220_408, 20_220_508);

impl Log {
    /// Parses the files, checks every row against users and videos, and keeps the rows of these tabs.
    pub(super) fn parse(
        layout: Layout,
        files: &[&RawFile],
        users: &Users,
        videos: &Videos,
        tabs: &[u8],
    ) -> Result<Log> {
        let unknown = |column, id, file: &str| Bad {
            column,
            found: format!("\"{id}\""),
            expected: format!("an id that occurs in {file}"),
        };
        let [user_file, video_file] = [layout.tables()[0], layout.tables()[1]];
        let mut all = Log::default();
        for file in files {
            let parts = parse_table(&file.path, &file.bytes, &LOG_COLUMNS, |out: &mut Log, line| {
                let mut f = Fields::new(line, b",");
                let user = f.id("the user id")?;
                if users.row(user).is_none() {
                    return Err(unknown(1, user, user_file));
                }
                let column = f.column();
                let video = f.id("the video id")?;
                if videos.row(video).is_none() {
                    return Err(unknown(column, video, video_file));
                }
                rest(out, &mut f, (user, video), tabs)
            })?;
            parts.into_iter().for_each(|p| all.append(p));
        }
        Ok(all)
    }

    /// Drops the rows of the random log.
    pub(super) fn keep_standard(&mut self) {
        let kept: Vec<u32> = (0..self.rows.len() as u32).filter(|r| self.is_rand[*r as usize] == 0).collect();
        let Log { of, rows, user, video, hour, time, click, long_view, is_rand, tab } = self;
        *self = Log {
            of: *of,
            rows: gather(rows, &kept),
            user: gather(user, &kept),
            video: gather(video, &kept),
            hour: gather(hour, &kept),
            time: gather(time, &kept),
            click: gather(click, &kept),
            long_view: gather(long_view, &kept),
            is_rand: gather(is_rand, &kept),
            tab: gather(tab, &kept),
        };
    }

    fn append(&mut self, mut next: Log) {
        let before = self.of as u32;
        self.of += next.of;
        self.rows.extend(next.rows.iter().map(|row| before + row));
        self.user.append(&mut next.user);
        self.video.append(&mut next.video);
        self.hour.append(&mut next.hour);
        self.time.append(&mut next.time);
        self.click.append(&mut next.click);
        self.long_view.append(&mut next.long_view);
        self.is_rand.append(&mut next.is_rand);
        self.tab.append(&mut next.tab);
    }
}

/// The columns behind the ids.
fn rest(
    out: &mut Log,
    f: &mut Fields,
    (user, video): (u32, u32),
    tabs: &[u8],
) -> std::result::Result<(), Bad> {
    f.number("the date, YYYYMMDD", DATES.0, DATES.1)?;
    let hour = f.number("hourmin, the hour times 100", 0, 2359)? / 100;
    let time = f.number("the time in milliseconds since 1970", 1000 * TIMES.start(), 1000 * TIMES.end())?;
    let click = f.number("is_click", 0, 1)?;
    for name in &LOG_COLUMNS[6..11] {
        f.number(name, 0, 1)?;
    }
    let long_view = f.number("long_view", 0, 1)?;
    for name in &LOG_COLUMNS[12..16] {
        f.whole(name)?;
    }
    f.number("is_profile_enter", 0, 1)?;
    let is_rand = f.number("is_rand", 0, 1)?;
    let tab = f.number("the tab", 0, TABS as u64 - 1)? as u8;
    f.end("the tab")?;
    out.of += 1;
    if tabs.contains(&tab) {
        out.rows.push(out.of as u32 - 1);
        out.user.push(user);
        out.video.push(video);
        out.hour.push(hour as u8);
        out.time.push(time as i64);
        out.click.push(click as u8);
        out.long_view.push(long_view as u8);
        out.is_rand.push(is_rand as u8);
        out.tab.push(tab);
    }
    Ok(())
}
