#![no_main]
//! Ali-CCP: impressions, which are streamed, and what they share; behaviours from histories and from clicks.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("ali_ccp":
    dataset!("ali-ccp", "sample_skeleton_train.csv", "sample_skeleton_test.csv"),
    dataset!("ali-ccp-clicks", "sample_skeleton_train.csv", "sample_skeleton_test.csv"),
);
