#![no_main]
//! Cache files: footer, row groups, columns. The footer's checksum is made right, else nothing behind it would be reached.
use libfuzzer_sys::fuzz_target;
use scenarec_data::fuzzing::{Set, cache_file, small_cache};
use scenarec_fuzz::{dataset, seed};
use std::sync::LazyLock;

/// Columns of all kinds: ids, bags, sequences of ids and of bags, a split.
static SET: LazyLock<Set> = LazyLock::new(|| {
    let (text, rows) = dataset!("movielens-1m-sequence", "ratings.dat");
    let set = Set::new(text, rows);
    seed("cache", "sequence", &small_cache(&set));
    let (text, rows) = dataset!("movielens-1m-cold", "ratings.dat");
    seed("cache", "cold", &small_cache(&Set::new(text, rows)));
    set
});

/// A panic is no finding where it is caught: Parquet's decoders panic at what a footer with a right checksum can say.
fn catch() {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
}

fuzz_target!(init: (LazyLock::force(&SET), catch()), |data: &[u8]| cache_file(&SET, data));
