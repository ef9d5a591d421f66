//! The real files against their sheets; only where `SCENAREC_RAW` names a raw root that has them.
use crate::common::{Place, columns, ids, shipped};
use scenarec_data::movielens::{self, Layout};
use scenarec_data::{
    Dataset, DatasetConfig, Loader, Override, Provenance, RawFiles, Roots, Statistics, prepare,
    split_statistics, statistics,
};
use std::collections::HashSet;
use std::path::PathBuf;

/// The raw root, where it has this folder or file; else none and a line that says so.
pub fn raw(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SCENAREC_RAW").map(PathBuf::from);
    let found = root.filter(|r| r.join(path).exists());
    if found.is_none() {
        println!("skipped: no raw {path} (set SCENAREC_RAW to the folder that holds it)");
    }
    found
}

fn histogram(ratings: &[u8]) -> [usize; 5] {
    let mut h = [0; 5];
    ratings.iter().for_each(|r| h[usize::from(*r) - 1] += 1);
    h
}

/// Rows and items of each part.
fn check(
    dataset: &str,
    root: PathBuf,
    rows: usize,
    users: usize,
    items: usize,
    parts: [usize; 5],
    new: usize,
) {
    let cache = tempfile::tempdir().unwrap();
    let roots = Roots { raw: root, cache: cache.path().into() };
    let start = std::time::Instant::now();
    let first = prepare(&shipped(dataset), &roots, &Override::default()).unwrap();
    let parsed = start.elapsed();
    let start = std::time::Instant::now();
    let p = prepare(&shipped(dataset), &roots, &Override::default()).unwrap();
    println!(
        "{dataset}: parsed, cached and split in {parsed:.2?}, from the cache in {:.2?}",
        start.elapsed()
    );
    assert!(columns(&first.dataset) == columns(&p.dataset) && first.splits == p.splits);
    let s = statistics(&p.dataset).unwrap();
    assert_eq!((s.rows, s.users, s.items), (rows, Some(users), Some(items)));
    let of_parts = split_statistics(&p.dataset, &p.splits).unwrap();
    assert_eq!(of_parts.iter().take(5).map(|(_, s)| s.rows).collect::<Vec<_>>(), parts);
    for (name, s) in &of_parts[1..4] {
        assert_eq!(s.items, Some(new), "{name}");
    }
    println!("{dataset}: {}, {:?}, {s:?}", p.dataset.provenance, p.dataset.note);
    assert_ne!(p.dataset.provenance, Provenance::Simulated);
    if dataset == "movielens-1m-half-cold" {
        assert_eq!(p.dataset.provenance, Provenance::Partial);
        assert_eq!(p.dataset.note, "ratings of users 1-2999 only");
    }
    let table = |name: &str| p.dataset.schema.table(name).unwrap().1.rows;
    if dataset == "taobao-ad-cold" {
        let names = ["user_id", "item_id", "pid", "cate_id", "campaign_id", "customer", "brand", "cms_segid"];
        assert_eq!(names.map(table), [1_141_730, 846_812, 3, 6_770, 423_437, 255_876, 99_816, 99]);
        let names = ["cms_group_id", "final_gender_code", "age_level", "pvalue_level", "shopping_level"];
        assert_eq!(names.map(table), [15, 4, 9, 5, 5]);
        assert_eq!(["occupation", "new_user_class_level"].map(table), [4, 6]);
        assert_eq!(p.dataset.provenance, Provenance::Real);
    }
    if dataset == "movielens-1m-cold" {
        let names =
            ["user_id", "gender", "age", "occupation", "zip_code", "item_id", "year", "title", "genres"];
        assert_eq!(names.map(table), [6041, 2, 57, 21, 3439, 3953, 81, 4376, 19]);
        assert_eq!(s.positive_rate[0], 575_281.0 / 1_000_209.0);
    }
}

