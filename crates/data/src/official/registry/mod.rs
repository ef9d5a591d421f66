//! The official files of every raw folder.
//!
//! Addresses, sizes and checksums are those that the publishers print, or that known public programs check against; the ids of files
//! in repositories are git's own. Names come from the loaders.
mod amazon;
mod douban;
mod kuairand;
mod movielens;
mod tianchi;

use super::{Entry, OfficialFile};

/// The raw folders of the loaders that read official files.
pub const ENTRIES: &[Entry] = &[
    movielens::M1,
    movielens::M1_HALF,
    movielens::K100,
    kuairand::PURE,
    kuairand::K1,
    kuairand::K27,
    douban::SPLITS,
    douban::RATINGS,
    amazon::FIVE_CORE,
    tianchi::TAOBAO_AD,
    tianchi::ALI_CCP,
    tianchi::CIKM_2019,
];

/// Names with sizes in bytes; 0 stands for a size that is not published.
const fn files<const N: usize>(names: &[&'static str], bytes: [u64; N]) -> [OfficialFile; N] {
    assert!(names.len() == N, "as many sizes as names");
    let mut files = [OfficialFile { name: "", bytes: None }; N];
    let mut i = 0;
    while i < N {
        files[i] = OfficialFile { name: names[i], bytes: if bytes[i] > 0 { Some(bytes[i]) } else { None } };
        i += 1;
    }
    files
}
