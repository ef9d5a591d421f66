//! MovieLens, from GroupLens.
use super::files;
use crate::movielens::Layout;
use crate::official::{Access, Archive, Checksum, Content, Entry, Members};

const TERMS: &str = "research use; acknowledge the source without suggesting endorsement; no redistribution and no commercial use \
                     without permission (the archive's README counts)";
const CITE: &str = "Harper and Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015, doi 10.1145/2827872";
const FROM: &str = "https://files.grouplens.org/datasets/movielens/";

pub(super) const M1: Entry = Entry {
    folder: "movielens-1m",
    home: "https://grouplens.org/datasets/movielens/1m/",
    terms: TERMS,
    cite: CITE,
    files: &files(&Layout::M1.files(), [24_594_131, 134_368, 171_308]),
    instead: &[],
    access: Access::Download {
        from: FROM,
        archives: &[Archive {
            name: "ml-1m.zip",
            bytes: Some(5_917_549),
            checksum: Some(Checksum::Sha256(
                "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            )),
            content: Content::Zip(Members { within: "ml-1m", files: &Layout::M1.files() }),
        }],
    },
};

pub(super) const M1_HALF: Entry = Entry {
    folder: "movielens-1m-half",
    files: &files(&Layout::M1.files(), [11_908_773, 134_368, 171_308]),
    access: Access::ByHand {
        steps: &[
            "fetch movielens-1m",
            "in the folder that holds the raw folders (data/raw): mkdir -p movielens-1m-half && cp movielens-1m/users.dat \
             movielens-1m/movies.dat movielens-1m-half && awk -F:: '$1 < 3000' movielens-1m/ratings.dat > \
             movielens-1m-half/ratings.dat",
        ],
    },
    ..M1
};

pub(super) const K100: Entry = Entry {
    folder: "movielens-100k",
    home: "https://grouplens.org/datasets/movielens/100k/",
    terms: TERMS,
    cite: CITE,
    files: &files(&Layout::K100.files(), [1_979_173, 22_628, 236_344]),
    instead: &[],
    access: Access::Download {
        from: FROM,
        archives: &[Archive {
            name: "ml-100k.zip",
            bytes: Some(4_924_029),
            checksum: Some(Checksum::Sha256(
                "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            )),
            content: Content::Zip(Members { within: "ml-100k", files: &Layout::K100.files() }),
        }],
    },
};
