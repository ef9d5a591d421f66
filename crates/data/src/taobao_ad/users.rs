//! `user_profile.csv`: segment, group, gender, age, consumption, occupation and city of each user.
use super::{FIRST_LINE, MISSING, USER_COLUMNS};
use crate::Result;
use crate::ids::RowOf;
use crate::text::{Bad, Fields, parse_table};
use std::path::Path;

/// Smallest and largest value of each column but the id, and whether the official file leaves some of it empty.
const RANGES: [(u64, u64, bool); 8] = [
    (0, 9999, false), // cms_segid
    (0, 999, false),  // cms_group_id
    (1, 2, false),    // final_gender_code
    (0, 6, false),    // age_level
    (1, 3, true),     // pvalue_level
    (1, 3, false),    // shopping_level
    (0, 1, false),    // occupation
    (1, 4, true),     // new_user_class_level
];

/// The users with a profile, in file order.
#[derive(Default)]
pub(crate) struct Users {
    id: Vec<u32>,
    /// The columns behind the id, in order, each value plus one; 0 where it is missing.
    pub codes: [Vec<u32>; 8],
    row_of: RowOf,
}

impl Users {
    /// The row of the user with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Users> {
        let mut all = Users::default();
        for mut p in parse_table(file, bytes, &USER_COLUMNS, line)? {
            all.id.append(&mut p.id);
            for (all, p) in all.codes.iter_mut().zip(&mut p.codes) {
                all.append(p);
            }
        }
        all.row_of = RowOf::unique(file, "user", FIRST_LINE, &all.id)?;
        Ok(all)
    }
}

fn line(out: &mut Users, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b",");
    let id = f.id("the user id")?;
    for ((codes, name), (min, max, optional)) in out.codes.iter_mut().zip(&USER_COLUMNS[1..]).zip(RANGES) {
        codes.push(match optional && f.missing(b"") {
            true => MISSING,
            false => f.number(name, min, max)? as u32 + 1,
        });
    }
    f.end("new_user_class_level")?;
    out.id.push(id);
    Ok(())
}
