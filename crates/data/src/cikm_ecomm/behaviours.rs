//! `user_behavior.csv`: user, item, behaviour, time.
use super::{BEHAVIOURS, SPAN};
use crate::Result;
use crate::raw::LargeFile;
use crate::text::{Bad, Fields, show, stream_lines};

/// Who did what and when, some rows in file order, which is no order of time. Rows that repeat are kept.
#[derive(Default)]
pub(super) struct Behaviours {
    /// Raw ids.
    pub user: Vec<u32>,
    /// Raw ids.
    pub item: Vec<u32>,
    /// 1 where the behaviour is `buy`.
    pub buy: Vec<u8>,
    /// Seconds from an origin that is not known.
    pub time: Vec<u32>,
}

impl Behaviours {
    /// Hands the file's rows to `take`, some at a time.
    pub fn read(file: &LargeFile, take: impl FnMut(Behaviours) -> Result<()>) -> Result<()> {
        stream_lines(file, "user id,item id,behaviour,time", line, take)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.user.len()
    }

    pub fn append(&mut self, mut next: Behaviours) {
        self.user.append(&mut next.user);
        self.item.append(&mut next.item);
        self.buy.append(&mut next.buy);
        self.time.append(&mut next.time);
    }
}

fn line(out: &mut Behaviours, line: &[u8]) -> std::result::Result<(), Bad> {
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
