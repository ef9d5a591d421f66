#![no_main]
//! Dataset files.
use libfuzzer_sys::fuzz_target;
use scenarec_fuzz::{dataset, seed};

const ALL: [(&str, &[&str]); 12] = [
    dataset!("movielens-1m-cold"),
    dataset!("movielens-100k-cold"),
    dataset!("movielens-1m-age"),
    dataset!("movielens-1m-sequence"),
    dataset!("taobao-ad-cold"),
    dataset!("cikm-2019-cold"),
    dataset!("kuairand-pure-sequence"),
    dataset!("douban-partial"),
    dataset!("douban-raw"),
    dataset!("amazon-5core"),
    dataset!("lazada-12"),
    dataset!("ali-ccp-clicks"),
];

/// The files, comments left out.
fn seeds() {
    for (place, (text, _)) in ALL.iter().enumerate() {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
        let short: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        seed("dataset_file", &format!("{place}.yaml"), (short.join("\n") + "\n").as_bytes());
    }
}

fuzz_target!(init: seeds(), |data: &[u8]| scenarec_data::fuzzing::dataset_file(data));
