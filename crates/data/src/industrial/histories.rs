//! `histories.csv`: what users clicked before the log begins, user by user, each in order of time.
use super::{FILES, FIRST_LINE, HISTORY_COLUMNS, tables::Table};
use crate::Result;
use crate::ids::{MAX_ID, TIMES};
use crate::text::{Bad, Fields, parse_table};
use std::path::Path;

/// The clicks, in file order.
#[derive(Default)]
pub(crate) struct Histories {
    /// Rows of the tables of users and items.
    pub user: Vec<u32>,
    pub item: Vec<u32>,
    /// Seconds since 1970.
    pub time: Vec<i64>,
}

impl Histories {
    pub(super) fn parse(file: &Path, bytes: &[u8], users: &Table, items: &Table) -> Result<Histories> {
        let parts = parse_table(file, bytes, &HISTORY_COLUMNS, |out: &mut Histories, line| {
            let mut f = Fields::new(line, b",");
            let at = f.column();
            let user = users.known(f.number("the user id", 0, MAX_ID)? as u32, at, FILES[1])?;
            let time = f.number("the time in seconds since 1970", *TIMES.start(), *TIMES.end())? as i64;
            let at = f.column();
            let item = items.known(f.number("the item id", 0, MAX_ID)? as u32, at, FILES[2])?;
            f.end("the item id")?;
            out.user.push(user);
            out.item.push(item);
            out.time.push(time);
            Ok(())
        })?;
        let mut all = Histories::default();
        for mut part in parts {
            all.user.append(&mut part.user);
            all.item.append(&mut part.item);
            all.time.append(&mut part.time);
        }
        let disorder = (1..all.user.len())
            .find(|row| all.user[row - 1] == all.user[*row] && all.time[row - 1] > all.time[*row]);
        match disorder {
            None => Ok(all),
            Some(row) => {
                let bad = Bad {
                    column: 1,
                    found: format!("the time {} after {}", all.time[row], all.time[row - 1]),
                    expected: "a user's clicks in order of time".into(),
                };
                Err(bad.at(file, FIRST_LINE + row))
            }
        }
    }
}
