//! Whether the files of a raw folder can be loaded: 27K's 322 million rows take more than most machines have.
use super::Layout;
use crate::{Result, memory};
use std::path::Path;

/// Bytes of a line of a log, about.
const LINE: u64 = 70;
/// Bytes of a row beside its features: labels, scenario, time.
const ROW: u64 = 13;

/// An error where the files are more than the memory that is free. Files that are missing count nothing here.
pub(crate) fn check(layout: Layout, features: usize, folder: &Path) -> Result<()> {
    let logs = memory::size(folder, layout.logs());
    let bytes = logs + memory::size(folder, layout.tables());
    memory::check(folder, bytes, needed(logs, bytes, features))
}

/// The files and the columns; or, when the files are gone, the columns and their copy on the way to the cache.
fn needed(logs: u64, bytes: u64, features: usize) -> u64 {
    let columns = logs / LINE * (ROW + 4 * features as u64);
    columns + columns.max(bytes)
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
    }
}
