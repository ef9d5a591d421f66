#![no_main]
//! KuaiRand: logs, users and videos, without and with behaviour sequences.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("kuairand":
    dataset!(
        "kuairand-pure",
        "log_standard_4_08_to_4_21_pure.csv",
        "log_standard_4_22_to_5_08_pure.csv",
        "log_random_4_22_to_5_08_pure.csv"
    ),
    dataset!(
        "kuairand-pure-sequence",
        "log_standard_4_08_to_4_21_pure.csv",
        "log_standard_4_22_to_5_08_pure.csv",
        "log_random_4_22_to_5_08_pure.csv"
    ),
);
