//! `users.csv` and `items.csv`: an id and attributes, each a number below that of its values.
use super::FIRST_LINE;
use crate::Result;
use crate::ids::{MAX_ID, RowOf};
use crate::text::{Bad, Fields, parse_table};
use std::path::Path;

/// Users or items, in file order.
#[derive(Default)]
pub(crate) struct Table {
    pub id: Vec<u32>,
    /// `[attribute][row]`.
    pub attributes: Vec<Vec<u32>>,
    row_of: RowOf,
}

impl Table {
    /// The row of the one with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    /// The row of an id at this column, or what is wrong with it.
    pub(super) fn known(&self, id: u32, column: usize, file: &str) -> std::result::Result<u32, Bad> {
        self.row(id).map(|row| row as u32).ok_or_else(|| Bad {
            column,
            found: format!("\"{id}\""),
            expected: format!("an id that occurs in {file}"),
        })
    }

    pub(super) fn parse(
        what: &str,
        columns: &[&str],
        values: &[usize],
        file: &Path,
        bytes: &[u8],
    ) -> Result<Table> {
        let mut all = Table { attributes: vec![Vec::new(); values.len()], ..Table::default() };
        let parts = parse_table(file, bytes, columns, |out: &mut Table, line| {
            out.attributes.resize(values.len(), Vec::new());
            let mut f = Fields::new(line, b",");
            let id = f.number(columns[0], 0, MAX_ID)? as u32;
            for ((own, name), n) in out.attributes.iter_mut().zip(&columns[1..]).zip(values) {
                own.push(f.number(name, 0, *n as u64 - 1)? as u32);
            }
            f.end(columns[columns.len() - 1])?;
            out.id.push(id);
            Ok(())
        })?;
        for mut part in parts {
            all.id.append(&mut part.id);
            all.attributes.iter_mut().zip(&mut part.attributes).for_each(|(all, own)| all.append(own));
        }
        all.row_of = RowOf::unique(file, what, FIRST_LINE, &all.id)?;
        Ok(all)
    }
}
