//! MovieLens-1M as M3oE sees it: fixtures value by value, both row orders, simulated data.
use crate::common::{Place, check_ids, ids, reals, repository, shipped, tables};
use scenarec_data::{
    Dataset, DatasetConfig, Loader, Override, Role, SplitPlan, prepare, split_statistics, statistics,
};
use std::collections::BTreeMap;
use std::path::Path;

fn config(order: &str) -> DatasetConfig {
    let text = format!(
        "dataset: fixture\nloader: movielens_age\nraw: movielens-1m\norder: {order}\nprovenance: approximated\n\
         split: {{ plan: by_position, train: 0.8, valid: 0.1, test: 0.1, seed: null }}\n\
         simulate: {{ users: 60, items: 100, ratings: 1500, seed: 1 }}\nfitted_on: all\n"
    );
    DatasetConfig::from_text(Path::new("fixture.yaml"), &text).unwrap()
}

#[test]
fn values() {
    let place = Place::new();
    let data = place.prepare(&config("file")).unwrap().dataset;
    check_ids(&data);
    assert_eq!(
        tables(&data),
        [
            ("user_id", 9),
            ("item_id", 7), // Of eight movies one is not rated.
            ("gender", 2),
            ("occupation", 7),
            ("zip_code", 7),
            ("genre", 6),
            ("domain", 3),
        ]
    );
    let names: Vec<&str> = data.schema.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names.join(" "), "user_id item_id gender occupation zip_code genre domain age");
    assert_eq!(data.schema.field("domain").unwrap().1.role, Role::Scenario);
    assert_eq!(
        (&data.schema.tasks[..], &data.schema.scenarios[..]),
        (
            &["click".to_string(), "like".to_string()][..],
            &["1".to_string(), "2".to_string(), "3".to_string()][..],
        )
    );
    assert_eq!(
        (data.schema.user_id.as_deref(), data.schema.item_id.as_deref()),
        (Some("user_id"), Some("item_id"))
    );
    assert!(data.schema.side.is_empty() && data.time.is_none());

    // One value per user: ages 1 18 25 35 45 50 56 25 25, scaled; users 1 and 4, and 3 and 6, share a zip code.
    let row_of = |user| ids(&data, "user_id").iter().position(|u| *u == user).unwrap();
    let rows: Vec<usize> = (0..9).map(row_of).collect();
    let of_users = |name| rows.iter().map(|r| ids(&data, name)[*r]).collect::<Vec<u32>>();
    assert_eq!(of_users("domain"), [0, 0, 1, 2, 2, 2, 2, 1, 1]);
    assert_eq!(of_users("gender"), [0, 1, 1, 0, 1, 1, 0, 1, 1]);
    assert_eq!(of_users("occupation"), [0, 1, 2, 3, 4, 5, 6, 0, 1]);
    assert_eq!(of_users("zip_code"), [0, 1, 2, 0, 3, 2, 4, 5, 6]);
    let ages: Vec<f32> = rows.iter().map(|r| reals(&data, "age")[*r] * 55.0 + 1.0).collect();
    for (age, code) in ages.iter().zip([1.0, 18.0, 25.0, 35.0, 45.0, 50.0, 56.0, 25.0, 25.0]) {
        assert!((age - code).abs() < 1e-4, "{ages:?}");
    }
    // One value per movie: 2 3 5 6 9 10 12. The first genres are Drama Comedy Western Sci-Fi Adventure Comedy Film-Noir.
    let genre_of = |item| ids(&data, "genre")[data.item_ids().iter().position(|i| *i == item).unwrap()];
    assert_eq!([0, 1, 2, 3, 4, 5, 6].map(genre_of), [0, 1, 2, 3, 4, 1, 5]);
    // Ratings 1 2 4 4 5 5 of user 1.
    assert_eq!(data.labels[0][..6], [0, 0, 1, 1, 1, 1]);
    assert_eq!(data.labels[1][..6], [0, 0, 0, 0, 1, 1]);
    assert!(ids(&data, "domain").iter().zip(&data.scenario).all(|(id, s)| *id == u32::from(*s)));

    let s = statistics(&data).unwrap();
    let counts: Vec<_> = s.scenarios.iter().map(|s| (s.users.unwrap(), s.items.unwrap(), s.rows)).collect();
    assert_eq!(counts, [(2, 6, 10), (3, 6, 12), (4, 7, 15)]);
    assert_eq!((s.rows, s.time), (37, None));
}

