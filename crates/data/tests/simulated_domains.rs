//! Simulated Douban and Amazon: deterministic, of the official proportions, true to their probabilities, and such
//! that rich domains tell something about a cold one.
use crate::common::{Place, check_ids, ids, shipped};
use scenarec_data::simulate::{DoubanSplits, SimulateConfig, Simulator, simulate};
use scenarec_data::{
    Dataset, Override, Part, Provenance, best_auc, douban, prepare, split_statistics, statistics,
};
use std::collections::{HashMap, HashSet};

const DATASETS: [&str; 4] = ["douban", "douban-partial", "douban-raw", "amazon-5core"];

fn quick(name: &str) -> scenarec_data::Prepared {
    let place = Place::empty();
    let over = Override { rows: Some(20_000), force_simulated: true, split: None };
    prepare(&shipped(name), &place.roots, &over).unwrap()
}

#[test]
fn the_same_parameters_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let small = SimulateConfig { users: 300, items: 400, rows: 6000, seed: 7 };
    let layouts = [douban::Layout::Complete, douban::Layout::WithoutMovieTrain];
    let simulators = layouts.map(|layout| Simulator::DoubanSplits(DoubanSplits { layout }));
    for simulator in simulators.into_iter().chain([Simulator::DoubanRatings, Simulator::Amazon]) {
        let make = |name: &str, config| simulate(simulator, config, &folder.path().join(name)).unwrap().files;
        let first = make("a", small);
        assert_eq!(first, make("b", small));
        let other = make("c", SimulateConfig { seed: 8, ..small });
        assert!(first.iter().all(|(name, hash)| other[name] != *hash), "{simulator:?}");
        for name in ["a", "b", "c"] {
            std::fs::remove_dir_all(folder.path().join(name)).unwrap();
        }
    }
}