#[test]
fn tables_1m() {
    let Some(root) = raw("movielens-1m") else { return };
    let raw = RawFiles::read(&root.join("movielens-1m"), &Layout::M1.files()).unwrap();
    let start = std::time::Instant::now();
    let t = movielens::parse(Layout::M1, &raw).unwrap();
    let bytes: usize = Layout::M1.files().iter().map(|f| raw.file(f).bytes.len()).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "parsed {:.1} MB in {:.1} ms: {:.0} MB/s",
        bytes as f64 / 1e6,
        seconds * 1e3,
        bytes as f64 / 1e6 / seconds
    );
    assert_eq!(t.ratings.rows(), 1_000_209);
    assert_eq!(histogram(&t.ratings.rating), [56_174, 107_557, 261_197, 348_971, 226_310]);
    assert_eq!(t.users.id.len(), 6040);
    assert_eq!(t.users.gender.iter().filter(|g| **g == 0).count(), 1709);
    let ages = movielens::AGE_GROUPS.map(|a| t.users.age.iter().filter(|x| **x == a).count());
    assert_eq!(ages, [222, 1103, 2096, 1193, 550, 496, 380]);
    assert_eq!(t.users.zip.iter().filter(|z| z.len() != 5).count(), 81);
    assert_eq!(t.movies.id.len(), 3883);
    assert!(t.movies.title[72].contains('\u{e9}'), "line 73 holds the first letter beyond ASCII");
    let genres: std::collections::BTreeSet<u8> = t.movies.genres.iter().flatten().copied().collect();
    assert_eq!(genres.len(), 18);
}

#[test]
fn cold_1m() {
    let Some(root) = raw("movielens-1m") else { return };
    let parts = [854_530, 19_440, 19_440, 19_440, 58_409];
    check("movielens-1m-cold", root, 1_000_209, 6040, 3706, parts, 972);
}

#[test]
fn cold_1m_half() {
    let Some(root) = raw("movielens-1m-half") else { return };
    let parts = [324_415, 21_740, 21_740, 21_740, 61_105];
    check("movielens-1m-half-cold", root, 487_650, 2999, 3615, parts, 1087);
}

#[test]
fn cold_100k() {
    let Some(root) = raw("movielens-100k") else { return };
    let parts = [83_215, 2_195, 2_195, 2_195, 6_746];
    check("movielens-100k-cold", root, 100_000, 943, 1682, parts, 439);
}

#[test]
fn cold_taobao() {
    let Some(root) = raw("taobao-ad/raw_sample.csv") else { return };
    let parts = [3_592_047, 270_500, 270_500, 270_500, 109_712];
    check("taobao-ad-cold", root, 26_557_961, 1_141_729, 846_811, parts, 541);
}

/// Rows, distinct users, and rows of each domain.
fn part(s: &Statistics) -> (usize, usize, [usize; 3]) {
    (s.rows, s.users.unwrap(), [0, 1, 2].map(|d| s.scenarios[d].rows))
}