#[test]
fn joined_rows() {
    let place = Place::new();
    // Without user 1's rating of movie 2, movie 3 comes first; user 6, who did not rate it, comes last.
    let path = place.raw("1m", "ratings.dat");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.strip_prefix("1::2::1::978313000\n").unwrap()).unwrap();
    let file = place.prepare(&config("file")).unwrap().dataset;
    let joined = place.prepare(&config("joined")).unwrap().dataset;
    assert_ne!(file.fingerprint, joined.fingerprint);
    assert_eq!(tables(&file), tables(&joined));
    let mut users = ids(&joined, "user_id").to_vec();
    users.dedup();
    assert_eq!(users, [0, 1, 2, 3, 4, 6, 7, 8, 5]);
    // User 2 rated movies 2, 3, 5, 9, which are numbers 5, 0, 1, 3 now.
    assert_eq!(file.item_ids()[5..9], [5, 0, 1, 3]);
    assert_eq!(joined.item_ids()[5..9], [0, 1, 3, 5]);
    assert_eq!(joined.labels[0][5..9], [0, 0, 1, 1]); // Ratings 4, 2, 1, 4 before.
}

/// What stands in the row of each user and item.
fn rows(data: &Dataset) -> BTreeMap<[u32; 2], [u32; 5]> {
    let (users, p, age) =
        (ids(data, "user_id"), data.click_probability.as_ref().unwrap(), reals(data, "age"));
    let values = |r: usize| {
        let [click, like] = [0, 1].map(|task: usize| u32::from(data.labels[task][r]));
        [click, like, u32::from(data.scenario[r]), p[r].to_bits(), age[r].to_bits()]
    };
    (0..data.rows()).map(|r| ([users[r], data.item_ids()[r]], values(r))).collect()
}

#[test]
fn both_orders_hold_the_same_rows() {
    let place = Place::empty();
    let file = place.prepare(&config("file")).unwrap().dataset;
    let joined = place.prepare(&config("joined")).unwrap().dataset;
    assert_ne!(file.click_probability, joined.click_probability);
    assert_eq!(rows(&file), rows(&joined));
    assert_eq!(rows(&file).len(), 1500);
}

#[test]
fn quick_sizes_have_both_classes_everywhere() {
    for name in ["movielens-1m-age", "movielens-1m-age-joined"] {
        let place = Place::empty();
        let over = Override { rows: Some(20_000), force_simulated: true, split: None };
        let p = prepare(&shipped(name), &place.roots, &over).unwrap();
        assert_eq!(p.dataset.rows(), 20_000);
        for (part, s) in split_statistics(&p.dataset, &p.splits).unwrap() {
            for (of, scenario) in s.scenarios.iter().zip(&p.dataset.schema.scenarios) {
                for rate in &of.positive_rate {
                    let positives = rate * of.rows as f64;
                    println!("{name} {part} {scenario}: {positives} of {}", of.rows);
                    assert!(
                        positives >= 20.0 && of.rows as f64 - positives >= 20.0,
                        "{name} {part} {scenario}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_profile_can_turn_one_dataset_into_the_other() {
    let file = repository().join("configs/datasets/movielens-1m-age.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text
        .replace("order: file ", "order: joined ")
        .replace("plan: ratio", "plan: by_position")
        .replace("seed: 1 }\n\nsimulate", "seed: null }\n\nsimulate");
    let changed = DatasetConfig::from_text(&file, &changed).unwrap();
    let joined = shipped("movielens-1m-age-joined");
    assert_eq!((&changed.loader, &changed.split), (&joined.loader, &joined.split));
    assert_eq!(changed.split, SplitPlan::ByPosition { train: 0.8, valid: 0.1, test: 0.1 });
    assert_eq!(changed.loader.count(), None);
    assert!(matches!(changed.loader, Loader::MovielensAge(_)));
}
