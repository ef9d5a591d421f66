//! Views with behaviour sequences of data that other views know: MovieLens and KuaiRand.
use crate::common::{Place, check_ids, ids, shipped};
use scenarec_data::{Column, Dataset, DatasetConfig, Override, Role, Sequence, prepare};
use std::path::Path;

fn sequence<'a>(data: &'a Dataset, name: &str) -> &'a Sequence {
    match data.column(name) {
        Some(Column::Sequence(s)) => s,
        other => panic!("{name}: {other:?}"),
    }
}

/// Of a row's behaviours the ids of every token.
fn tokens(data: &Dataset, name: &str, row: usize) -> Vec<Vec<u32>> {
    let Sequence { spans, tokens } = sequence(data, name);
    (spans.start[row]..spans.end[row]).map(|t| tokens.values[tokens.range(t as usize)].to_vec()).collect()
}

/// Row by row: the user's earlier rows for which `counts`, with the values of `field`, in order of time.
fn expected(data: &Dataset, field: &str, row: usize, counts: impl Fn(usize) -> bool) -> Vec<Vec<u32>> {
    let (users, time) = (ids(data, "user_id"), data.time.as_ref().unwrap());
    let mut rows: Vec<usize> =
        (0..data.rows()).filter(|r| users[*r] == users[row] && time[*r] < time[row] && counts(*r)).collect();
    rows.sort_by_key(|r| time[*r]);
    let of = |r: &usize| match data.column(field) {
        Some(Column::Id(ids)) => vec![ids[*r]],
        Some(Column::Ragged { offsets, values, .. }) => {
            values[offsets[*r] as usize..offsets[*r + 1] as usize].to_vec()
        }
        other => panic!("{field}: {other:?}"),
    };
    rows.iter().map(of).collect()
}

#[test]
fn movielens_values() {
    let text = "dataset: fixture\nloader: movielens_sequence\nraw: movielens-1m\nmax_len: 5\nprovenance: approximated\n\
                split: { plan: given }\nsimulate: { users: 60, items: 100, ratings: 1500, seed: 1 }\nfitted_on: all\n";
    let config = DatasetConfig::from_text(Path::new("fixture.yaml"), text).unwrap();
    // No user of the fixtures has ten ratings, so that the split has no test rows: simulated ones have.
    let refused = Place::new().prepare(&config).unwrap_err().to_string();
    assert!(refused.contains("part valid has no rows"), "{refused}");

    let place = Place::empty();
    let prepared = place.prepare(&config).unwrap();
    let data = prepared.dataset;
    check_ids(&data);
    let names: Vec<&str> = data.schema.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "item_id user_id gender occupation year genres age behaviours.item_id behaviours.year behaviours.genres"
    );
    assert_eq!(data.schema.scenarios.len(), 7);
    assert_eq!(data.schema.field("age").unwrap().1.role, Role::Scenario);
    let liked = |r: usize| data.labels[0][r] == 1;
    let mut longest = 0;
    for row in (0..data.rows()).step_by(7) {
        for field in ["item_id", "year", "genres"] {
            let own = tokens(&data, &format!("behaviours.{field}"), row);
            assert_eq!(own, expected(&data, field, row, liked), "row {row}: {field}");
            longest = longest.max(own.len());
        }
    }
    assert!(longest > 10, "{longest}");
    // A token's genres count as their mean.
    let Sequence { tokens, .. } = sequence(&data, "behaviours.genres");
    let weights = tokens.weights.as_ref().unwrap();
    for t in 0..tokens.len() {
        assert!((weights[tokens.range(t)].iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    // Of every user the last rows test.
    let (users, time) = (ids(&data, "user_id"), data.time.as_ref().unwrap());
    for user in users.iter().collect::<std::collections::BTreeSet<_>>() {
        let of = |part: &str| -> Vec<i64> {
            let rows = prepared.splits.get(part).unwrap().iter().map(|r| *r as usize);
            rows.filter(|r| users[*r] == *user).map(|r| time[r]).collect()
        };
        let (train, valid, test) = (of("train"), of("valid"), of("test"));
        assert_eq!((valid.len(), test.len()), (test.len(), (train.len() + valid.len() + test.len()) / 10));
        assert!(train.iter().max() <= valid.iter().min() && valid.iter().max() <= test.iter().min());
    }
}

#[test]
fn kuairand_values() {
    let place = Place::empty();
    let config = shipped("kuairand-pure-sequence");
    let over = Override { rows: Some(20_000), ..Override::default() };
    let prepared = prepare(&config, &place.roots, &over).unwrap();
    let data = prepared.dataset;
    check_ids(&data);
    assert_eq!((data.schema.tasks.len(), data.schema.scenarios.len()), (1, 5));
    assert!((5_000..15_000).contains(&data.rows()), "the standard logs' rows of five tabs: {}", data.rows());
    let clicked = |r: usize| data.labels[0][r] == 1;
    let mut longest = 0;
    for row in (0..data.rows()).step_by(31) {
        for field in ["item_id", "author_id", "tag", "video_type", "duration"] {
            let own = tokens(&data, &format!("behaviours.{field}"), row);
            assert_eq!(own, expected(&data, field, row, clicked), "row {row}: {field}");
            longest = longest.max(own.len());
        }
    }
    assert!(longest > 3, "{longest}");
    let session = data.session.as_ref().unwrap();
    let users = ids(&data, "user_id");
    let mut of = std::collections::BTreeMap::new();
    for r in 0..data.rows() {
        assert_eq!(
            of.entry(session[r]).or_insert((users[r], data.scenario[r])),
            &(users[r], data.scenario[r])
        );
    }
}
