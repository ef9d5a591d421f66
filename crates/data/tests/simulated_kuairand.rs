//! KuaiRand: simulated logs over given tables, and simulated as a whole.
use crate::common::{Place, check_ids, ids, shipped};
use crate::kuairand::{LOGS, USERS, VIDEOS, config};
use scenarec_data::simulate::SimulateConfig;
use scenarec_data::{
    DatasetConfig, Error, Override, Provenance, SplitPlan, best_auc, identify, prepare, split_statistics,
    statistics,
};
use std::collections::HashMap;

fn remove(place: &Place, files: &[&str]) {
    files.iter().for_each(|f| std::fs::remove_file(place.roots.raw.join("kuairand-pure").join(f)).unwrap());
}

#[test]
fn logs_are_simulated_over_given_tables_only_where_there_is_none() {
    let place = Place::new();
    remove(&place, &LOGS[..1]);
    let message = place.prepare(&config()).unwrap_err().to_string();
    assert!(
        message.contains("log_standard_4_08_to_4_21_pure.csv missing; the folder must hold"),
        "{message}"
    );
    assert!(
        message.ends_with(
            "or the tables user_features_pure.csv and video_features_basic_pure.csv and nothing else"
        ),
        "{message}"
    );
    remove(&place, &LOGS[1..]);
    let small = config();
    let wrong =
        place.prepare(&DatasetConfig { simulate: SimulateConfig { rows: 10, ..small.simulate }, ..small });
    assert!(matches!(wrong, Err(Error::Override { .. })), "{wrong:?}");
    let p = place.prepare(&config());
    // Four users and four videos are fewer than the simulator takes.
    assert!(p.unwrap_err().to_string().contains("simulate with users: 4 should be 10 to"));

    remove(&place, &[USERS]);
    let message = place.prepare(&config()).unwrap_err().to_string();
    assert!(message.contains("user_features_pure.csv missing"), "{message}");
}

#[test]
fn simulated_logs_over_tables() {
    // Tables of a simulated dataset serve as given ones.
    let (made, place) = (Place::empty(), Place::empty());
    made.prepare(&config()).unwrap();
    let folder =
        std::fs::read_dir(made.roots.cache.join("simulated")).unwrap().next().unwrap().unwrap().path();
    let raw = place.roots.raw.join("kuairand-pure");
    std::fs::create_dir(&raw).unwrap();
    for file in [USERS, VIDEOS] {
        std::fs::copy(folder.join(file), raw.join(file)).unwrap();
    }
    let p = place.prepare(&config()).unwrap();
    assert_eq!(p.dataset.provenance, Provenance::Simulated);
    assert_eq!(
        p.dataset.note,
        "simulated: logs over the approximated user and video tables, 1500 rows, 60 users, 50 videos, seed 1"
    );
    let identity = identify(&config(), &place.roots, &Override::default()).unwrap();
    assert_eq!(identity.fingerprint, p.dataset.fingerprint);
    let again = place.prepare(&config()).unwrap();
    assert_eq!(format!("{:?}", again.dataset), format!("{:?}", p.dataset));
    let rows = Override { rows: Some(3000), ..Override::default() };
    let more = prepare(&config(), &place.roots, &rows).unwrap().dataset;
    assert!(more.rows() > 2700 && more.note.contains("3000 rows, 60 users"), "{}", more.note);
    // Other tables are another dataset.
    let users = std::fs::read_to_string(raw.join(USERS)).unwrap().replacen("high_active", "low_active", 1);
    std::fs::write(raw.join(USERS), users).unwrap();
    let other = place.prepare(&config()).unwrap().dataset;
    assert_ne!(other.fingerprint, p.dataset.fingerprint);
    assert_ne!(other.labels, p.dataset.labels);
    // A quick run does not depend on what is there.
    let forced = Override { force_simulated: true, ..Override::default() };
    assert_eq!(
        prepare(&config(), &place.roots, &forced).unwrap().dataset.note,
        "simulated: 1500 rows, 60 users, 50 items, seed 1"
    );
}

#[test]
fn quick_sizes_have_both_classes_everywhere() {
    for name in ["kuairand-pure", "kuairand-1k", "kuairand-27k"] {
        let place = Place::empty();
        let over = Override { rows: Some(20_000), force_simulated: true, split: None };
        let p = prepare(&shipped(name), &place.roots, &over).unwrap();
        check_ids(&p.dataset);
        assert!((18_800..19_400).contains(&p.dataset.rows()), "{}", p.dataset.rows());
        for (part, s) in split_statistics(&p.dataset, &p.splits).unwrap() {
            for (scenario, of) in s.scenarios.iter().enumerate() {
                for rate in &of.positive_rate {
                    let positives = rate * of.rows as f64;
                    println!("{name} {part} {scenario}: {positives} of {}", of.rows);
                    assert!(
                        positives >= 5.0 && of.rows as f64 - positives >= 5.0,
                        "{name} {part} {scenario}"
                    );
                }
            }
        }
    }
}

