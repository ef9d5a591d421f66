//! Ali-CCP: the fixtures value by value, and what dataset files may say.
use crate::common::{Place, check_ids, ids, shipped, tables};
use crate::real::raw;
use scenarec_data::{
    AliCcpBehaviours, Column, Combinations, Dataset, DatasetConfig, Kind, Loader, Override, Part, Pooling,
    Provenance, Role, Roots, Sequence, ali_ccp, prepare, split_statistics, statistics,
};
use std::path::Path;

fn text(keys: &str) -> String {
    format!(
        "dataset: fixture\nloader: ali_ccp\nraw: ali-ccp\n{keys}\nprovenance: approximated\n\
         known_files: [{{ file: sample_skeleton_test.csv, lines: 5, provenance: real }}]\n\
         split: {{ plan: given }}\nsimulate: {{ users: 200, items: 500, rows: 20000, seed: 1 }}\n"
    )
}

pub fn config_with(keys: &str) -> DatasetConfig {
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text(keys)).unwrap()
}

pub fn config() -> DatasetConfig {
    config_with("min_count: 2\ncombinations: id_and_value\nper_channel: 2\nhistory_value: true")
}

fn sequence<'a>(data: &'a Dataset, name: &str) -> &'a Sequence {
    match data.column(name) {
        Some(Column::Sequence(s)) => s,
        other => panic!("{name}: {other:?}"),
    }
}

/// Every row's behaviours.
pub fn behaviours(data: &Dataset, name: &str) -> Vec<Vec<u32>> {
    let Sequence { spans, tokens } = sequence(data, name);
    let ends = spans.start.iter().zip(&spans.end);
    ends.map(|(start, end)| tokens.values[*start as usize..*end as usize].to_vec()).collect()
}

#[test]
fn fields() {
    let place = Place::new();
    let data = place.prepare(&config()).unwrap().dataset;
    check_ids(&data);
    assert_eq!(
        tables(&data),
        [
            ("user_id", 3),
            ("profile_category", 2),
            ("profile_group", 2),
            ("gender", 2),
            ("age", 2),
            ("consumption_1", 2),
            ("consumption_2", 2),
            ("employed", 2),
            ("geography", 2),
            ("item_id", 3),
            ("category", 3),
            ("shop", 3),
            ("intention", 3),
            ("brand", 3),
            ("combo_category", 2),
            ("combo_category.value", 11),
            ("combo_shop", 1),
            ("combo_shop.value", 11),
            ("combo_brand", 1),
            ("combo_brand.value", 11),
            ("combo_intention", 1),
            ("combo_intention.value", 11),
            ("scenario", 3),
            ("history", 3),
            ("channel", 4),
            ("history_value", 10),
        ]
    );
    let of = |name| (data.schema.field(name).unwrap().1.role, data.schema.field(name).unwrap().1.kind);
    assert_eq!(of("user_id"), (Role::User, Kind::Id));
    assert_eq!(of("brand"), (Role::Item, Kind::Id));
    assert_eq!(of("intention"), (Role::Item, Kind::Bag(Pooling::Mean)));
    assert_eq!(of("combo_shop"), (Role::Context, Kind::Id));
    assert_eq!(of("combo_shop.value"), (Role::Context, Kind::Id));
    assert_eq!(of("scenario"), (Role::Scenario, Kind::Id));
    for name in ["behaviours.id", "behaviours.channel", "behaviours.value"] {
        assert_eq!(of(name), (Role::User, Kind::Sequence { max_len: 8 }));
    }
    assert_eq!(data.schema.tasks, ["click"]);
    assert_eq!(data.schema.scenarios, ["B1", "B2", "B3"]);
}

