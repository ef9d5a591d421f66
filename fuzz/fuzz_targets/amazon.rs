#![no_main]
//! Amazon: reviews as lines of JSON.
use scenarec_fuzz::{dataset, raw_files};

raw_files!("amazon": dataset!(
    "amazon-5core",
    "reviews_Clothing_Shoes_and_Jewelry_5.json.gz",
    "reviews_Beauty_5.json.gz",
    "reviews_Health_and_Personal_Care_5.json.gz"
));
