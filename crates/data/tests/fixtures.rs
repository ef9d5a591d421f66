//! The fixtures, value by value where it matters.
use crate::common::{Place, check_ids, config, config_with, ids, reals, tables};
use scenarec_data::{
    Column, CountRows, Dataset, Kind, Loader, Pooling, Provenance, split_statistics, statistics,
};

/// The bag of the first row of an item.
fn bag(data: &Dataset, name: &str, item: u32) -> Vec<u32> {
    let row = data.item_ids().iter().position(|i| *i == item).unwrap();
    match data.column(name) {
        Some(Column::Ragged { offsets, values, weights: None }) => {
            values[offsets[row] as usize..offsets[row + 1] as usize].to_vec()
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn layout_1m() {
    let place = Place::new();
    let data = place.prepare(&config("1m")).unwrap().dataset;
    check_ids(&data);
    let names: Vec<&str> = data.schema.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "item_id user_id gender age occupation zip_code year title genres time_stamp count"
    );
    assert_eq!(data.schema.side.join(" "), "item_id year title genres count");
    assert_eq!(
        tables(&data),
        [
            ("item_id", 16), // The largest id of movies.dat, which nobody rated, is 15.
            ("user_id", 10),
            ("gender", 2),
            ("age", 57),
            ("occupation", 21),
            ("zip_code", 7),
            ("year", 6), // 1931 belongs to the unrated movie.
            ("title", 22),
            ("genres", 16),
        ]
    );
    // First row: 1::2::1::978313000, user 1::F::1::0::04123.
    assert_eq!((ids(&data, "item_id")[0], ids(&data, "user_id")[0]), (2, 1));
    assert_eq!((ids(&data, "gender")[0], ids(&data, "age")[0], ids(&data, "occupation")[0]), (0, 1, 0));
    assert_eq!(data.labels[0][0], 0);
    assert_eq!(data.time.as_ref().unwrap()[0], 978_313_000);
    // Users 1 and 4 share a zip code; ids follow users.dat.
    let zip_of =
        |user| ids(&data, "zip_code")[ids(&data, "user_id").iter().position(|u| *u == user).unwrap()];
    assert_eq!([1, 2, 3, 4, 5, 6].map(zip_of), [0, 1, 2, 0, 3, 2]);
    // Title words in order of first appearance; the letters beyond ASCII end a word.
    assert_eq!(bag(&data, "title", 2), [0, 1, 2, 3]); // Paper Lantern The Return
    assert_eq!(bag(&data, "title", 3), [4, 5]); // Caf, lrich
    assert_eq!(bag(&data, "title", 5), [6, 7, 8, 2]); // Seven Quiet Rivers The
    assert_eq!(bag(&data, "genres", 2), [1, 2]); // Drama Romance
    assert_eq!(bag(&data, "genres", 5), [4, 1]); // Western Drama, after Comedy
    assert_eq!(data.schema.field("title").unwrap().1.kind, Kind::Bag(Pooling::SumPadded { len: 4 }));
    assert_eq!(data.schema.field("genres").unwrap().1.kind, Kind::Bag(Pooling::SumPadded { len: 6 }));
    // Years 1950 1962 1987 1994 1999 2000.
    let year_of = |item| ids(&data, "year")[data.item_ids().iter().position(|i| *i == item).unwrap()];
    assert_eq!([5, 12, 2, 9, 3, 6, 10].map(year_of), [0, 1, 2, 2, 3, 4, 5]);
    // Counts 9 8 6 5 4 3 2, scaled.
    let count_of = |item| reals(&data, "count")[data.item_ids().iter().position(|i| *i == item).unwrap()];
    assert_eq!([2, 3, 12].map(count_of), [1.0, 6.0 / 7.0, 0.0]);
    assert_eq!((data.provenance, data.note.as_str()), (Provenance::Approximated, ""));
    let s = statistics(&data).unwrap();
    assert_eq!((s.rows, s.users, s.items), (37, Some(9), Some(7)));
}

#[test]
fn layout_100k() {
    let place = Place::new();
    let data = place.prepare(&config("100k")).unwrap().dataset;
    check_ids(&data);
    assert_eq!(
        tables(&data),
        [
            ("item_id", 9),
            ("user_id", 10),
            ("gender", 2),
            ("age", 58),
            ("occupation", 21),
            ("zip_code", 7),
            ("year", 6),
            ("title", 20),
            ("genres", 11),
        ]
    );
    let year_of = |item| ids(&data, "year")[data.item_ids().iter().position(|i| *i == item).unwrap()];
    // No date, 1962, 1987, 1994, 1996 (the release date's year, not the title's), 1998.
    assert_eq!([3, 7, 1, 5, 2, 6, 4].map(year_of), [0, 1, 2, 2, 3, 4, 5]);
    assert_eq!(bag(&data, "title", 2), [4, 5]); // What stands behind the year is no word.
    assert_eq!(bag(&data, "title", 3), [6]); // unknown
}

#[test]
fn cold_items() {
    let place = Place::new();
    for layout in ["1m", "100k"] {
        let p = place.prepare(&config(layout)).unwrap();
        let sizes: Vec<(String, usize, usize)> = split_statistics(&p.dataset, &p.splits)
            .unwrap()
            .into_iter()
            .map(|(name, s)| (name, s.rows, s.items.unwrap()))
            .collect();
        let want =
            [("train_base", 17, 2), ("warm_a", 4, 4), ("warm_b", 4, 4), ("warm_c", 4, 4), ("test", 6, 3)];
        assert_eq!(sizes[..5], want.map(|(n, r, i)| (n.to_string(), r, i)));
        assert_eq!(sizes[5], ("dropped".to_string(), 2, 1));
    }
}

#[test]
fn count_over_training_rows_only() {
    let place = Place::new();
    let mut config = config_with("1m", "split: { plan: by_time, train: 0.6, valid: 0.2, test: 0.2 }");
    let whole = place.prepare(&config).unwrap();
    let Loader::Movielens(settings) = &mut config.loader else { panic!("another loader") };
    settings.count = CountRows::TrainOnly;
    let train = place.prepare(&config).unwrap();
    assert_eq!(whole.splits, train.splits);
    assert_ne!(whole.dataset.fingerprint, train.dataset.fingerprint);
    let items = train.dataset.item_ids();
    let rows = train.splits.get("train").unwrap();
    let count_of = |item: u32| rows.iter().filter(|r| items[**r as usize] == item).count() as f32;
    let counts: Vec<f32> = items.iter().map(|i| count_of(*i)).collect();
    let (lo, hi) = counts.iter().fold((f32::MAX, f32::MIN), |(l, h), c| (l.min(*c), h.max(*c)));
    for (c, scaled) in counts.iter().zip(reals(&train.dataset, "count")) {
        assert!(((c - lo) / (hi - lo) - scaled).abs() < 1e-6);
    }
    assert_ne!(reals(&train.dataset, "count"), reals(&whole.dataset, "count"));
}
