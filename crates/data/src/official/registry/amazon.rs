//! Amazon reviews of the 2014 release, from Stanford's SNAP. No checksums are published; gzip's own is checked.
use super::files;
use crate::amazon::FILES;
use crate::official::{Access, Archive, Content, Entry};

/// A domain's 5-core.
const fn reviews(domain: usize) -> Archive {
    Archive { name: FILES[domain][0], bytes: None, checksum: None, content: Content::File }
}

pub(super) const FIVE_CORE: Entry = Entry {
    folder: "amazon-5core",
    home: "https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html",
    terms: "no licence is stated; research use; the lines hold reviewers' names and texts, so do not pass them on",
    cite: "McAuley et al. (SIGIR 2015) or He and McAuley (WWW 2016)",
    files: &files(&[FILES[0][0], FILES[1][0], FILES[2][0]], [0; 3]),
    instead: &[FILES[0][1], FILES[0][2], FILES[1][1], FILES[1][2], FILES[2][1], FILES[2][2]],
    access: Access::Download {
        from: "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/",
        archives: &[reviews(0), reviews(1), reviews(2)],
    },
};
