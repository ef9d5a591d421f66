//! Whether what must be in memory of a raw folder's files fits there.
use super::{AliCcpBehaviours, CHANNELS, FILES};
use crate::{Result, memory};
use std::path::Path;

/// Bytes of a line with common features, about.
const LINE: u64 = 11_000;
/// Bytes of a common row: its index twice, its place, nine ids twice, three sessions, a span, and what is counted of it.
const COMMON: u64 = 150;
/// Bytes of a behaviour: id, channel and value, as they are read and as they are numbered.
const BEHAVIOUR: u64 = 21;

/// An error where what the impressions share is more than the memory that is free. The impressions themselves are read and written
/// some at a time. Files that are missing count nothing here.
pub(crate) fn check(behaviours: AliCcpBehaviours, folder: &Path) -> Result<()> {
    let common = memory::size(folder, &FILES[2..]);
    memory::check(folder, common, needed(common, behaviours.per_channel()))
}

fn needed(common: u64, per_channel: u32) -> u64 {
    common / LINE * (COMMON + BEHAVIOUR * CHANNELS.len() as u64 * u64::from(per_channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let gib = |bytes: u64| bytes as f64 / f64::from(1u32 << 30);
        // The official files.
        let official = gib(needed(18_000_000_000, 12));
        assert!((1.5..2.5).contains(&official), "{official}");
        assert!(gib(needed(44_000_000, 12)) < 0.1);
    }
}
