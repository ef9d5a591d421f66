//! `user_behavior.csv`: user, item, behaviour, time.
use super::{BEHAVIOURS, SPAN};
use crate::Result;
use crate::ids::Dense;
use crate::text::{Bad, Fields, parse_lines, show};
use std::path::Path;

/// Who did what and when, in file order, which is no order of time. Rows that repeat are kept.
pub(crate) struct Behaviours {
    pub user: Dense,
    pub item: Dense,
    /// 1 where the behaviour is `buy`.
    pub buy: Vec<u8>,
    /// Seconds from an origin that is not known.
    pub time: Vec<u32>,
}

/// Some lines.
#[derive(Default)]
struct Part {
    user: Vec<u32>,
    item: Vec<u32>,
    buy: Vec<u8>,
    time: Vec<u32>,
}

impl Behaviours {
    pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Behaviours> {
        let mut all = Part::default();
        for mut p in parse_lines(file, bytes, "user id,item id,behaviour,time", line)? {
            all.user.append(&mut p.user);
            all.item.append(&mut p.item);
            all.buy.append(&mut p.buy);
            all.time.append(&mut p.time);
        }
        let (user, item) = (Dense::new(&all.user), Dense::new(&all.item));
        Ok(Behaviours { user, item, buy: all.buy, time: all.time })
    }
}

fn line(out: &mut Part, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let user = f.id("the user id")?;
    let item = f.id("the item id")?;
    let column = f.column();
    let behaviour = f.text("the behaviour")?;
    if !BEHAVIOURS.iter().any(|b| b.as_bytes() == behaviour) {
        let expected = format!("one of the behaviours {}", BEHAVIOURS.join(", "));
        return Err(Bad { column, found: show(behaviour), expected });
    }
    let time = f.number("the time in seconds, of day 0 to 15", 0, u64::from(SPAN) - 1)? as u32;
    f.end("the time")?;
    out.user.push(user);
    out.item.push(item);
    out.buy.push(u8::from(behaviour == b"buy"));
    out.time.push(time);
    Ok(())
}
