#![no_main]
//! The stand-ins for industrial logs: impressions, users, items, histories.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("industrial": dataset!("lazada-12", "impressions.csv", "histories.csv"));
