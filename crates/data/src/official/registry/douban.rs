//! Douban: Diff-MSR's split files and GA-DTCDR's ratings, each from its authors' repository, at a commit, so that an address
//! gives the same file for good; git's ids say that it did.
use super::files;
use crate::douban::{ratings, splits};
use crate::official::{Access, Archive, Checksum, Content, Entry};

const CITE: &str = "Zhu et al., DTCDR (CIKM 2019) or GA-DTCDR (IJCAI 2020)";

/// A file of a repository.
const fn file(name: &'static str, bytes: u64, git_blob: &'static str) -> Archive {
    Archive {
        name,
        bytes: if bytes > 0 { Some(bytes) } else { None },
        checksum: Some(Checksum::GitBlob(git_blob)),
        content: Content::File,
    }
}

const SPLIT_NAMES: [&str; 9] = {
    let mut names = [""; 9];
    let mut i = 0;
    while i < 9 {
        names[i] = splits::FILES[i].0;
        i += 1;
    }
    names
};
/// Movie's training rows, nine tenths of that domain, are about eight times its test rows.
const SPLIT_BYTES: [u64; 9] =
    [36_372, 4_539, 4_587, 1_165_216, 145_669, 145_639, 14_200_000, 1_779_206, 1_779_275];

pub(super) const SPLITS: Entry = Entry {
    folder: "douban-splits",
    home: "https://github.com/Applied-Machine-Learning-Lab/Diff-MSR",
    terms: "the repository carries the MIT licence, but the ratings are GA-DTCDR's, whose repository carries the GPL-3.0 and asks \
            to be cited",
    cite: "Wang et al., Diff-MSR (WSDM 2024), and Zhu et al., DTCDR (CIKM 2019) or GA-DTCDR (IJCAI 2020)",
    files: &files(&SPLIT_NAMES, SPLIT_BYTES),
    instead: &[],
    access: Access::Download {
        from: "https://github.com/Applied-Machine-Learning-Lab/Diff-MSR/raw/154cb47c293f7bfc38f6a23363650e22207e91cd/dataset/Douban/",
        archives: &[
            file(SPLIT_NAMES[0], SPLIT_BYTES[0], "8c5a9f87a2c1bf9bd71c763b0b6b7f188d7cdb3f"),
            file(SPLIT_NAMES[1], SPLIT_BYTES[1], "0d9e204425c5ca1d03aa6af0e4ba7ed8e2101170"),
            file(SPLIT_NAMES[2], SPLIT_BYTES[2], "e1b2d906f44522ac4d656f2825f4cf2ca8b5abac"),
            file(SPLIT_NAMES[3], SPLIT_BYTES[3], "86ac1fb37aea21a4298b41158f173e78f6ec68a9"),
            file(SPLIT_NAMES[4], SPLIT_BYTES[4], "5c8befe7fc51eda93056d5dae355a9a59f6d2dbb"),
            file(SPLIT_NAMES[5], SPLIT_BYTES[5], "edc2f0fa36c29efbc00e77ca64b5d5f79d40d96e"),
            file(SPLIT_NAMES[6], SPLIT_BYTES[6], "ebb5c8c9cac13ea73b7f614e2508769c9c60aa6d"),
            file(SPLIT_NAMES[7], SPLIT_BYTES[7], "769de7c512ae169e679aa74632aa031aa12fe0ac"),
            file(SPLIT_NAMES[8], SPLIT_BYTES[8], "3fd49b49ef535a740c0f0563eefc17ee951b5916"),
        ],
    },
};

const RATING_BYTES: [u64; 3] = [811_063, 1_116_081, 14_000_000];

/// Not from FengZhu-Joey, the account that older texts name: it belongs to somebody else now, and nothing of the author's is
/// there. This one has the author's commits.
pub(super) const RATINGS: Entry = Entry {
    folder: "douban",
    home: "https://github.com/fengzhu1/GA-DTCDR",
    terms: "the repository carries the GPL-3.0 and asks to be cited; there is no separate licence of the data",
    cite: CITE,
    files: &files(&ratings::FILES, RATING_BYTES),
    instead: &[],
    access: Access::Download {
        from: "https://github.com/fengzhu1/GA-DTCDR/raw/11a1dc6fda5148c8b1ce412ed4e2f0c4f124e2d0/Data/",
        archives: &[
            file(ratings::FILES[0], RATING_BYTES[0], "99d5bd3570493a27c45dac47eb2fcf7271260ed4"),
            file(ratings::FILES[1], RATING_BYTES[1], "ed495e9592b0bb9848742c26e73a70ee962f0298"),
            file(ratings::FILES[2], RATING_BYTES[2], "0a944e57dc2107fb4ded66f9740f242c666e6949"),
        ],
    },
};
