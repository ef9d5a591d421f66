#![no_main]
//! KuaiRand's tables of users and videos where there are no logs: the simulator makes them.
use libfuzzer_sys::fuzz_target;
use scenarec_data::fuzzing::{Set, load_tables};
use scenarec_fuzz::{dataset, seed};
use std::sync::LazyLock;

const PURE: (&str, &[&str]) = dataset!("kuairand-pure");

/// Users and videos.
static TABLES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let set = Set::new(PURE.0, PURE.1);
    let tables = [3, 4].map(|file| set.files().nth(file).expect("five files").1.to_vec());
    for (place, table) in tables.iter().enumerate() {
        let lines: Vec<&[u8]> = table.split_inclusive(|b| *b == b'\n').take(12).collect();
        seed("kuairand_tables", &format!("{place}-table"), &[&[place as u8][..], &lines.concat()].concat());
    }
    tables
});

fuzz_target!(init: LazyLock::force(&TABLES), |data: &[u8]| {
    let Some((place, table)) = data.split_first() else { return };
    match place % 2 {
        0 => load_tables(PURE.0, table, &TABLES[1]),
        _ => load_tables(PURE.0, &TABLES[0], table),
    }
});
