#![no_main]
//! Douban: the files with a split, all or without one, and the ratings.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("douban":
    dataset!(
        "douban",
        "douban_music_train.csv", "douban_music_val.csv", "douban_music_test.csv",
        "douban_book_train.csv", "douban_book_val.csv", "douban_book_test.csv",
        "douban_movie_train.csv", "douban_movie_val.csv", "douban_movie_test.csv"
    ),
    dataset!(
        "douban-partial",
        "douban_music_train.csv", "douban_music_val.csv", "douban_music_test.csv",
        "douban_book_train.csv", "douban_book_val.csv", "douban_book_test.csv",
        "douban_movie_val.csv", "douban_movie_test.csv"
    ),
    dataset!("douban-raw", "douban_music/ratings.dat", "douban_book/ratings.dat", "douban_movie/ratings.dat"),
);
