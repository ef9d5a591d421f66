//! The real files of Douban and Amazon against their sheets and against each other; as in `real`.
use crate::common::{Place, ids, shipped};
use crate::real::raw;
use scenarec_data::{
    Dataset, Loader, Override, Provenance, Roots, amazon, douban, prepare, split_statistics, statistics,
};
use std::collections::HashSet;
use std::path::Path;

fn load(name: &str, root: &Path) -> scenarec_data::Prepared {
    let cache = tempfile::tempdir().unwrap();
    let roots = Roots { raw: root.into(), cache: cache.path().into() };
    let start = std::time::Instant::now();
    let first = prepare(&shipped(name), &roots, &Override::default()).unwrap();
    let parsed = start.elapsed();
    let start = std::time::Instant::now();
    let p = prepare(&shipped(name), &roots, &Override::default()).unwrap();
    println!("{name}: parsed, cached and split in {parsed:.2?}, from the cache in {:.2?}", start.elapsed());
    assert_eq!(format!("{:?}", first.dataset), format!("{:?}", p.dataset));
    assert_eq!(first.splits, p.splits);
    p
}

/// Rows of each scenario in each part, and how many of them are negatives.
fn parts(p: &scenarec_data::Prepared) -> Vec<Vec<(usize, usize)>> {
    let of = |s: &scenarec_data::Statistics| {
        let negatives = (1.0 - s.positive_rate[0]) * s.rows as f64;
        (s.rows, negatives.round() as usize)
    };
    let parts = split_statistics(&p.dataset, &p.splits).unwrap();
    parts.iter().map(|(_, s)| s.scenarios.iter().map(of).collect()).collect()
}

/// User, item and label of the rows of a scenario.
fn rows(data: &Dataset, scenario: u16) -> HashSet<(u32, u32, u8)> {
    let rows = (0..data.rows()).filter(|row| data.scenario[*row] == scenario);
    rows.map(|row| (ids(data, "user_id")[row], data.item_ids()[row], data.labels[0][row])).collect()
}

#[test]
fn douban_without_movies_training_rows() {
    let Some(root) = raw("douban-splits/douban_movie_val.csv") else { return };
    let p = load("douban-partial", &root);
    assert_eq!(p.dataset.provenance, Provenance::Partial);
    assert!(p.dataset.note.starts_with("Movie has its released validation and test rows only"));
    assert_eq!(
        parts(&p),
        [
            [(2_498, 555), (76_832, 21_492), (102_008, 44_449 - 4_367)],
            [(312, 55), (9_604, 2_664), (11_334, 4_367)],
            [(313, 68), (9_605, 2_674), (113_342, 44_340)],
        ]
    );
    let s = statistics(&p.dataset).unwrap();
    let of = |s: &scenarec_data::Statistics| (s.rows, s.users.unwrap(), s.items.unwrap(), s.item_vocabulary);
    assert_eq!(
        s.scenarios.iter().map(of).collect::<Vec<_>>(),
        [
            (3_123, 1_672, 1_903, Some(5_567)),
            (96_041, 2_110, 6_777, Some(6_777)),
            (226_684, 2_647, 9_543, Some(9_565)),
        ]
    );
    let users = |scenario| rows(&p.dataset, scenario).iter().map(|row| row.0).collect::<HashSet<u32>>();
    assert_eq!(users(0).intersection(&users(1)).count(), 1_566);
}

#[test]
fn douban_as_a_whole() {
    let Some(root) = raw("douban-splits/douban_movie_val.csv") else { return };
    if raw("douban-splits/douban_movie_train.csv").is_none() {
        let place = Place::empty();
        let roots = Roots { raw: root, cache: place.roots.cache };
        let message = prepare(&shipped("douban"), &roots, &Override::default()).unwrap_err().to_string();
        assert!(message.contains("douban-splits: douban_movie_train.csv missing; the folder must hold"));
        return;
    }
    let p = load("douban", &root);
    assert_eq!((p.dataset.provenance, p.dataset.note.as_str()), (Provenance::Real, ""));
    let sizes: Vec<Vec<usize>> = parts(&p).iter().map(|part| part.iter().map(|s| s.0).collect()).collect();
    assert_eq!(sizes, [[2_498, 76_832, 906_736], [312, 9_604, 113_342], [313, 9_605, 113_342]]);
    let negatives = 100.0 - 100.0 * statistics(&p.dataset).unwrap().scenarios[2].positive_rate[0];
    assert!((negatives - 39.09).abs() < 0.005, "{negatives}");
}