#[test]
fn values() {
    let place = Place::new();
    let data = place.prepare(&config()).unwrap().dataset;
    // The third row of either file has a purchase without a click. The fourth that is kept is in the validation part, and what
    // only it, test rows or rows that are left out have is number 0.
    use Part::{Test, Train, Valid};
    assert_eq!(data.part.as_ref().unwrap()[..6], [Train, Train, Train, Valid, Train, Train]);
    assert_eq!(data.part.as_ref().unwrap()[6..], [Train, Test, Test, Test]);
    assert_eq!(data.labels, [[0, 1, 0, 1, 0, 0, 1, 0, 1, 0]]);
    assert_eq!(data.scenario, [2, 2, 0, 2, 2, 1, 0, 2, 0, 2]);
    assert_eq!(data.session.as_ref().unwrap(), &[0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(data.time, None);
    let all = [
        ("user_id", [1, 1, 1, 0, 1, 2, 2, 0, 2, 2]), // Users 11, 13; user 12 validates and tests.
        ("gender", [1, 1, 0, 0, 0, 1, 1, 1, 0, 0]),
        ("consumption_1", [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("consumption_2", [1, 1, 1, 0, 1, 0, 0, 0, 0, 0]), // 127, not 127_14.
        ("item_id", [1, 2, 1, 0, 1, 2, 0, 0, 1, 2]),
        ("category", [1, 1, 2, 1, 1, 2, 0, 1, 2, 0]),
        ("shop", [1, 2, 1, 0, 2, 0, 1, 1, 0, 0]),
        ("brand", [1, 0, 1, 0, 2, 0, 2, 0, 1, 0]),
        ("combo_category", [1, 0, 1, 0, 0, 0, 0, 1, 0, 0]),
        ("combo_category.value", [5, 0, 10, 10, 0, 0, 0, 10, 0, 0]),
        ("combo_shop.value", [0; 10]),
        ("combo_brand", [0; 10]),
        ("combo_brand.value", [0, 0, 0, 1, 10, 0, 0, 1, 0, 0]),
        ("combo_intention.value", [0, 10, 0, 0, 0, 0, 0, 0, 0, 0]), // Of two the larger value.
        ("scenario", [2, 2, 0, 2, 2, 1, 0, 2, 0, 2]),
    ];
    for (name, values) in all {
        assert_eq!(ids(&data, name), values, "{name}");
    }
    let bags = Column::Ragged {
        offsets: vec![0, 2, 3, 3, 4, 6, 6, 7, 9, 9, 9],
        values: vec![1, 2, 1, 2, 2, 1, 1, 0, 1],
        weights: None,
    };
    assert_eq!(data.column("intention"), Some(&bags));
}

#[test]
fn behaviours_are_the_entries_of_the_largest_values() {
    let place = Place::new();
    let data = place.prepare(&config()).unwrap().dataset;
    // Of every history field two, the larger value first, of equal ones the one that stands first. Test rows have those of the
    // test file, also where the training file has the same index.
    let id = [[0, 1, 2, 0, 0, 0].as_slice(), &[1, 0, 2, 0], &[0, 0, 0], &[], &[0], &[0, 0]];
    let channel = [[0, 0, 1, 2, 3, 3].as_slice(), &[0, 0, 1, 2], &[0, 2, 3], &[], &[0], &[3, 3]];
    let value = [[8, 2, 6, 9, 3, 0].as_slice(), &[7, 6, 2, 6], &[7, 2, 8], &[], &[9], &[7, 6]];
    let of_row = [0, 0, 1, 2, 1, 3, 3, 4, 5, 5];
    for (name, lists) in [("behaviours.id", id), ("behaviours.channel", channel), ("behaviours.value", value)]
    {
        assert_eq!(behaviours(&data, name), of_row.map(|i| lists[i].to_vec()), "{name}");
    }
    // Rows that share them share the tokens.
    let s = sequence(&data, "behaviours.id");
    assert_eq!(s.tokens.len(), 16);
    assert_eq!((s.spans.start[0], s.spans.end[0]), (s.spans.start[1], s.spans.end[1]));
}

#[test]
fn what_the_keys_do() {
    let place = Place::new();
    let plain = config_with("min_count: 1\ncombinations: id\nper_channel: 1\nhistory_value: false");
    let data = place.prepare(&plain).unwrap().dataset;
    check_ids(&data);
    assert!(data.schema.field("behaviours.value").is_none() && data.schema.table("history_value").is_none());
    assert!(!data.schema.fields.iter().any(|f| f.name.ends_with(".value")));
    assert_eq!(data.schema.field("behaviours.id").unwrap().1.kind, Kind::Sequence { max_len: 4 });
    assert_eq!(behaviours(&data, "behaviours.channel")[0], [0, 1, 2, 3]);
    // With every id of a training row: 70003 validates and tests only.
    assert_eq!(data.item_ids(), [1, 2, 1, 0, 1, 2, 3, 0, 1, 2]);
    assert_eq!(ids(&data, "combo_intention"), [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(data.schema.table("history").unwrap().1.rows, 7);

    let bare = config_with("min_count: 1\ncombinations: none\nper_channel: 1\nhistory_value: false");
    let bare = place.prepare(&bare).unwrap().dataset;
    check_ids(&bare);
    assert!(!bare.schema.fields.iter().any(|f| f.name.starts_with("combo")));
    assert_eq!(bare.schema.fields.len() + 4, data.schema.fields.len());
}

#[test]
fn clicks_as_behaviours() {
    let place = Place::new();
    let keys = "min_count: 1\ncombinations: id\nmax_len: 5";
    let clicks = text(keys).replace("loader: ali_ccp", "loader: ali_ccp_clicks");
    let clicks = DatasetConfig::from_text(Path::new("fixture.yaml"), &clicks).unwrap();
    let data = place.prepare(&clicks).unwrap().dataset;
    check_ids(&data);
    // Row 1 is user 11's click, row 6 user 13's, who has test rows; row 3 is user 12's and validates.
    let none = Vec::new;
    let item = [none(), none(), vec![2], none(), vec![2], none(), none(), none(), vec![3], vec![3]];
    assert_eq!(behaviours(&data, "behaviours.item_id"), item);
    let field = data.schema.field("behaviours.shop").unwrap().1;
    assert_eq!((field.table.as_deref(), field.kind), (Some("shop"), Kind::Sequence { max_len: 5 }));
    assert!(data.schema.table("history").is_none());
}

#[test]
fn statistics_parts_and_provenance() {
    let place = Place::new();
    let p = place.prepare(&config()).unwrap();
    let s = statistics(&p.dataset).unwrap();
    assert_eq!((s.rows, s.users, s.items), (10, Some(3), Some(3)));
    assert_eq!(s.scenarios.iter().map(|s| s.rows).collect::<Vec<_>>(), [3, 1, 6]);
    let parts: Vec<usize> =
        split_statistics(&p.dataset, &p.splits).unwrap().iter().map(|(_, s)| s.rows).collect();
    assert_eq!(parts, [6, 1, 3]);
    assert_eq!(p.dataset.provenance, Provenance::Approximated);
    assert_eq!(p.dataset.note, "sample_skeleton_test.csv has 4 lines, not 5");
    // From the cache.
    let again = place.prepare(&config()).unwrap();
    assert_eq!(format!("{:?}", again.dataset), format!("{:?}", p.dataset));
    assert_eq!(again.splits, p.splits);
    // Another content is another dataset.
    let path = place.roots.raw.join("ali-ccp/sample_skeleton_test.csv");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"5,1,0,f00dfeedf00dfeed,1,301\x02300001\x031.0\n");
    std::fs::write(&path, bytes).unwrap();
    let other = place.prepare(&config()).unwrap().dataset;
    assert_ne!(other.fingerprint, p.dataset.fingerprint);
    assert_eq!((other.rows(), other.provenance, other.note.as_str()), (11, Provenance::Real, ""));
}

#[test]
fn training_rows_do_not_depend_on_test_rows() {
    let place = Place::new();
    let before = place.prepare(&config()).unwrap().dataset;
    // One test row, of ids that are known and ids that are not.
    let row = "5,1,0,f00dfeedf00dfeed,2,301\x02300001\x031.0\x01216\x02777\x031.0\n";
    std::fs::write(place.roots.raw.join("ali-ccp/sample_skeleton_test.csv"), row).unwrap();
    let after = place.prepare(&config()).unwrap().dataset;
    assert_ne!(before.rows(), after.rows());
    assert_eq!(tables(&before), tables(&after));
    // Six training rows, and one that validates among them.
    let first = |data: &Dataset, name: &str| match data.column(name).unwrap() {
        Column::Id(v) => format!("{:?}", &v[..7]),
        Column::Real(v) => format!("{:?}", &v[..7]),
        Column::Ragged { offsets, values, .. } => {
            format!("{:?} {:?}", &offsets[..8], &values[..offsets[7] as usize])
        }
        Column::Sequence(_) => format!("{:?}", &behaviours(data, name)[..7]),
    };
    for field in &before.schema.fields {
        assert_eq!(first(&before, &field.name), first(&after, &field.name), "{}", field.name);
    }
}

#[test]
fn what_a_dataset_file_may_say() {
    let message =
        |keys: &str| DatasetConfig::from_text(Path::new("x.yaml"), &text(keys)).unwrap_err().to_string();
    assert_eq!(
        message("min_count: 2\nper_channel: 2\ncombinations: none"),
        "x.yaml:2:1: loader: this loader needs the key history_value"
    );
    let with = |keys: &str| message(&format!("combinations: id\nhistory_value: true\n{keys}"));
    assert_eq!(
        with("min_count: 0\nper_channel: 2"),
        "x.yaml:6:1: min_count: 0 should be a number of occurrences"
    );
    assert_eq!(
        with("min_count: 1\nper_channel: 0"),
        "x.yaml:7:1: per_channel: 0 should be 1 to 1000 behaviours"
    );
    assert_eq!(
        with("min_count: 1\nper_channel: 1\nmax_len: 4"),
        "x.yaml:8:1: max_len: this loader has no such key"
    );
    let shipped = shipped("ali-ccp");
    let unknown = message("min_count: 1\nper_channel: 1\nhistory_value: true\ncombinations: all");
    assert!(
        unknown.starts_with("x.yaml:7:15: combinations: unknown variant `all`, expected one of"),
        "{unknown}"
    );
    let clicks = |keys: &str| {
        let text = text(keys).replace("loader: ali_ccp", "loader: ali_ccp_clicks");
        DatasetConfig::from_text(Path::new("x.yaml"), &text).unwrap_err().to_string()
    };
    assert_eq!(
        clicks("min_count: 1\ncombinations: none\nmax_len: 0"),
        "x.yaml:6:1: max_len: 0 should be a number of behaviours"
    );
    assert_eq!(
        clicks("min_count: 1\ncombinations: none\nmax_len: 5\nper_channel: 3"),
        "x.yaml:7:1: per_channel: this loader has no such key"
    );
    let wanted = Loader::AliCcp(ali_ccp::Settings {
        min_count: 10,
        combinations: Combinations::IdAndValue,
        behaviours: AliCcpBehaviours::Histories { per_channel: 12, value: true },
    });
    assert_eq!((shipped.loader, shipped.reported_as.as_deref()), (wanted, Some("Ali-CCP")));
}

#[test]
fn the_real_files() {
    let Some(root) = raw("ali-ccp/sample_skeleton_train.csv") else { return };
    let cache = tempfile::tempdir().unwrap();
    let roots = Roots { raw: root, cache: cache.path().into() };
    let data = prepare(&shipped("ali-ccp"), &roots, &Override::default()).unwrap().dataset;
    assert_eq!((data.provenance, data.note.as_str()), (Provenance::Real, ""));
    let s = statistics(&data).unwrap();
    println!("{s:?}");
    // SFPNet, Table 2: impressions and clicks. Users and items are counted after another rule there.
    assert_eq!(s.rows, 85_316_519);
    assert_eq!(s.scenarios.iter().map(|s| s.rows).collect::<Vec<_>>(), [32_236_951, 639_897, 52_439_671]);
    let clicks = s.scenarios.iter().map(|s| (s.positive_rate[0] * s.rows as f64).round() as usize);
    assert_eq!(clicks.collect::<Vec<_>>(), [1_291_063, 28_022, 1_998_618]);
    let train = data.part.as_ref().unwrap().iter().filter(|part| **part != Part::Test).count();
    assert_eq!(train, 42_300_135 - 230);
}