#[test]
fn by_age() {
    let Some(root) = raw("movielens-1m") else { return };
    let cache = tempfile::tempdir().unwrap();
    let roots = Roots { raw: root, cache: cache.path().into() };
    let load = |name| prepare(&shipped(name), &roots, &Override::default()).unwrap();

    let p = load("movielens-1m-age");
    assert_eq!((p.dataset.provenance, p.dataset.note.as_str()), (Provenance::Real, ""));
    let tables = p.dataset.schema.tables.iter().map(|t| t.rows).collect::<Vec<_>>();
    assert_eq!(tables, [6040, 3706, 2, 21, 3439, 18, 3]);
    // Table 1 of M3oE.
    let s = statistics(&p.dataset).unwrap();
    let domains =
        s.scenarios.iter().map(|s| (s.users.unwrap(), s.items.unwrap(), s.rows)).collect::<Vec<_>>();
    assert_eq!(domains, [(1325, 3429, 210_747), (2096, 3508, 395_556), (2619, 3595, 393_906)]);
    assert_eq!((s.rows, s.users, s.items), (1_000_209, Some(6040), Some(3706)));
    assert_eq!(s.positive_rate, [575_281.0 / 1_000_209.0, 226_310.0 / 1_000_209.0]);
    let parts = split_statistics(&p.dataset, &p.splits).unwrap();
    assert_eq!(parts.iter().map(|p| p.1.rows).collect::<Vec<_>>(), [800_167, 100_021, 100_021]);

    let joined = load("movielens-1m-age-joined");
    assert_eq!(statistics(&joined.dataset).unwrap(), s);
    let parts = split_statistics(&joined.dataset, &joined.splits).unwrap();
    let parts: Vec<_> = parts.iter().map(|(name, s)| (name.as_str(), part(s))).collect();
    assert_eq!(
        parts,
        [
            ("train", (800_167, 3713, [168_391, 324_049, 307_727])),
            ("valid", (100_021, 762, [20_854, 40_199, 38_968])),
            ("test", (100_021, 1567, [21_502, 31_308, 47_211])),
        ]
    );
}

/// KuaiRand-Pure with these tabs and features.
fn kuairand(tabs: &[u8], features: &[&str]) -> DatasetConfig {
    let mut config = shipped("kuairand-pure");
    let Loader::KuaiRand(settings) = &mut config.loader else { panic!("another loader") };
    settings.tabs = tabs.to_vec();
    settings.features = features.iter().map(|f| f.to_string()).collect();
    config
}

/// How many users or videos, which the field `of` numbers, have number 0 (missing) in `field`.
fn missing(data: &Dataset, of: &str, field: &str) -> usize {
    let rows = ids(data, of).iter().zip(ids(data, field));
    rows.filter(|(_, code)| **code == 0).map(|(id, _)| id).collect::<HashSet<_>>().len()
}

#[test]
fn tables_of_kuairand() {
    let Some(root) = raw("kuairand-pure/user_features_pure.csv") else { return };
    // The tables alone, with simulated logs in which every user and every video occurs.
    let place = Place::empty();
    let folder = place.roots.raw.join("kuairand-pure");
    std::fs::create_dir(&folder).unwrap();
    for file in ["user_features_pure.csv", "video_features_basic_pure.csv"] {
        std::fs::copy(root.join("kuairand-pure").join(file), folder.join(file)).unwrap();
    }
    let encrypted: Vec<String> = (0..18).map(|i| format!("onehot_feat{i}")).collect();
    let mut features =
        vec!["user_id", "item_id", "user_active_degree", "is_live_streamer", "is_video_author"];
    let ranges =
        ["follow_user_num_range", "fans_user_num_range", "friend_user_num_range", "register_days_range"];
    features.extend(ranges);
    features.extend(["author_id", "video_type", "upload_type", "music_id", "music_type", "tag", "duration"]);
    features.extend(encrypted.iter().map(String::as_str));
    let over = Override { rows: Some(1_000_000), ..Override::default() };
    let data = prepare(&kuairand(&[0, 1, 4], &features), &place.roots, &over).unwrap().dataset;
    assert!(
        data.note.starts_with("simulated: logs over the real user and video tables, 1000000 rows"),
        "{}",
        data.note
    );
    let sizes: Vec<usize> = data.schema.tables.iter().map(|t| t.rows).collect();
    assert_eq!(sizes[..2], [27_285, 7_583]);
    // One more each than there are values: nine degrees of activity.
    assert_eq!(sizes[2..9], [10, 2, 3, 9, 10, 8, 9]);
    assert_eq!(sizes[9..14], [6_511, 4, 15, 7_203, 6]);
    assert_eq!(sizes[16..], [3, 8, 51, 1472, 16, 35, 4, 119, 455, 8, 6, 6, 3, 3, 3, 3, 3, 3]);
    let of_users = |field| missing(&data, "user_id", field);
    assert_eq!(["user_active_degree", "is_live_streamer"].map(of_users), [0, 21_127]);
    assert_eq!(
        ["onehot_feat3", "onehot_feat4", "onehot_feat12", "onehot_feat17"].map(of_users),
        [0, 874, 714, 714]
    );
    let of_videos = |field| missing(&data, "item_id", field);
    assert_eq!(
        ["author_id", "music_id", "music_type", "tag", "duration"].map(of_videos),
        [0, 0, 203, 96, 239]
    );
}