#[test]
fn ratings_of_douban_are_what_the_released_files_are_made_of() {
    let Some(root) = raw("douban/douban_music/ratings.dat").filter(|r| r.join("douban-splits").exists())
    else {
        return;
    };
    // Movie's ratings may not be there; ten invented ones stand in for them.
    let place = Place::new();
    for domain in ["douban_music", "douban_book"] {
        let file = format!("douban/{domain}/ratings.dat");
        std::fs::remove_file(place.roots.raw.join(&file)).unwrap();
        std::fs::copy(root.join(&file), place.roots.raw.join(&file)).unwrap();
    }
    let p = place.prepare(&shipped("douban-raw")).unwrap();
    assert_eq!(p.dataset.provenance, Provenance::Approximated);
    assert_eq!(p.dataset.note, "the checksum of douban_movie/ratings.dat is not a known one");
    let s = statistics(&p.dataset).unwrap();
    let music = &s.scenarios[0];
    assert_eq!((music.rows, music.users, music.items), (3_123, Some(1_672), Some(1_903)));
    let sum =
        |domain: usize| parts(&p).iter().fold((0, 0), |n, part| (n.0 + part[domain].0, n.1 + part[domain].1));
    assert_eq!((sum(0), sum(1)), ((3_123, 678), (96_041, 26_830)));
    let sizes: Vec<[usize; 2]> = parts(&p).iter().map(|part| [part[0].0, part[1].0]).collect();
    assert_eq!(sizes, [[2_498, 76_832], [312, 9_604], [313, 9_605]]);

    let released = load("douban-partial", &root).dataset;
    for domain in [0, 1] {
        assert!(rows(&p.dataset, domain) == rows(&released, domain), "domain {domain}");
    }
    let mut whole = shipped("douban-raw");
    whole.loader = Loader::DoubanRatings(douban::ratings::Settings { thin: douban::Thin::None });
    let s = statistics(&place.prepare(&whole).unwrap().dataset).unwrap();
    assert_eq!((s.scenarios[0].rows, s.scenarios[0].items), (69_709, Some(5_567)));
    let negatives = 100.0 - 100.0 * s.scenarios[0].positive_rate[0];
    assert!((negatives - 25.43).abs() < 0.005, "{negatives}");
}

#[test]
fn reviews_of_amazon() {
    let file = "reviews_Health_and_Personal_Care_5.json.gz";
    let Some(root) = raw(&format!("amazon/{file}")) else { return };
    let place = Place::new();
    let folder = place.roots.raw.join("amazon-5core");
    std::fs::copy(root.join("amazon").join(file), folder.join(file)).unwrap();
    let data = place.prepare(&shipped("amazon-5core")).unwrap().dataset;
    let health = &statistics(&data).unwrap().scenarios[2];
    println!("Health: {health:?}");
    assert_eq!((health.rows, health.users, health.items), (3_726, Some(3_355), Some(163)));
    assert!(data.note.contains(&format!("{file} has 3726 lines, not 346355")), "{}", data.note);

    // Every time is the day that the line names, and some reviewers have no name.
    let mut text = String::new();
    let bytes = std::fs::File::open(root.join("amazon").join(file)).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(bytes), &mut text).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.iter().filter(|l| l.get("reviewerName").is_none()).count(), 24);
    let first = data.scenario.iter().position(|s| *s == 2).unwrap();
    for (line, time) in lines.iter().zip(&data.time.as_ref().unwrap()[first..]) {
        assert_eq!(line["unixReviewTime"], *time);
        let (day, year) = line["reviewTime"].as_str().unwrap().split_once(", ").unwrap();
        let (month, day) = day.split_once(' ').unwrap();
        let number = |text: &str| text.parse::<i64>().unwrap();
        assert_eq!(*time, 86_400 * days(number(year), number(month), number(day)));
    }
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month) } else { (year - 1, month + 12) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 + day - 719_469
}

