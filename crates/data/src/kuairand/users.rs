//! `user_features_*.csv`: how active the users are, whom they know, and eighteen encrypted features.
use super::codes::{Codes, code, flag, word};
use super::features::is_user_category;
use super::{FIRST_LINE, USER_COLUMNS};
use crate::Result;
use crate::ids::RowOf;
use crate::text::{Bad, Fields, parse_table};
use std::path::Path;

/// The users, in file order.
#[derive(Default)]
pub(crate) struct Users {
    pub id: Vec<u32>,
    /// The categories, by column of the file; empty for columns of another kind.
    pub codes: [Codes; USER_COLUMNS.len()],
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
            all.codes.iter_mut().zip(&p.codes).for_each(|(all, p)| all.append(p));
        }
        all.row_of = RowOf::unique(file, "user", FIRST_LINE, &all.id)?;
        Ok(all)
    }
}

fn line(out: &mut Users, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::quoted(line);
    out.id.push(f.id("the user id")?);
    for (codes, name) in out.codes.iter_mut().zip(USER_COLUMNS).skip(1) {
        if !is_user_category(name) {
            f.whole(name)?;
            continue;
        }
        codes.push(match name {
            "is_live_streamer" | "is_video_author" => flag(&mut f, name)?,
            _ if name.starts_with("onehot_feat") => code(&mut f, name)?,
            _ => word(&mut f, name)?,
        });
    }
    f.end(USER_COLUMNS[USER_COLUMNS.len() - 1])
}