#[test]
fn some_rows_of_kuairand() {
    let file = "kuairand-1k-head/log_random_4_22_to_5_08_1k.csv";
    let Some(root) = raw(file).filter(|r| r.join("kuairand-pure/user_features_pure.csv").exists()) else {
        return;
    };
    // They stand in for Pure's random log: users and videos of the random logs have the same numbers in all versions.
    let place = Place::new();
    let folder = place.roots.raw.join("kuairand-pure");
    std::fs::copy(root.join(file), folder.join("log_random_4_22_to_5_08_pure.csv")).unwrap();
    for file in ["user_features_pure.csv", "video_features_basic_pure.csv"] {
        std::fs::remove_file(folder.join(file)).unwrap();
        std::fs::copy(root.join("kuairand-pure").join(file), folder.join(file)).unwrap();
    }
    let all: Vec<u8> = (0..15).collect();
    let data = place.prepare(&kuairand(&all, &["user_id", "item_id", "is_rand", "hour"])).unwrap().dataset;
    assert_eq!(data.rows(), 226 + 6);
    assert_eq!(ids(&data, "is_rand").iter().filter(|r| **r == 1).count(), 226);
    assert_eq!(data.provenance, Provenance::Approximated);
    assert!(data.note.contains("has 227 lines, not 1186060"), "{}", data.note);
}

#[test]
fn logs_of_kuairand() {
    let Some(root) = raw("kuairand-pure/log_random_4_22_to_5_08_pure.csv") else { return };
    let cache = tempfile::tempdir().unwrap();
    let roots = Roots { raw: root, cache: cache.path().into() };
    let over = Override::default();
    let data = prepare(&shipped("kuairand-pure"), &roots, &over).unwrap().dataset;
    assert_eq!((data.provenance, data.note.as_str()), (Provenance::Real, ""));
    // Table 1 of M3oE.
    let s = statistics(&data).unwrap();
    let domains =
        s.scenarios.iter().map(|s| (s.users.unwrap(), s.items.unwrap(), s.rows)).collect::<Vec<_>>();
    assert_eq!(domains, [(15_398, 6_233, 178_087), (27_049, 7_580, 2_236_414), (11_809, 4_633, 93_165)]);

    let all: Vec<u8> = (0..15).collect();
    let data = prepare(&kuairand(&all, &["user_id", "item_id", "is_rand"]), &roots, &over).unwrap().dataset;
    let counts = |is_rand: u32| {
        let rows: Vec<usize> = (0..data.rows()).filter(|r| ids(&data, "is_rand")[*r] == is_rand).collect();
        let positive = |task: usize| rows.iter().filter(|r| data.labels[task][**r] == 1).count();
        let tabs =
            (0..15).map(|t| rows.iter().filter(|r| data.scenario[**r] == t).count()).collect::<Vec<_>>();
        (rows.len(), positive(0), positive(1), tabs)
    };
    let tabs =
        [178_087, 1_058_389, 48_364, 4_014, 93_165, 4_169, 42_785, 504, 3_909, 444, 152, 725, 1_472, 399, 31];
    assert_eq!(counts(0), (1_436_609, 660_342, 476_724, tabs.to_vec()));
    let tabs = [0, 1_178_025, 764, 0, 0, 0, 0, 0, 0, 0, 0, 6_755, 0, 0, 515];
    assert_eq!(counts(1), (1_186_059, 208_934, 100_769, tabs.to_vec()));
}
