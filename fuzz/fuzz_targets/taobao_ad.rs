#![no_main]
//! Taobao display ads: impressions, ads, user profiles.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("taobao_ad": dataset!("taobao-ad-cold", "raw_sample.csv"));