#[test]
fn quick_sizes_have_both_classes_everywhere() {
    for name in DATASETS {
        let p = quick(name);
        check_ids(&p.dataset);
        assert_eq!(p.dataset.provenance, Provenance::Simulated);
        for (part, s) in split_statistics(&p.dataset, &p.splits).unwrap() {
            for (of, scenario) in s.scenarios.iter().zip(&p.dataset.schema.scenarios) {
                let positives = (of.positive_rate[0] * of.rows as f64).round();
                println!("{name} {part} {scenario}: {positives} of {}", of.rows);
                assert!(positives >= 5.0 && of.rows as f64 - positives >= 5.0, "{name} {part} {scenario}");
            }
        }
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let check = |simulator: Simulator, users, items, rows| {
        simulator.check(SimulateConfig { users, items, rows, seed: 1 }).unwrap_err()
    };
    let douban = Simulator::DoubanRatings;
    assert_eq!(check(douban, 2719, 400, 6000), ("users", "2719 should be 40 to 2718".into()));
    assert_eq!(check(douban, 300, 21_910, 6000), ("items", "21910 should be 40 to 21909".into()));
    let (key, message) = check(douban, 300, 400, 500);
    assert!(key == "rows" && message.contains("which should have"), "{key}: {message}");
    assert_eq!(check(Simulator::Amazon, 99, 400, 6000).0, "users");
    assert_eq!(check(Simulator::Amazon, 5000, 400, 6000).0, "rows");
}

/// Labels follow their probabilities in each tenth of the rows, within 4.5 standard deviations.
fn check_labels(data: &Dataset) {
    let probability = data.click_probability.as_ref().unwrap();
    let mut rows: Vec<usize> = (0..data.rows()).collect();
    rows.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
    for tenth in rows.chunks(rows.len().div_ceil(10)) {
        let p = |r: &usize| f64::from(probability[*r]);
        let expected: f64 = tenth.iter().map(p).sum();
        let variance: f64 = tenth.iter().map(|r| p(r) * (1.0 - p(r))).sum();
        let clicks: f64 = tenth.iter().map(|r| f64::from(data.labels[0][*r])).sum();
        assert!((clicks - expected).abs() < 4.5 * variance.sqrt(), "{clicks} clicks, {expected} expected");
    }
}

/// The best attainable AUC of each scenario.
fn best(data: &Dataset) -> Vec<f64> {
    let probability = data.click_probability.as_ref().unwrap();
    let of = |scenario: usize| {
        let rows = (0..data.rows()).filter(|row| usize::from(data.scenario[*row]) == scenario);
        best_auc(&rows.map(|row| probability[row]).collect::<Vec<f32>>())
    };
    (0..data.schema.scenarios.len()).map(of).collect()
}

/// The mean over all rows of each user, and of each item, of what a row is more than its scenario's mean, shrunk
/// towards 0 where there are few rows. Only some rows count.
fn means(data: &Dataset, of: &str, counts: impl Fn(usize) -> bool) -> HashMap<u32, f64> {
    let rate: Vec<f64> = statistics(data).unwrap().scenarios.iter().map(|s| s.positive_rate[0]).collect();
    let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
    for row in (0..data.rows()).filter(|row| counts(*row)) {
        let entry = sums.entry(ids(data, of)[row]).or_default();
        entry.0 += f64::from(data.labels[0][row]) - rate[usize::from(data.scenario[row])];
        entry.1 += 1.0;
    }
    sums.into_iter().map(|(id, (sum, n))| (id, sum / (n + 5.0))).collect()
}

/// Expected AUC of scores on some rows: each counts as p positives and 1-p negatives.
fn expected_auc(scores: &[f64], probability: &[f64]) -> f64 {
    let (mut area, mut total) = (0.0, 0.0);
    for (a, p) in scores.iter().zip(probability) {
        for (b, q) in scores.iter().zip(probability) {
            let weight = p * (1.0 - q);
            total += weight;
            area += weight
                * if a > b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
        }
    }
    area / total
}

/// What users did in the rich domains predicts the cold domain's test rows; what they did in the cold one hardly
/// does.
fn check_transfer(data: &Dataset, part: &[Part], cold: u16, least: f64) {
    let probability = data.click_probability.as_ref().unwrap();
    let test: Vec<usize> =
        (0..data.rows()).filter(|row| data.scenario[*row] == cold && part[*row] == Part::Test).collect();
    let truth: Vec<f64> = test.iter().map(|row| f64::from(probability[*row])).collect();
    let auc = |counts: &dyn Fn(usize) -> bool| {
        let users = means(data, "user_id", |row| part[row] == Part::Train && counts(row));
        let score = |row: &usize| users.get(&ids(data, "user_id")[*row]).copied().unwrap_or(0.0);
        expected_auc(&test.iter().map(score).collect::<Vec<f64>>(), &truth)
    };
    let rich = auc(&|row| data.scenario[row] != cold);
    let own = auc(&|row| data.scenario[row] == cold);
    println!("{}: expected AUC by users' rich rows {rich:.3}, by their cold rows {own:.3}", data.name);
    assert!(rich > least && rich > own + 0.02, "{rich} {own}");
}

#[test]
fn simulated_douban_resembles_the_official_one() {
    let place = Place::empty();
    let p = place.prepare(&shipped("douban")).unwrap();
    let (data, s) = (&p.dataset, statistics(&p.dataset).unwrap());
    let sizes: Vec<_> = s.scenarios.iter().map(|s| (s.rows, s.users.unwrap())).collect();
    assert_eq!(sizes, [(3_123, 1_672), (96_041, 2_110), (1_133_420, 2_718)]);
    let parts = split_statistics(data, &p.splits).unwrap();
    let rows: Vec<Vec<usize>> =
        parts.iter().map(|(_, s)| s.scenarios.iter().map(|s| s.rows).collect()).collect();
    assert_eq!(rows, [[2_498, 76_832, 906_736], [312, 9_604, 113_342], [313, 9_605, 113_342]]);
    let users = |scenario: u16| -> HashSet<u32> {
        let rows = (0..data.rows()).filter(|row| data.scenario[*row] == scenario);
        rows.map(|row| ids(data, "user_id")[row]).collect()
    };
    assert_eq!(users(0).intersection(&users(1)).count(), 1_566);
    for (s, wanted) in s.scenarios.iter().zip([0.2171, 0.2794, 0.3909]) {
        let negatives = 1.0 - s.positive_rate[0];
        assert!((negatives - wanted).abs() < 0.025, "{negatives} instead of {wanted}");
    }
    // Music has few rows of an item, Movie many.
    let items: Vec<usize> = s.scenarios.iter().map(|s| s.items.unwrap()).collect();
    println!("items {items:?}, best attainable AUC {:.3?}", best(data));
    assert!((1_500..2_500).contains(&items[0]) && items[1] > 6_000 && items[2] > 9_400, "{items:?}");
    assert!(best(data).iter().all(|auc| (0.65..0.7).contains(auc)), "{:?}", best(data));
    check_labels(data);
    check_transfer(data, data.part.as_ref().unwrap(), 0, 0.57);
}

#[test]
fn simulated_ratings_are_a_whole_dataset_of_which_music_is_thinned() {
    let p = quick("douban-raw");
    let s = statistics(&p.dataset).unwrap();
    let music = &s.scenarios[0];
    assert!(music.rows > music.users.unwrap() && music.rows <= 2 * music.users.unwrap() + 1, "{music:?}");
    assert!(p.dataset.rows() < 20_000);
    assert_eq!(p.dataset.click_probability.as_ref().unwrap().len(), p.dataset.rows());
    check_labels(&p.dataset);
}

#[test]
fn simulated_amazon_resembles_the_official_one() {
    let place = Place::empty();
    let p = place.prepare(&shipped("amazon-5core")).unwrap();
    let (data, s) = (&p.dataset, statistics(&p.dataset).unwrap());
    let counts: Vec<_> = s.scenarios.iter().map(|s| (s.users.unwrap(), s.item_vocabulary.unwrap())).collect();
    assert_eq!(counts, [(39_387, 23_033), (22_363, 12_101), (38_609, 18_534)]);
    let table = |name: &str| data.schema.table(name).unwrap().1.rows;
    assert_eq!((table("user_id"), table("item_id")), (85_000, 52_000));
    assert_eq!((s.scenarios[0].rows, s.scenarios[2].rows), (278_677, 346_355));
    println!("{:?} rows of Beauty, best attainable AUC {:.3?}", s.scenarios[1].rows, best(data));
    assert!((55_000..70_000).contains(&s.scenarios[1].rows));
    for (s, wanted) in s.scenarios.iter().zip([0.2048, 0.2320, 0.1922]) {
        let negatives = 1.0 - s.positive_rate[0];
        assert!((negatives - wanted).abs() < 0.005, "{negatives} instead of {wanted}");
    }
    assert_eq!(s.time.unwrap().1, 1_406_073_600);
    for (name, s) in split_statistics(data, &p.splits).unwrap() {
        println!("{name}: {:?}", s.scenarios.iter().map(|s| s.rows).collect::<Vec<_>>());
    }
    // 5-cores, no pair twice.
    for scenario in [0, 2] {
        let rows: Vec<usize> = (0..data.rows()).filter(|row| data.scenario[*row] == scenario).collect();
        let mut pairs = HashSet::new();
        let (mut users, mut items): (HashMap<u32, usize>, HashMap<u32, usize>) = Default::default();
        for row in rows {
            let (user, item) = (ids(data, "user_id")[row], data.item_ids()[row]);
            assert!(pairs.insert((user, item)), "user {user} has item {item} twice");
            *users.entry(user).or_default() += 1;
            *items.entry(item).or_default() += 1;
        }
        assert!(users.values().chain(items.values()).all(|n| *n >= 5));
    }
    assert!(best(data).iter().all(|auc| (0.65..0.7).contains(auc)), "{:?}", best(data));
    check_labels(data);
}
