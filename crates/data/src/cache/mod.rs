//! Datasets as Parquet files: what was parsed once is not parsed again, and what memory cannot hold is read from here.
//!
//! `arrays` says what the columns are, `footer` what stands behind them, `writer` writes rows as they come, `stored` reads a file
//! as a whole or a row group at a time.
mod arrays;
mod footer;
mod stored;
mod writer;

pub(crate) use footer::Header;
pub use stored::Stored;
#[cfg(test)]
pub(crate) use writer::GROUP;
pub(crate) use writer::Writer;

use crate::{Result, Rows};
use std::path::Path;

/// Writes a dataset that is in memory.
pub(crate) fn write(header: Header, rows: &Rows, path: &Path) -> Result<()> {
    let mut writer = Writer::new(path, header)?;
    writer.append(rows)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{everything, parts};
    use crate::{Columns, Dataset, Streamed};

    fn assert_same(a: &Dataset, b: &Dataset) {
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
    }

    fn written(data: &Dataset, path: &Path) {
        let (header, rows) = parts(data);
        write(header, &rows, path).unwrap();
    }

    fn read(path: &Path, fingerprint: &str) -> Result<Option<Dataset>> {
        let Some(stored) = Stored::open(path, fingerprint)? else { return Ok(None) };
        Ok(Some(Dataset::new(stored.header().clone(), stored.all()?)))
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        // More rows than a row group.
        let data = everything(GROUP + 1000);
        written(&data, &path);
        assert_same(&data, &read(&path, &data.fingerprint).unwrap().unwrap());
        assert!(read(&folder.path().join("y.parquet"), "").unwrap().is_none());
        let other = read(&path, "other").unwrap_err().to_string();
        assert!(other.contains("it has fingerprint"), "{other}");
    }

    #[test]
    fn a_row_group_has_its_part_of_every_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(2 * GROUP + 10);
        written(&data, &path);
        let stored = || Stored::open(&path, &data.fingerprint).unwrap().unwrap();
        let (_, rows) = parts(&data);
        let about = stored().about_rows().unwrap();
        assert_eq!((&about.labels, &about.time, &about.part), (&rows.labels, &rows.time, &rows.part));
        assert_eq!((about.columns.len(), about.len()), (0, data.rows()));
        assert_eq!(stored().ids("item_id").unwrap(), data.item_ids());
        let price = crate::Column::Real((0..data.rows()).map(|r| r as f32).collect());
        let (place, _) = data.schema.field("price").unwrap();
        let mut streamed = Dataset {
            columns: Columns::Streamed(Streamed::new(stored(), Vec::new()).into()),
            ..data.clone()
        };
        assert_eq!(streamed.ids("item_id").unwrap().unwrap(), data.item_ids());
        streamed.replace(place, price.clone());
        let Columns::Streamed(streamed) = &streamed.columns else { panic!("just made so") };
        assert_eq!((streamed.groups(), streamed.rows(2)), (3, 2 * GROUP as u32..2 * GROUP as u32 + 10));
        assert_eq!(streamed.place(GROUP as u32 + 7), (1, 7));
        let group = streamed.read(1).unwrap();
        assert_eq!(group[place], price.part(streamed.rows(1)));
        for (at, (own, whole)) in group.iter().zip(&rows.columns).enumerate() {
            assert!(at == place || *own == whole.part(streamed.rows(1)), "{at}");
        }
        let some = [GROUP as u32 + 3, 5, 2 * GROUP as u32, 5, 1];
        let selected = streamed.select(&some).unwrap();
        for (at, (own, whole)) in selected.iter().zip(&rows.columns).enumerate() {
            for (i, row) in some.iter().enumerate() {
                let wanted = if at == place { &price } else { whole };
                assert_eq!(own.part(i as u32..i as u32 + 1), wanted.part(*row..row + 1), "{at}, row {row}");
            }
        }
    }

    #[test]
    fn rows_may_come_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(300);
        let (header, rows) = parts(&data);
        let mut writer = Writer::new(&path, header).unwrap();
        for range in [0..100u32, 100..300] {
            let wanted = range.start as usize..range.end as usize;
            let columns = rows.columns.iter().map(|c| c.part(range.clone())).collect();
            writer
                .append(&Rows {
                    columns,
                    labels: rows.labels.iter().map(|l| l[wanted.clone()].to_vec()).collect(),
                    scenario: rows.scenario[wanted.clone()].to_vec(),
                    time: rows.time.as_ref().map(|v| v[wanted.clone()].to_vec()),
                    session: rows.session.as_ref().map(|v| v[wanted.clone()].to_vec()),
                    part: rows.part.as_ref().map(|v| v[wanted.clone()].to_vec()),
                    click_probability: rows.click_probability.as_ref().map(|v| v[wanted.clone()].to_vec()),
                })
                .unwrap();
        }
        assert!(!path.exists());
        writer.finish().unwrap();
        assert_same(&data, &read(&path, &data.fingerprint).unwrap().unwrap());
    }

    #[test]
    fn another_version_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(50);
        written(&data, &path);
        let mut bytes = std::fs::read(&path).unwrap();
        let now = format!("\"version\":{}", footer::VERSION);
        let at = memchr::memmem::rfind(&bytes, now.as_bytes()).unwrap() + now.len() - 1;
        bytes[at] = b'0';
        std::fs::write(&path, bytes).unwrap();
        let message = read(&path, &data.fingerprint).unwrap_err().to_string();
        let wanted = format!("it has version 0 of the cache, not {}", footer::VERSION);
        assert!(message.ends_with(&wanted), "{message}");
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(50);
        written(&data, &path);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, bad).unwrap();
            assert!(read(&path, &data.fingerprint).is_err(), "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(read(&path, &data.fingerprint).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn no_footer_with_a_right_checksum_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let data = everything(50);
        written(&data, &path);
        let good = std::fs::read(&path).unwrap();
        let metadata = u32::from_le_bytes(good[good.len() - 8..good.len() - 4].try_into().unwrap()) as usize;
        let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut refused = 0;
        let places = good.len() - 8 - metadata..good.len() - 8;
        for at in places.clone() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            std::fs::write(&path, bad).unwrap();
            footer::reseal(&file);
            refused += usize::from(read(&path, &data.fingerprint).is_err());
        }
        assert!(refused > places.len() / 10, "{refused} of {}", places.len());
    }
}
