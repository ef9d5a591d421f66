//! CIKM 2019 as CSDM sees it. The paper's preprocessing was not released; this one mirrors that of Taobao ads.
//!
//! Every id field is numbered by first appearance over the rows; where a user or an item has no row of its own, its
//! fields are unknown, which counts as one more value; a table has one row more than there are values. `time_stamp`
//! and `count` are min-max scaled over all rows. The label, task `buy`, is 1 where the behaviour is `buy`.
use super::behaviours::Behaviours;
use super::side::SideTable;
use super::{ITEM_FIELDS, USER_FIELDS};
use crate::ids::{Dense, Numbers};
use crate::raw::LargeFile;
use crate::view::{Builder, MinMax, Stream, Take, View, gather};
use crate::{Column, Kind, Result, Role};
use rayon::prelude::*;

/// Rows of which columns are made at a time, at least.
const PIECE: usize = 1 << 17;

/// What must be known of all rows before columns can be made of any of them.
struct Known {
    user: Numbers,
    item: Numbers,
    time: MinMax,
    /// Rows of every item, scaled.
    count: Vec<f32>,
    rows: usize,
}

impl Known {
    fn read(file: &LargeFile) -> Result<Known> {
        let (mut user, mut item) = (Numbers::default(), Numbers::default());
        let mut time = MinMax::of(std::iter::empty());
        let mut count: Vec<u32> = Vec::new();
        let mut rows = 0;
        Behaviours::read(file, |part| {
            let users = || part.user.iter().for_each(|raw| _ = user.number(*raw));
            let items = || {
                for raw in &part.item {
                    let number = item.number(*raw) as usize;
                    count.resize(count.len().max(number + 1), 0);
                    count[number] += 1;
                }
            };
            rayon::join(users, items);
            time = time.and(MinMax::of(part.time.iter().map(|t| f64::from(*t))));
            rows += part.len();
            Ok(())
        })?;
        let scale = MinMax::of(count.iter().map(|n| f64::from(*n)));
        let count = count.iter().map(|n| scale.scaled(f64::from(*n))).collect();
        Ok(Known { user, item, time, count, rows })
    }
}

/// The fields of users or items.
struct Side {
    role: Role,
    names: [&'static str; 3],
    sizes: [usize; 3],
    /// By the number of the user or item. A row finds all of its fields in one place: looking for each is most of the time.
    values: Vec<[u32; 3]>,
}

/// The rows of `behaviours`, with what is known of their users and items.
pub(super) fn stream<'a>(
    behaviours: &'a LargeFile,
    users: &SideTable,
    items: &SideTable,
) -> Result<Stream<'a>> {
    let known = Known::read(behaviours)?;
    let sides = [
        side(Role::User, USER_FIELDS, users, &known.user),
        side(Role::Item, ITEM_FIELDS, items, &known.item),
    ];
    let none = view(&known, &sides, Behaviours::default());
    let schema = none.expect("no rows, all of whose ids are known").schema;
    let of = known.rows;
    let rows = move |take: &mut Take| {
        let mut waiting = Behaviours::default();
        let mut before = 0;
        let mut give = |part: Behaviours| {
            let chosen: Vec<u32> = (before..before + part.len() as u32).collect();
            before += part.len() as u32;
            // What the first pass has not seen was not there.
            let view = view(&known, &sides, part).filter(|_| before as usize <= of);
            take(view.ok_or_else(|| behaviours.changed())?.rows, &chosen)
        };
        Behaviours::read(behaviours, |part| {
            waiting.append(part);
            if waiting.len() < PIECE { Ok(()) } else { give(std::mem::take(&mut waiting)) }
        })?;
        if waiting.len() > 0 {
            give(waiting)?;
        }
        if before as usize == of { Ok(()) } else { Err(behaviours.changed()) }
    };
    Ok(Stream { schema, of, rows: Box::new(rows) })
}

/// Builds schema, columns and labels of some rows; none where an id is not known.
fn view(known: &Known, sides: &[Side; 2], rows: Behaviours) -> Option<View> {
    let numbers =
        |known: &Numbers, raw: &[u32]| raw.par_iter().map(|raw| known.of(*raw)).collect::<Option<Vec<u32>>>();
    let (item, user) = rayon::join(|| numbers(&known.item, &rows.item), || numbers(&known.user, &rows.user));
    let (item, user) = (item?, user?);
    let mut out = Builder::default();
    out.ids("item_id", Role::Item, Kind::Id, known.item.len() + 1, Column::Id(item.clone()));
    out.ids("user_id", Role::User, Kind::Id, known.user.len() + 1, Column::Id(user.clone()));
    for side in sides {
        let of = if side.role == Role::User { &user } else { &item };
        for ((name, size), column) in side.names.into_iter().zip(side.sizes).zip(side.columns(of)) {
            out.ids(name, side.role, Kind::Id, size, Column::Id(column));
        }
    }
    let time = rows.time.par_iter().map(|t| known.time.scaled(f64::from(*t))).collect();
    out.real("time_stamp", Role::Context, time);
    out.real("count", Role::Item, gather(&known.count, &item));
    let time = rows.time.iter().map(|t| i64::from(*t)).collect();
    Some(out.view([("buy", rows.buy)]).with_side(&["item_id", "count"]).with_time(time))
}

impl Side {
    /// The fields of some rows' users or items.
    fn columns(&self, of: &[u32]) -> [Vec<u32>; 3] {
        let mut columns = [(); 3].map(|()| vec![0; of.len()]);
        let [a, b, c] = &mut columns;
        let rows = (a, b, c, of).into_par_iter();
        rows.for_each(|(a, b, c, number)| [*a, *b, *c] = self.values[*number as usize]);
        columns
    }
}

/// The fields of `table` for the users or items `ids`.
fn side(role: Role, names: [&'static str; 3], table: &SideTable, ids: &Numbers) -> Side {
    let row: Vec<Option<usize>> = ids.raw.iter().map(|id| table.row(*id)).collect();
    let one = |field: &Vec<u32>| {
        // 0 is unknown, other values are kept plus one.
        let codes: Vec<u32> = row.iter().map(|row| row.map_or(0, |row| field[row] + 1)).collect();
        Dense::new(&codes)
    };
    let dense = table.fields.each_ref().map(one);
    let values = (0..ids.len()).map(|number| dense.each_ref().map(|field| field.ids[number])).collect();
    Side { role, names, sizes: dense.map(|field| field.len() + 1), values }
}
