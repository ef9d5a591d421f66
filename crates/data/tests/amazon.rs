//! Amazon reviews: fixtures value by value, the ways to thin, the kinds of files, broken files.
use crate::common::{Place, check_ids, ids, line, message, shipped, tables};
use flate2::write::GzEncoder;
use scenarec_data::{Dataset, DatasetConfig, Loader, Prepared, Provenance, amazon, identify, statistics};
use std::io::Write;
use std::path::Path;

const FILES: [&str; 3] = [
    "reviews_Clothing_Shoes_and_Jewelry_5.json",
    "reviews_Beauty_5.json",
    "reviews_Health_and_Personal_Care_5.json",
];

fn text(thin: &str) -> String {
    format!(
        "dataset: fixture\nloader: amazon\nraw: amazon-5core\nthin: {thin}\nvalid_from: 1393632000\n\
         test_from: 1398902400\nprovenance: approximated\nsplit: {{ plan: given }}\n\
         simulate: {{ users: 500, items: 400, rows: 6000, seed: 1 }}\nfitted_on: all\n"
    )
}

fn config(thin: &str) -> DatasetConfig {
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text(thin)).unwrap()
}

/// Users and items of the rows of Beauty.
fn beauty(data: &Dataset) -> Vec<(u32, u32)> {
    let rows = (0..data.rows()).filter(|row| data.scenario[*row] == 1);
    rows.map(|row| (ids(data, "user_id")[row], data.item_ids()[row])).collect()
}

#[test]
fn values() {
    let place = Place::new();
    let Prepared { dataset: data, splits } = place.prepare(&config("two_per_part")).unwrap();
    check_ids(&data);
    // Numbers go on from file to file; Beauty's users B C D A are 1 2 3 0, its items 0 and 3 to 10.
    assert_eq!(tables(&data), [("domain", 3), ("user_id", 4), ("item_id", 13)]);
    assert_eq!(data.schema.scenarios, ["clothing", "beauty", "health"]);
    assert_eq!(ids(&data, "domain"), [[0; 5].to_vec(), [1; 10].to_vec(), [2; 4].to_vec()].concat());
    assert_eq!(ids(&data, "user_id"), [0, 1, 0, 2, 2, 1, 3, 1, 1, 3, 3, 0, 0, 2, 2, 3, 3, 0, 0]);
    assert_eq!(data.item_ids(), [0, 0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 7, 9, 9, 10, 3, 11, 11, 12]);
    assert_eq!(data.labels[0], [1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1]);
    assert_eq!(data.time.as_ref().unwrap()[..3], [1_357_344_000, 1_393_632_000, 1_398_902_400]);
    // 28 February trains, 1 March and 30 April validate, 1 May tests.
    assert_eq!(splits.get("train").unwrap(), [0, 4, 5, 6, 7, 8, 9, 15, 18]);
    assert_eq!(splits.get("valid").unwrap(), [1, 3, 10, 11, 12, 16]);
    assert_eq!(splits.get("test").unwrap(), [2, 13, 14, 17]);

    let s = statistics(&data).unwrap();
    let of = |s: &scenarec_data::Statistics| (s.rows, s.users, s.items, s.item_vocabulary);
    assert_eq!(
        s.scenarios.iter().map(of).collect::<Vec<_>>(),
        [(5, Some(3), Some(3), Some(3)), (10, Some(4), Some(7), Some(9)), (4, Some(2), Some(3), Some(3)),]
    );
    assert_eq!(s.time, Some((1_265_155_200, 1_406_073_600)));
    let again = place.prepare(&config("two_per_part")).unwrap();
    assert_eq!(place.cached().len(), 1);
    assert_eq!(format!("{data:?}"), format!("{:?}", again.dataset));
    assert_eq!(splits, again.splits);
}

