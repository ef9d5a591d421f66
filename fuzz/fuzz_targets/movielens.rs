#![no_main]
//! MovieLens: ratings, users and movies of both layouts, and what papers make of them.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("movielens":
    dataset!("movielens-1m-cold", "ratings.dat"),
    dataset!("movielens-100k-cold", "u.data"),
    dataset!("movielens-1m-age-joined", "ratings.dat"),
    dataset!("movielens-1m-sequence", "ratings.dat"),
);
