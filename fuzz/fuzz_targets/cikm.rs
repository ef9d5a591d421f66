#![no_main]
//! CIKM 2019: behaviours, which are streamed, users and items.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("cikm": dataset!("cikm-2019-cold", "user_behavior.csv"));
