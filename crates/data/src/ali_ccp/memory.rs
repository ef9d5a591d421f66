//! Whether the columns of the files of a raw folder fit into memory.
use super::{CHANNELS, FILES};
use crate::loader::AliCcpBehaviours;
use crate::{Result, memory};
use std::path::Path;

/// Bytes of a line with an impression and of one with common features, about.
const LINES: [u64; 2] = [235, 11_000];
/// Bytes of an impression's columns: 18 ids, of which one has room for five, four values, a span, and what no field is.
const ROW: u64 = 132;
/// Bytes of a behaviour: id, channel, value. Clicks, shared by all of a user's rows, are few.
const BEHAVIOUR: u64 = 12;

/// An error where the columns are more than the memory that is free. Files that are missing count nothing here.
pub(crate) fn check(behaviours: AliCcpBehaviours, folder: &Path) -> Result<()> {
    let [samples, common] = [&FILES[..2], &FILES[2..]].map(|names| memory::size(folder, names));
    memory::check(folder, samples + common, needed(samples, common, behaviours.per_channel()))
}

/// The columns and their copy on the way to the cache; files are not held in memory.
fn needed(samples: u64, common: u64, per_channel: u32) -> u64 {
    let behaviours = common / LINES[1] * CHANNELS.len() as u64 * u64::from(per_channel);
    2 * (samples / LINES[0] * ROW + behaviours * BEHAVIOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let gib = |bytes: u64| bytes as f64 / f64::from(1u32 << 30);
        // The official files.
        let official = gib(needed(20_000_000_000, 18_000_000_000, 12));
        assert!((20.0..26.0).contains(&official), "{official}");
        assert!(gib(needed(47_000_000, 44_000_000, 12)) < 0.1);
    }
}