#[test]
fn simulated_logs_resemble_the_official_ones() {
    let place = Place::empty();
    let p = place.prepare(&DatasetConfig {
        split: SplitPlan::ByPosition { train: 0.8, valid: 0.1, test: 0.1 },
        ..shipped("kuairand-pure")
    });
    let data = p.unwrap().dataset;
    let s = statistics(&data).unwrap();
    let near = |found: f64, wanted: f64, tolerance: f64| {
        assert!((found - wanted).abs() < tolerance, "{found} instead of {wanted}");
    };
    let share = |d: usize| s.scenarios[d].rows as f64 / s.rows as f64;
    near(share(0), 0.0710, 0.003);
    near(share(1), 0.8918, 0.003);
    near(share(2), 0.0372, 0.002);
    near(s.rows as f64, 250_767.0, 500.0);
    assert_eq!((s.users, s.items), (Some(8628), Some(2398)));
    // 9 April to 8 May 2022 in China.
    let (first, last) = s.time.unwrap();
    assert!(first >= 1_649_433_600_000 && last < 1_652_025_600_000, "{first} {last}");
    assert!(data.schema.table("user_active_degree").unwrap().1.rows <= 10);
    assert_eq!(data.schema.table("onehot_feat12").unwrap().1.rows, 3);

    // Rates of the logs as files, whose rows are in the order of the probabilities.
    let folder =
        std::fs::read_dir(place.roots.cache.join("simulated")).unwrap().next().unwrap().unwrap().path();
    let rates = |logs: &[&str]| {
        let texts: Vec<String> =
            logs.iter().map(|log| std::fs::read_to_string(folder.join(log)).unwrap()).collect();
        let rows: Vec<Vec<&str>> =
            texts.iter().flat_map(|t| t.lines().skip(1)).map(|l| l.split(',').collect()).collect();
        let share = |holds: &dyn Fn(&[&str]) -> bool| {
            rows.iter().filter(|r| holds(r)).count() as f64 / rows.len() as f64
        };
        assert!(rows.iter().all(|r| r[3].parse::<u32>().unwrap().is_multiple_of(100)));
        (
            rows.len() as f64,
            [
                share(&|r| r[5] == "1"),
                share(&|r| r[11] == "1"),
                share(&|r| r[11] == "1" && r[5] == "0"),
                share(&|r| r[18] == "1"),
                share(&|r| r[13] == "0"),
            ],
        )
    };
    let (standard, of_standard) = rates(&LOGS[..2]);
    let (random, of_random) = rates(&LOGS[2..]);
    near(standard / 10.0, 14_366.0, 1.0);
    near(random / 10.0, 11_861.0, 1.0);
    for (found, wanted) in of_standard.into_iter().zip([0.4597, 0.3318, 0.0108, 0.7367, 0.0315]) {
        near(found, wanted, 0.012);
    }
    for (found, wanted) in of_random.into_iter().zip([0.1762, 0.0850, 0.0082, 0.9932, 0.0311]) {
        near(found, wanted, 0.012);
    }
    // Labels follow their probabilities in each tenth of the rows, within 4.5 standard deviations.
    let probability = data.click_probability.as_ref().unwrap();
    let mut rows: Vec<usize> = (0..data.rows()).collect();
    rows.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
    for tenth in rows.chunks(rows.len() / 10) {
        let p = |r: &usize| f64::from(probability[*r]);
        let expected: f64 = tenth.iter().map(p).sum();
        let variance: f64 = tenth.iter().map(|r| p(r) * (1.0 - p(r))).sum();
        let clicks: f64 = tenth.iter().map(|r| f64::from(data.labels[0][*r])).sum();
        assert!((clicks - expected).abs() < 4.5 * variance.sqrt(), "{clicks} clicks, {expected} expected");
    }
    // What is in the tables tells something: values that are frequent differ in their mean probability.
    for field in ["tag", "duration", "author_id", "upload_type", "user_active_degree", "onehot_feat1"] {
        let mut of: HashMap<u32, (f64, f64)> = HashMap::new();
        for (value, p) in ids(&data, field).iter().zip(probability) {
            let (sum, n) = of.entry(*value).or_default();
            (*sum, *n) = (*sum + f64::from(*p), *n + 1.0);
        }
        let means: Vec<f64> = of.values().filter(|(_, n)| *n >= 500.0).map(|(sum, n)| sum / n).collect();
        let (low, high) = means.iter().fold((1.0, 0.0), |(l, h): (f64, f64), m| (l.min(*m), h.max(*m)));
        println!("{field}: {low:.3} to {high:.3} over {} values", means.len());
        assert!(high - low > 0.03, "{field}");
    }
    let auc = best_auc(probability);
    assert!((0.7..0.88).contains(&auc), "{auc}");
}

#[test]
fn more_than_fits_is_refused() {
    let place = Place::empty();
    let folder = place.roots.raw.join("kuairand-27k");
    std::fs::create_dir(&folder).unwrap();
    let sparse =
        |name: &str, bytes: u64| std::fs::File::create(folder.join(name)).unwrap().set_len(bytes).unwrap();
    // Forty times the official size, of which nothing is written: no machine has the memory.
    sparse("log_standard_4_08_to_4_21_27k_part1.csv", 1 << 40);
    let message = place.prepare(&shipped("kuairand-27k")).unwrap_err().to_string();
    assert!(
        message.contains("1100 GB of raw files need about") && message.ends_with("GiB are free"),
        "{message}"
    );
}
