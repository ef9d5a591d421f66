//! KuaiRand: fixtures value by value, broken files, and what dataset files may say.
use crate::common::{Place, check_ids, ids, line, message, shipped, tables};
use scenarec_data::{Column, DatasetConfig, Kind, Loader, Pooling, Role, statistics};
use std::path::Path;

pub const LOGS: [&str; 3] = [
    "log_standard_4_08_to_4_21_pure.csv",
    "log_standard_4_22_to_5_08_pure.csv",
    "log_random_4_22_to_5_08_pure.csv",
];
pub const USERS: &str = "user_features_pure.csv";
pub const VIDEOS: &str = "video_features_basic_pure.csv";

fn text(tabs: &str, features: &str) -> String {
    format!(
        "dataset: fixture\nloader: kuairand\nlayout: pure\nraw: kuairand-pure\ntabs: {tabs}\n\
         features: {features}\nprovenance: approximated\n\
         split: {{ plan: by_position, train: 0.5, valid: 0.25, test: 0.25 }}\n\
         simulate: {{ users: 60, items: 50, rows: 1500, seed: 1 }}\nfitted_on: all\n"
    )
}

fn config_with(tabs: &str, features: &str) -> DatasetConfig {
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text(tabs, features)).unwrap()
}

pub fn config() -> DatasetConfig {
    let user = "user_active_degree, is_live_streamer, follow_user_num_range, onehot_feat4, onehot_feat12";
    let video = "author_id, video_type, music_id, music_type, duration, tag, tags";
    config_with("[0, 1, 4]", &format!("[user_id, item_id, domain, hour, is_rand, {user}, {video}]"))
}

