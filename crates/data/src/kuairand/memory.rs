//! Whether the files of a raw folder can be loaded: 27K's 322 million rows take more than most machines have.
use super::Layout;
use crate::{Error, Result};
use std::path::Path;

/// Bytes of a line of a log, about.
const LINE: u64 = 70;
/// Bytes of a row beside its features: labels, scenario, time.
const ROW: u64 = 13;

/// An error where the files are more than the memory that is free. Files that are missing count nothing here.
pub(crate) fn check(layout: Layout, features: usize, folder: &Path) -> Result<()> {
    let size = |name: &&str| folder.join(name).metadata().map_or(0, |m| m.len());
    let logs: u64 = layout.logs().iter().map(size).sum();
    let bytes = logs + layout.tables().iter().map(size).sum::<u64>();
    let needed = needed(logs, bytes, features);
    let available = available()?;
    if needed <= available {
        return Ok(());
    }
    let gib = |bytes: u64| bytes as f64 / f64::from(1u32 << 30);
    Err(Error::TooLarge {
        folder: folder.into(),
        bytes: bytes as f64 / 1e9,
        needed: gib(needed),
        available: gib(available),
    })
}

/// The files and the columns; or, when the files are gone, the columns and their copy on the way to the cache.
fn needed(logs: u64, bytes: u64, features: usize) -> u64 {
    let columns = logs / LINE * (ROW + 4 * features as u64);
    columns + columns.max(bytes)
}

/// Memory that is free or can be made so.
fn available() -> Result<u64> {
    let path = Path::new("/proc/meminfo");
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "cannot read the free memory"))?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let no_line = || std::io::Error::new(std::io::ErrorKind::InvalidData, "it has no line MemAvailable");
    kib.map(|kib| kib * 1024).ok_or_else(no_line).map_err(Error::io(path, "cannot read the free memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let gib = |bytes: u64| bytes as f64 / f64::from(1u32 << 30);
        // Pure: 184 MB of logs. 27K: 22.8 GB of logs, 2.6 GB of tables.
        assert!(gib(needed(184_000_000, 188_000_000, 45)) < 2.0);
        assert!(gib(needed(22_800_000_000, 25_400_000_000, 45)) > 100.0);
        assert!(available().unwrap() > 1 << 20);
    }
}