#[test]
fn reviews_of_another_release_are_refused() {
    let Some(root) = raw("amazon/All_Beauty_5.json.gz") else { return };
    let place = Place::new();
    let file = "reviews_Beauty_5.json.gz";
    std::fs::copy(root.join("amazon/All_Beauty_5.json.gz"), place.roots.raw.join("amazon-5core").join(file))
        .unwrap();
    let message = place.prepare(&shipped("amazon-5core")).unwrap_err().to_string();
    assert!(message.contains(&format!("{file}:1:")) && message.contains("found \"1472688000\""), "{message}");
}

/// A copy with coded ids, a line per user, as ratings of five stars; times are `times`' or one day.
fn coded(root: &Path, items: &str, times: Option<&str>) -> String {
    let read = |name: &str| std::fs::read_to_string(root.join("amazon").join(name)).unwrap();
    let days = times.map(read);
    let mut days = days.iter().flat_map(|text| text.lines());
    let mut out = String::new();
    for row in read(items).lines() {
        let (user, items) = row.split_once(' ').unwrap();
        let mut days = days.next().map(|days| days.split(' ').skip(1));
        for item in items.split(' ') {
            let day = days.as_mut().map_or("1388880000", |days| days.next().unwrap());
            out += &format!("U{user},I{item},5.0,{day}\n");
        }
    }
    out
}

#[test]
fn beauty_is_thinned_to_the_published_number_of_rows() {
    let Some(root) = raw("amazon/Beauty_time_org_rank.txt") else { return };
    let place = Place::empty();
    let folder = place.roots.raw.join("amazon-5core");
    std::fs::create_dir(&folder).unwrap();
    let times = Some("Beauty_time_org_rank.txt");
    for (file, items, times) in [
        ("ratings_Clothing_Shoes_and_Jewelry.csv", "Clothing.txt", None),
        ("ratings_Beauty.csv", "Beauty_item_org_rank.txt", times),
        ("ratings_Health_and_Personal_Care.csv", "Health_and_Personal_Care.txt", None),
    ] {
        std::fs::write(folder.join(file), coded(&root, items, times)).unwrap();
    }
    let load = |thin| {
        let mut config = shipped("amazon-5core");
        let Loader::Amazon(settings) = &mut config.loader else { panic!("another loader") };
        settings.thin = thin;
        place.prepare(&config).unwrap()
    };
    let beauty = |p: &scenarec_data::Prepared| {
        parts(p).iter().map(|part| part.get(1).unwrap().0).collect::<Vec<usize>>()
    };
    let all = load(amazon::Thin::None);
    assert_eq!(beauty(&all), [156_649, 18_464, 23_389]);
    let counts: Vec<_> = statistics(&all.dataset)
        .unwrap()
        .scenarios
        .iter()
        .map(|s| (s.rows, s.users.unwrap(), s.items.unwrap()))
        .collect();
    assert_eq!(counts, [(278_677, 39_387, 23_033), (198_502, 22_363, 12_101), (346_355, 38_609, 18_534)]);

    let two = load(amazon::Thin::TwoPerPart);
    let s = statistics(&two.dataset).unwrap().scenarios.swap_remove(1);
    println!("two per part: {:?}, {} items of {:?}", beauty(&two), s.items.unwrap(), s.item_vocabulary);
    // 40,797 + 10,431 + 11,224, and a third row of a part's first user where there is one.
    assert_eq!((s.users, s.item_vocabulary), (Some(22_363), Some(12_101)));
    assert_eq!(beauty(&two), [40_797 + 1, 10_431 + 1, 11_224]);
    let three = load(amazon::Thin::ThreePerUser);
    assert_eq!(beauty(&three).iter().sum::<usize>(), 3 * 22_363);
}