#[test]
fn values() {
    let place = Place::new();
    let data = place.prepare(&config()).unwrap().dataset;
    check_ids(&data);
    // Rows of tabs 2 and 11 are left out; user 20 and video 120 occur in them only.
    assert_eq!(ids(&data, "user_id"), [0, 1, 1, 2, 0, 1, 2]); // 7 3 3 11 7 3 11
    assert_eq!(data.item_ids(), [0, 1, 2, 1, 1, 0, 2]); // 80 77 91 77 77 80 91
    assert_eq!(ids(&data, "domain"), [1, 0, 2, 1, 0, 1, 1]);
    assert_eq!(data.scenario, [1, 0, 2, 1, 0, 1, 1]);
    assert_eq!(data.schema.scenarios.join(" "), "1 2 3");
    assert_eq!(ids(&data, "hour"), [9, 23, 10, 0, 13, 18, 23]);
    assert_eq!(ids(&data, "is_rand"), [0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(data.schema.tasks.join(" "), "click long_view");
    assert_eq!(data.labels, [[1, 0, 1, 1, 1, 0, 1], [1, 0, 1, 0, 1, 0, 0]]);
    assert_eq!(data.time.as_ref().unwrap()[..2], [1_649_638_812_345, 1_649_690_101_222]);
    assert_eq!(
        tables(&data),
        [
            ("user_id", 3),
            ("item_id", 3),
            ("domain", 3),
            ("hour", 24),
            ("is_rand", 2),
            ("user_active_degree", 3), // UNKNOWN, full_active, and the number 0 for a missing value.
            ("is_live_streamer", 2),
            ("follow_user_num_range", 4),
            ("onehot_feat4", 3),
            ("onehot_feat12", 3),
            ("author_id", 3),
            ("video_type", 3),
            ("music_id", 3),
            ("music_type", 3),
            ("duration", 11),
            ("tag", 2),
            ("tags", 3),
        ]
    );
    let of_users = |name| [0, 1, 3].map(|row| ids(&data, name)[row]); // Users 7, 3, 11.
    assert_eq!(of_users("user_active_degree"), [1, 2, 2]);
    assert_eq!(of_users("is_live_streamer"), [1, 0, 0]); // -124 is unknown.
    assert_eq!(of_users("follow_user_num_range"), [1, 2, 3]);
    assert_eq!(of_users("onehot_feat4"), [0, 1, 2]); // Empty, 6.0, 0.0.
    assert_eq!(of_users("onehot_feat12"), [0, 1, 2]);
    let of_videos = |name| [0, 1, 2].map(|row| ids(&data, name)[row]); // Videos 80, 77, 91.
    assert_eq!(of_videos("author_id"), [1, 1, 2]);
    assert_eq!(of_videos("video_type"), [1, 2, 2]);
    assert_eq!(of_videos("music_id"), [1, 2, 2]); // 0 is a number like any other.
    assert_eq!(of_videos("music_type"), [0, 1, 2]);
    assert_eq!(of_videos("duration"), [0, 7, 1]); // Unknown, 61.2 s, 6.9 s.
    assert_eq!(of_videos("tag"), [1, 1, 0]); // 39; 39 and 8; none.
    let bags = Column::Ragged {
        offsets: vec![0, 1, 3, 3, 5, 7, 8, 8],
        values: vec![1, 1, 2, 1, 2, 1, 2, 1],
        weights: None,
    };
    assert_eq!(data.column("tags"), Some(&bags));
    assert_eq!(data.schema.field("tags").unwrap().1.kind, Kind::Bag(Pooling::Mean));
    let role = |name| data.schema.field(name).unwrap().1.role;
    assert_eq!(
        ["user_id", "domain", "hour", "onehot_feat4", "tag"].map(role),
        [Role::User, Role::Scenario, Role::Context, Role::User, Role::Item]
    );
    let counts: Vec<_> = statistics(&data)
        .unwrap()
        .scenarios
        .iter()
        .map(|s| (s.users.unwrap(), s.items.unwrap(), s.rows))
        .collect();
    assert_eq!(counts, [(2, 1, 2), (3, 3, 4), (1, 1, 1)]);
}

#[test]
fn tabs_are_scenarios_in_the_given_order() {
    let place = Place::new();
    let data = place.prepare(&config_with("[11, 1, 2]", "[item_id, domain, user_id]")).unwrap().dataset;
    assert_eq!(data.scenario, [1, 2, 1, 1, 0, 1]);
    let names: Vec<&str> = data.schema.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["item_id", "domain", "user_id"]);
    assert_eq!(ids(&data, "user_id"), [0, 1, 2, 1, 3, 2]);
}

#[test]
fn what_a_dataset_file_may_say() {
    let message = |tabs, features: &str| {
        DatasetConfig::from_text(Path::new("x.yaml"), &text(tabs, features)).unwrap_err().to_string()
    };
    for outcome in [
        "is_click",
        "is_like",
        "is_follow",
        "is_comment",
        "is_forward",
        "is_hate",
        "long_view",
        "play_time_ms",
        "profile_stay_time",
        "comment_stay_time",
        "is_profile_enter",
    ] {
        assert_eq!(
            message("[0, 1, 4]", &format!("[user_id, item_id, {outcome}]")),
            format!(
                "x.yaml:6:1: features: {outcome} is an outcome of the row that is to be predicted, so it can never \
                 be a feature"
            )
        );
    }
    let features = |list| message("[0, 1, 4]", list);
    let unknown = features("[user_id, item_id, follow_user_num]");
    assert!(
        unknown.starts_with(
            "x.yaml:6:1: features: \"follow_user_num\" is none of the features user_id, item_id, domain, hour, \
             is_rand, duration, tag, tags, user_active_degree,"
        ),
        "{unknown}"
    );
    assert_eq!(features("[user_id, item_id, hour, hour]"), "x.yaml:6:1: features: hour is there twice");
    assert_eq!(features("[user_id, hour]"), "x.yaml:6:1: features: item_id should be among the features");
    let tabs = |list| message(list, "[user_id, item_id]");
    assert_eq!(tabs("[0, 15]"), "x.yaml:5:1: tabs: 15 should be a tab, 0 to 14");
    assert_eq!(tabs("[1, 0, 1]"), "x.yaml:5:1: tabs: 1 is there twice");
    assert_eq!(tabs("[]"), "x.yaml:5:1: tabs: there should be at least one tab");
    let other = |from: &str, to: &str| {
        let text = text("[0]", "[user_id, item_id]").replace(from, to);
        DatasetConfig::from_text(Path::new("x.yaml"), &text).unwrap_err().to_string()
    };
    assert_eq!(
        other("layout: pure", "layout: 1m"),
        "x.yaml:3:9: layout: unknown variant `1m`, expected one of `pure`, `1k`, `27k`"
    );
    assert_eq!(other("tabs: [0]\n", ""), "x.yaml:2:1: loader: this loader needs the key tabs");
    assert_eq!(
        other("rows: 1500", "rows: 999"),
        "x.yaml:9:35: simulate.rows: 999 should be 1000 to 4294967295: at least 3 per user and video"
    );
}

#[test]
fn shipped_features_are_the_same_in_all_layouts() {
    let loader = |name| features_and_tabs(&shipped(name));
    let [pure, k1, k27] = ["kuairand-pure", "kuairand-1k", "kuairand-27k"].map(loader);
    assert_eq!((pure.0.len(), &pure), (35, &k1));
    assert_eq!(pure, k27);
}

fn features_and_tabs(config: &DatasetConfig) -> (Vec<String>, Vec<u8>) {
    match &config.loader {
        Loader::KuaiRand(settings) => (settings.features.clone(), settings.tabs.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn broken_files_are_named_with_line_and_column() {
    let c = config();
    let log = LOGS[0];
    let says = |file: &str, n: usize, text: &str| message(&c, file, line(n, text));
    let good = "7,80,20220411,900,1649638812345,1,0,0,0,0,0,1,24120,0,0,0,0,0,1";
    let with = |from: &str, to: &str| says(log, 2, &good.replacen(from, to, 1));
    for (found, expected) in [
        (with("7,80", "8,80"), ":2:1: found \"8\", expected an id that occurs in user_features_pure.csv"),
        (
            with("7,80", "7,81"),
            ":2:3: found \"81\", expected an id that occurs in video_features_basic_pure.csv",
        ),
        (
            with("20220411", "20220409x"),
            ":2:6: found \"20220409x\", expected the date, YYYYMMDD, a whole number from 20220408 to 20220508",
        ),
        (with("20220411", "20220509"), ":2:6: found \"20220509\""),
        (
            with("900", "2400"),
            ":2:15: found \"2400\", expected hourmin, the hour times 100, a whole number from 0 to 2359",
        ),
        (
            with("1649638812345", "1649638812"),
            ":2:19: found \"1649638812\", expected the time in milliseconds since 1970",
        ),
        (
            with(",1,0,0,0,0,0,1,", ",2,0,0,0,0,0,1,"),
            ":2:33: found \"2\", expected is_click, a whole number from 0 to 1",
        ),
        (with(",1,0,0,0,0,0,1,", ",1,0,0,0,0,0,,"), ":2:45: found an empty field, expected long_view"),
        (with("24120", "24.5"), ":2:47: found \"24.5\", expected play_time_ms, a whole number"),
        (
            says(log, 2, &format!("{good}5")),
            ":2:63: found \"15\", expected the tab, a whole number from 0 to 14",
        ),
        (
            says(log, 2, &format!("{good},9")),
            ":2:65: found an extra field, \"9\", expected the end of the line after the tab",
        ),
        (says(log, 1, "user_id,item_id"), ":1:9: found \"item_id\", expected the header's column video_id"),
    ] {
        let place = format!("{log}{expected}");
        assert!(found.starts_with(&place), "{found}\n{place}");
    }
    let user = "7,UNKNOWN,0,1,0,0,0,0,0,0,0,900,730+,1,0,2,5,,0,0,1,3,6,3,0,,,,,,";
    let with = |from: &str, to: &str| says(USERS, 3, &user.replacen(from, to, 1));
    for (found, expected) in [
        (with("7,", "3,"), ":3:1: found user 3 again (first in line 2), expected one line per user"),
        (with(",0,1,", ",0,2,"), ":3:13: found \"2\", expected is_live_streamer: 0, 1, or -124 for unknown"),
        (with("900", "nine"), ":3:29: found \"nine\", expected register_days, a whole number"),
        (
            with("730+", "\"730+"),
            ":3:33: found \"\\\"730+,1,0,2,5,,0,0,1,3,6,3,0,,,,,,\", expected a field whose quotes close at its end",
        ),
        (
            with("5,,", "5,1.5,"),
            ":3:46: found \"1.5\", expected onehot_feat4, a whole number with or without \".0\", or nothing",
        ),
        (with(",,,,,,", ",,,,"), ":3:64: found the end of the line, expected onehot_feat16"),
    ] {
        let place = format!("{USERS}{expected}");
        assert!(found.starts_with(&place), "{found}\n{place}");
    }
    let video = "77,1204,NORMAL,2022-04-10,ShortImport,0.0,61200.0,720.0,1280.0,9170219100,9.0,\"39,8\"";
    let with = |from: &str, to: &str| says(VIDEOS, 2, &video.replacen(from, to, 1));
    for (found, expected) in [
        (
            with("\"39,8\"", "39,8"),
            ":2:82: found an extra field, \"8\", expected the end of the line after the tags",
        ),
        (
            with("39,8", "39,,8"),
            ":2:79: found \"39,,8\", expected up to 255 tags, whole numbers with commas between them, or nothing",
        ),
        (
            with("61200.0", "-1"),
            ":2:43: found \"-1\", expected the length in milliseconds, a decimal number from 0, or nothing",
        ),
        (
            with("9170219100", "91702191000000000000"),
            ":2:64: found \"91702191000000000000\", expected music_id",
        ),
        (
            with("NORMAL", "NOR MAL"),
            ":2:9: found \"NOR MAL\", expected video_type, in visible ASCII characters",
        ),
    ] {
        let place = format!("{VIDEOS}{expected}");
        assert!(found.starts_with(&place), "{found}\n{place}");
    }
}
