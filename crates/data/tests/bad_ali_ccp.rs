//! Broken files of Ali-CCP, message by message.
use crate::ali_ccp::config;
use crate::common::{line, message};

const SAMPLES: &str = "sample_skeleton_train.csv";
const TEST_SAMPLES: &str = "sample_skeleton_test.csv";
const COMMON: &str = "common_features_train.csv";

#[track_caller]
fn expect(file: &str, edit: impl Fn(Vec<u8>) -> Vec<u8>, want: &str) {
    assert_eq!(message(&config(), file, edit), format!("{file}:{want}"));
}

/// Line `n` is `text`, with `;`, `:` and `=` for the bytes 1, 2 and 3; the message begins with that line.
#[track_caller]
fn check(file: &str, n: usize, text: &str, want: &str) {
    expect(file, line(n, &list(text)), &format!("{n}:{want}"));
}

fn list(text: &str) -> String {
    text.replace(';', "\u{1}").replace(':', "\u{2}").replace('=', "\u{3}")
}

#[test]
fn impressions() {
    let check = |text: &str, want: &str| check(SAMPLES, 4, text, want);
    let whole = "a whole number from";
    check("0,0,0,x,1,y", &format!("1: found \"0\", expected the sample id, {whole} 1 to 4294967295"));
    check("4,2,0,x,1,y", &format!("3: found \"2\", expected click, {whole} 0 to 1"));
    check("4,0,-1,x,1,y", &format!("5: found \"-1\", expected purchase, {whole} 0 to 1"));
    let index = "expected the common feature index, 16 hexadecimal digits";
    check("4,0,0,1b2c3d4e5f60718,1,y", &format!("7: found \"1b2c3d4e5f60718\", {index}"));
    check("4,0,0,,1,y", &format!("7: found an empty field, {index}"));
    check(
        "4,0,0,f00dfeedf00dfeed,1,301:300001=1.0",
        "7: found \"f00dfeedf00dfeed\", expected an index that occurs in common_features_train.csv",
    );
    let good = "4,0,0,1b2c3d4e5f607182";
    let count = "expected the feature count, a whole number from 0 to 4294967295";
    check(&format!("{good},one,y"), &format!("24: found \"one\", {count}"));
    check(&format!("{good},1"), "25: found the end of the line, expected the feature list");
    check(
        &format!("{good},2,301:300001=1.0"),
        "24: found the feature count 2, expected the number of entries in the list, 1",
    );
    check(
        &format!("{good},0,"),
        "26: found a list without it, expected field 301, the scenario, in every list",
    );
    check(
        &format!("{good},1,205:70001=1.0"),
        "26: found a list without it, expected field 301, the scenario, in every list",
    );
    check(
        &format!("{good},1,301:300001=1.0,7"),
        "41: found an extra field, \"7\", expected the end of the line after the feature list",
    );
    check(
        &format!("{good},3,205:70001=1.0;301:300001=1.0;301:300001=1.0"),
        "55: found a second scenario, expected one field 301",
    );
    check(
        &format!("{good},1,301:300001=1.0\r"),
        "40: found a carriage return, expected lines that end in a single line feed, as in the official file",
    );
    check("", "1: found an empty line, expected the sample id, a whole number");
}

#[test]
fn lists() {
    let check = |text: &str, want: &str| {
        check(SAMPLES, 2, &format!("2,1,1,00ab34cd56ef7891,2,301:300001=1.0;{text}"), &format!("41: {want}"));
    };
    let entry = "expected an entry: field, byte 2, feature id, byte 3, value";
    check("205", &format!("found \"205\", {entry}"));
    check("", &format!("found an empty field, {entry}"));
    check("101:11=1.0", "found field \"101\", expected a field of sample_skeleton_train.csv");
    check("2050:11=1.0", "found field \"2050\", expected a field of sample_skeleton_train.csv");
    let at_45 = |text: &str, want: &str| {
        let line_2 = list(&format!("2,1,1,00ab34cd56ef7891,2,301:300001=1.0;{text}"));
        expect(SAMPLES, line(2, &line_2), &format!("2:{want}"));
    };
    let id = "expected a feature id, a whole number from 1 to 1000000000, before a byte 3";
    at_45("205:7000x=1.0", &format!("45: found \"7000x\", {id}"));
    at_45("205:70001", &format!("45: found \"70001\", {id}"));
    for bad in ["nan", "inf", "1.0.0", "", "x"] {
        let shown = if bad.is_empty() { "an empty field".into() } else { format!("{bad:?}") };
        at_45(&format!("205:70001={bad}"), &format!("51: found {shown}, expected a value, a decimal number"));
    }
    // Another separator than byte 1.
    at_45(
        "205:70001=1.0|206:80001=1.0",
        "51: found \"1.0|206\\u{2}80001\\u{3}1.0\", expected a value, a decimal number",
    );
}

#[test]
fn common_features() {
    let check = |n, text: &str, want: &str| check(COMMON, n, text, want);
    let index = "expected the common feature index, 16 hexadecimal digits";
    check(4, "2c3d4e5f6071829g,1,101:13=1.0", &format!("1: found \"2c3d4e5f6071829g\", {index}"));
    check(
        4,
        "1b2c3d4e5f607182,1,101:13=1.0",
        "1: found index 1b2c3d4e5f607182 again (first in line 3), expected one line per common feature index",
    );
    check(
        4,
        "2c3d4e5f60718293,3,101:13=1.0;124:2401=1.0",
        "18: found the feature count 3, expected the number of entries in the list, 2",
    );
    check(
        4,
        "2c3d4e5f60718293,2,101:13=1.0;127_15:2401=1.0",
        "31: found field \"127_15\", expected a field of common_features_train.csv",
    );
    check(
        4,
        "2c3d4e5f60718293,2,101:13=1.0;205:70001=1.0",
        "31: found field \"205\", expected a field of common_features_train.csv",
    );
    check(4, "2c3d4e5f60718293,1,101:13=-", "27: found \"-\", expected a value, a decimal number");
    // A row that the impressions need.
    let message = message(&config(), COMMON, line(4, &list("2c3d4e5f60718294,1,101:13=1.0")));
    let want = "sample_skeleton_train.csv:7:7: found \"2c3d4e5f60718293\", expected an index that occurs in \
                common_features_train.csv";
    assert_eq!(message, want);
}

#[test]
fn scenarios() {
    // Line 4 of the test file is the third of its rows that are kept.
    check(
        TEST_SAMPLES,
        4,
        "4,0,0,f00dfeedf00dfeed,2,205:70002=1.0;301:300004=1.0",
        "40: found a fourth scenario, 300004, expected one of the scenarios 300001, 300002, 300003",
    );
    check(
        SAMPLES,
        8,
        "8,1,0,2c3d4e5f60718293,1,301:300009=1.0",
        "26: found a fourth scenario, 300009, expected one of the scenarios 300001, 300002, 300003",
    );
    let apart = "expected three scenarios with different numbers of rows, by which they are told apart";
    expect(
        SAMPLES,
        line(7, &list("7,0,0,2c3d4e5f60718293,1,301:300001=1.0")),
        &format!("1:1: found the scenarios 300001 (7 rows), 300002 (3 rows) in both files together, {apart}"),
    );
    expect(
        SAMPLES,
        line(4, &list("4,1,0,2c3d4e5f60718293,1,301:300003=1.0")),
        &format!(
            "1:1: found the scenarios 300001 (6 rows), 300003 (2 rows), 300002 (2 rows) in both files together, {apart}"
        ),
    );
}
