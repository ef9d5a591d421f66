//! `impressions.csv`: who was shown what, in which scenario and session, and whether it was clicked; in order of time.
use super::{FILES, IMPRESSION_COLUMNS, POSITIONS, tables::Table};
use crate::Result;
use crate::ids::{MAX_ID, TIMES};
use crate::text::{Bad, Fields, parse_table};
use std::path::Path;

/// The impressions, in file order.
#[derive(Default)]
pub(crate) struct Impressions {
    pub session: Vec<u32>,
    /// Rows of the tables of users and items.
    pub user: Vec<u32>,
    pub item: Vec<u32>,
    pub scenario: Vec<u16>,
    /// Seconds since 1970.
    pub time: Vec<i64>,
    /// Place on the page, from 0, the last one for all behind it.
    pub position: Vec<u32>,
    pub click: Vec<u8>,
}

impl Impressions {
    pub(super) fn parse(
        file: &Path,
        bytes: &[u8],
        scenarios: usize,
        users: &Table,
        items: &Table,
    ) -> Result<Impressions> {
        let parts = parse_table(file, bytes, &IMPRESSION_COLUMNS, |out: &mut Impressions, line| {
            let mut f = Fields::new(line, b",");
            let session = f.number("the session id", 0, MAX_ID)? as u32;
            let at = f.column();
            let user = users.known(f.number("the user id", 0, MAX_ID)? as u32, at, FILES[1])?;
            let scenario = f.number("the scenario", 0, scenarios as u64 - 1)? as u16;
            let time = f.number("the time in seconds since 1970", *TIMES.start(), *TIMES.end())? as i64;
            let position = f.number("the position", 0, MAX_ID)? as usize;
            let at = f.column();
            let item = items.known(f.number("the item id", 0, MAX_ID)? as u32, at, FILES[2])?;
            let click = f.number("click", 0, 1)? as u8;
            f.end("click")?;
            out.session.push(session);
            out.user.push(user);
            out.item.push(item);
            out.scenario.push(scenario);
            out.time.push(time);
            out.position.push(position.min(POSITIONS - 1) as u32);
            out.click.push(click);
            Ok(())
        })?;
        let mut all = Impressions::default();
        for mut part in parts {
            all.session.append(&mut part.session);
            all.user.append(&mut part.user);
            all.item.append(&mut part.item);
            all.scenario.append(&mut part.scenario);
            all.time.append(&mut part.time);
            all.position.append(&mut part.position);
            all.click.append(&mut part.click);
        }
        match all.time.windows(2).position(|w| w[0] > w[1]) {
            None => Ok(all),
            Some(row) => {
                let bad = Bad {
                    column: 1,
                    found: format!("the time {} after {}", all.time[row + 1], all.time[row]),
                    expected: "impressions in order of time".into(),
                };
                Err(bad.at(file, super::FIRST_LINE + row + 1))
            }
        }
    }
}