#[test]
fn ways_to_thin() {
    let place = Place::new();
    let rows = |thin| place.prepare(&config(thin)).unwrap().dataset;
    // Of user A (0) one row more than two per part: the earlier of 2 March.
    let (three, none) = (rows("three_per_user"), rows("none"));
    assert_eq!(
        beauty(&three),
        [(1, 3), (3, 3), (1, 4), (1, 5), (3, 6), (3, 7), (0, 7), (0, 8), (0, 9), (2, 9), (2, 10)]
    );
    assert_eq!((none.rows(), beauty(&none).len()), (22, 13));
    assert_eq!(none.item_vocabulary, three.item_vocabulary);
    assert_eq!(tables(&none), tables(&three));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn kinds_of_files() {
    let place = Place::new();
    let folder = place.roots.raw.join("amazon-5core");
    let load = || place.prepare(&config("two_per_part")).unwrap().dataset;
    let json = load();
    for name in FILES {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        std::fs::write(folder.join(format!("{name}.gz")), gzip(&bytes)).unwrap();
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    assert_eq!(load().fingerprint, json.fingerprint, "it is the same content");

    // Ratings do not count where there are reviews, and do where there are none.
    let csv = "AINVENTED00333,B00INVENT9,1.0,1406073600\nA3ZZINVENTED22,0099123450,5.0,1341100800\n";
    std::fs::write(folder.join("ratings_Beauty.csv"), csv).unwrap();
    assert_eq!(load().fingerprint, json.fingerprint);
    std::fs::remove_file(folder.join("reviews_Beauty_5.json.gz")).unwrap();
    let mut config = config("none");
    config.split = scenarec_data::SplitPlan::ByPosition { train: 0.5, valid: 0.0, test: 0.5 };
    let ratings = place.prepare(&config).unwrap().dataset;
    assert_eq!((beauty(&ratings), &ratings.labels[0][5..7]), (vec![(2, 3), (1, 0)], &[0, 1][..]));

    std::fs::remove_file(folder.join("ratings_Beauty.csv")).unwrap();
    let missing = place.prepare(&config).unwrap_err().to_string();
    assert!(
        missing.contains("amazon-5core: reviews_Beauty_5.json.gz missing; the folder must hold"),
        "{missing}"
    );
    assert!(
        missing.ends_with(", each .json.gz file also as .json, or ratings_<category>.csv in its place"),
        "{missing}"
    );
}

#[test]
fn a_compressed_file_that_is_cut_or_damaged() {
    let file = format!("{}.gz", FILES[0]);
    // Long enough that lines come out before the cut.
    let row = std::fs::read_to_string(Place::new().roots.raw.join("amazon-5core").join(FILES[0])).unwrap();
    let whole = gzip(row.repeat(4000).as_bytes());
    let says = |bytes: &[u8]| {
        let place = Place::new();
        let folder = place.roots.raw.join("amazon-5core");
        std::fs::write(folder.join(&file), bytes).unwrap();
        let message = place.prepare(&config("none")).unwrap_err().to_string();
        message.strip_prefix(&format!("{}/{file}:", folder.display())).unwrap().to_string()
    };
    let place = |message: &str| {
        let mut numbers = message.split(':').map(|n| n.parse::<usize>());
        (numbers.next().unwrap().unwrap(), numbers.next().unwrap().unwrap())
    };
    for cut in [whole.len() / 2, whole.len() - 4] {
        let message = says(&whole[..cut]);
        let (line, column) = place(&message);
        assert!(line > 1 && column >= 1 && line <= 20_001, "{message}");
        assert!(message.contains(": found compressed data that end or break here ("), "{message}");
        assert!(message.ends_with("), expected a whole gzip file"), "{message}");
    }
    let mut damaged = whole.clone();
    damaged[whole.len() - 6] ^= 1; // The checksum.
    assert!(says(&damaged).contains("found compressed data that end or break here ("));
    assert!(says(&[]).starts_with("1:1: found "));
    assert!(says(b"plain text\n").starts_with("1:1: found compressed data that end or break here ("));
}

#[test]
fn broken_reviews_are_named_with_line_and_column() {
    let file = FILES[1];
    let good = r#"{"reviewerID": "A0QX7INVENTED1", "asin": "B00INVENT2", "overall": 4.0, "unixReviewTime": 1388880000}"#;
    let says = |from: &str, to: &str| message(&config("none"), file, line(3, &good.replacen(from, to, 1)));
    let review = "expected one JSON object with the keys reviewerID, asin, overall and unixReviewTime";
    let rating = "expected a rating of 1, 2, 3, 4 or 5, with or without \".0\"";
    let time =
        "expected a time in seconds since 1970, a multiple of 86400 (whole days) up to 1406764800 (July 2014";
    let user = "expected the user's id, letters and digits";
    for (found, expected) in [
        (
            says("\"overall\": 4.0, ", ""),
            format!("84: found no such object (missing field `overall`), {review}"),
        ),
        (says("asin", "Asin"), format!("100: found no such object (missing field `asin`), {review}")),
        (
            says("\"asin\"", "\"asin\": \"x\", \"asin\""),
            format!("52: found no such object (duplicate field `asin`), {review}"),
        ),
        (
            says("1388880000}", "1388880000"),
            format!("99: found no such object (EOF while parsing an object), {review}"),
        ),
        (
            says("1388880000}", "1388880000}}"),
            format!("101: found no such object (trailing characters), {review}"),
        ),
        (says("4.0", "9.0"), format!("67: found \"9.0\", {rating}")),
        (says("4.0", "0"), format!("67: found \"0\", {rating}")),
        (says("4.0", "3.5"), format!("67: found \"3.5\", {rating}")),
        (says("4.0", "\"4.0\""), format!("67: found \"\\\"4.0\\\"\", {rating}")),
        (says("1388880000", "1388880001"), format!("90: found \"1388880001\", {time}")),
        (says("1388880000", "1388880000000"), format!("90: found \"1388880000000\", {time}")),
        (says("1388880000", "1472688000"), format!("90: found \"1472688000\", {time}")), // The release of 2018.
        (says("1388880000", "-86400"), format!("90: found \"-86400\", {time}")),
        (says("A0QX7INVENTED1", "A0QX7 INVENTED"), format!("16: found \"\\\"A0QX7 INVENTED\\\"\", {user}")),
        (says("\"A0QX7INVENTED1\"", "17"), format!("16: found \"17\", {user}")),
        (says("\"A0QX7INVENTED1\"", "\"\""), format!("16: found \"\\\"\\\"\", {user}")),
        (
            says("B00INVENT2", "B00\\u0041"),
            "42: found \"\\\"B00\\\\u0041\\\"\", expected the item's id (asin)".into(),
        ),
        (says(good, ""), format!("1: found no such object (EOF while parsing a value), {review}")),
        (
            says(good, "[]"),
            format!(
                "2: found no such object (invalid length 0, expected struct Keys with 4 elements), {review}"
            ),
        ),
        (says("INVENTED1", "INVENTED\u{e9}"), format!("30: found bytes that are no UTF-8, {review}")),
        (
            says(good, "[\"A1\", \"B1\", 4.0, 1388880000]"),
            format!("29: found a line that ends in \"]\", {review}"),
        ),
        (says("1388880000}", "1388880000} "), format!("101: found a line that ends in \" \", {review}")),
        (says("1388880000}", "1388880000}\r"), "101: found a carriage return".into()),
    ] {
        let expected = format!("{file}:3:{expected}");
        assert!(found.starts_with(&expected), "{found}\n{expected}");
    }
}

#[test]
fn broken_ratings_are_named_with_line_and_column() {
    let file = "ratings_Beauty.csv";
    let says = |text: &str| {
        let place = Place::new();
        let folder = place.roots.raw.join("amazon-5core");
        std::fs::remove_file(folder.join(FILES[1])).unwrap();
        std::fs::write(folder.join(file), format!("A1,B1,5.0,1388880000\n{text}\n")).unwrap();
        let message = place.prepare(&config("none")).unwrap_err().to_string();
        message.strip_prefix(&format!("{}/{file}:2:", folder.display())).unwrap().to_string()
    };
    for (text, expected) in [
        ("A1,B1,9.0,1388880000", "7: found \"9.0\", expected a rating"),
        ("A1,B1,5.0,1388880001", "11: found \"1388880001\", expected a time"),
        ("A1,B1,5.0", "10: found the end of the line, expected the time of the rating"),
        (
            "A1,B1,5.0,1388880000,1",
            "22: found an extra field, \"1\", expected the end of the line after the time",
        ),
        ("A1,B 1,5.0,1388880000", "4: found \"B 1\", expected the item's id (asin), letters and digits"),
        (",B1,5.0,1388880000", "1: found an empty field, expected the user's id"),
    ] {
        assert!(says(text).starts_with(expected), "{}\n{expected}", says(text));
    }
}

#[test]
fn what_a_dataset_file_may_say() {
    let message = |from: &str, to: &str| {
        let text = text("none").replace(from, to);
        DatasetConfig::from_text(Path::new("x.yaml"), &text).unwrap_err().to_string()
    };
    assert_eq!(
        message("thin: none", "thin: first_two"),
        "x.yaml:4:7: thin: unknown variant `first_two`, expected one of `two_per_part`, `three_per_user`, `none`"
    );
    assert!(message("thin: none", "thin: all").starts_with("x.yaml:4:7: thin: unknown variant `all`"));
    assert_eq!(message("thin: none\n", ""), "x.yaml:2:1: loader: this loader needs the key thin");
    assert_eq!(
        message("1393632000", "1393632001"),
        "x.yaml:5:1: valid_from: 1393632001 should be the start of a day, a multiple of 86400"
    );
    assert_eq!(
        message("1398902400", "1393632000"),
        "x.yaml:6:1: test_from: 1393632000 should be later than valid_from (1393632000)"
    );
    assert_eq!(
        message("rows: 6000", "rows: 900"),
        "x.yaml:9:37: simulate.rows: 900 leave 305 for clothing, which should have 1160 to 5133: at least 5 per user \
         and item"
    );
}

#[test]
fn the_shipped_file_knows_what_is_no_5_core() {
    let config = shipped("amazon-5core");
    let (valid_from, test_from) = (1_393_632_000, 1_398_902_400);
    let thin = amazon::Thin::TwoPerPart;
    assert_eq!(config.loader, Loader::Amazon(amazon::Settings { thin, valid_from, test_from }));
    let place = Place::new();
    let known = identify(&config, &place.roots, &Default::default()).unwrap();
    assert_eq!(known.provenance, Provenance::Approximated);
    assert!(known.note.contains("reviews_Beauty_5.json has 13 lines, not 198502"), "{}", known.note);
}
