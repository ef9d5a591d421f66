//! Whether raw files, and what is made of them, fit into memory.
use crate::{Error, Result};
use std::path::Path;

/// Bytes of these files of a folder. Files that are missing count nothing.
pub(crate) fn size(folder: &Path, names: &[&str]) -> u64 {
    names.iter().map(|name| folder.join(name).metadata().map_or(0, |m| m.len())).sum()
}

/// An error where files of so many `bytes` need more memory than is free.
pub(crate) fn check(folder: &Path, bytes: u64, needed: u64) -> Result<()> {
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

/// Memory that is free or can be made so.
pub(crate) fn available() -> Result<u64> {
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
    fn more_than_is_free_is_refused() {
        let here = Path::new(".");
        assert!(available().unwrap() > 1 << 20 && check(here, 1, 1 << 20).is_ok());
        let message = check(here, 3_000_000_000, 1 << 60).unwrap_err().to_string();
        assert!(message.starts_with(".: 3 GB of raw files need about 1073741824 GiB of memory, and "));
    }
}
