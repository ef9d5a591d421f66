//! `user.csv` and `item.csv`: an id and three numbers.
use crate::Result;
use crate::ids::RowOf;
use crate::text::{Bad, Fields, parse_lines};
use std::path::Path;

/// Largest value of a field, with its description.
type Limit = (&'static str, u64);

const GENDER: Limit = ("the gender", 1);
const AGE: Limit = ("the age in years", 150);
const POWER: Limit = ("the level of purchasing power", 999);

/// Users or items, in file order.
#[derive(Default)]
pub(crate) struct SideTable {
    id: Vec<u32>,
    /// The fields behind the id, in order.
    pub fields: [Vec<u32>; 3],
    row_of: RowOf,
}

impl SideTable {
    /// The row of the user or item with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    pub(super) fn users(file: &Path, bytes: &[u8]) -> Result<SideTable> {
        SideTable::parse(file, bytes, "user", "user id,gender,age,purchasing power", |f| {
            let number = |f: &mut Fields, (what, max): Limit| f.number(what, 0, max).map(|n| n as u32);
            Ok([number(f, GENDER)?, number(f, AGE)?, number(f, POWER)?])
        })
    }

    pub(super) fn items(file: &Path, bytes: &[u8]) -> Result<SideTable> {
        SideTable::parse(file, bytes, "item", "item id,category id,shop id,brand id", |f| {
            Ok([f.id("the category id")?, f.id("the shop id")?, f.id("the brand id")?])
        })
    }

    fn parse(
        file: &Path,
        bytes: &[u8],
        what: &str,
        row: &str,
        fields: impl Fn(&mut Fields) -> std::result::Result<[u32; 3], Bad> + Sync,
    ) -> Result<SideTable> {
        let id_name = format!("the {what} id");
        let parts = parse_lines(file, bytes, row, |out: &mut SideTable, line| {
            let mut f = Fields::new(line, b",");
            let id = f.id(&id_name)?;
            let values = fields(&mut f)?;
            f.end(row)?;
            out.id.push(id);
            out.fields.iter_mut().zip(values).for_each(|(field, value)| field.push(value));
            Ok(())
        })?;
        let mut all = SideTable::default();
        for mut p in parts {
            all.id.append(&mut p.id);
            all.fields.iter_mut().zip(&mut p.fields).for_each(|(all, p)| all.append(p));
        }
        all.row_of = RowOf::unique(file, what, 1, &all.id)?;
        Ok(all)
    }
}
