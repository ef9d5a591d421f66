//! Rows gathered from columns, directly and by the thread that works ahead.
use scenarec_data::{Column, Columns, Sequence, Spans, Tokens};
use scenarec_train::{
    Batch, Feed,
    feed::{self, Batches, gather},
    rng::stream,
    testing::{all, dataset, ragged},
};
use std::sync::Arc;

/// The columns, to be changed.
fn columns(data: &mut scenarec_data::Dataset) -> &mut Vec<Column> {
    match &mut data.columns {
        Columns::Resident(columns) => columns,
        Columns::Streamed(_) => panic!("columns in memory"),
    }
}

/// The dataset's first four rows with columns written out by hand.
fn by_hand() -> Arc<scenarec_data::Dataset> {
    let mut data = (*dataset(4, 2)).clone();
    let lists = [vec![3, 1], vec![], vec![2], vec![7, 7, 5]];
    let set = |name: &str| data.schema.field(name).unwrap().0;
    let (item, title, tags, genres, history, hour, count) =
        (set("item_id"), set("title"), set("tags"), set("genres"), set("history"), set("hour"), set("count"));
    let columns = columns(&mut data);
    columns[item] = Column::Id(vec![9, 8, 7, 6]);
    columns[title] = ragged(&[vec![3, 1], vec![], vec![2], vec![4, 5, 6, 7]], None);
    columns[tags] = ragged(&lists, None);
    columns[genres] = ragged(&lists, Some(vec![0.5, 1.5, 2.0, 0.25, 0.75, 1.0]));
    let lists = [vec![1, 2, 3, 4, 5, 6, 7], vec![], vec![9], vec![4, 3, 2, 1]];
    columns[history] = Column::Sequence(Sequence::of_lists(&lists));
    columns[hour] = Column::Real(vec![0.1, 0.2, 0.3, 0.4]);
    columns[count] = Column::Real(vec![10.0, 20.0, 30.0, 40.0]);
    data.labels = vec![vec![1, 0, 1, 0], vec![0, 0, 1, 1]];
    data.scenario = vec![1, 0, 0, 1];
    Arc::new(data)
}

#[test]
fn every_kind_of_column_is_gathered_in_the_order_of_the_rows() {
    let batch = gather(&by_hand(), &[3, 1, 0, 3]).unwrap();
    assert_eq!(batch.rows, 4);
    assert_eq!((&batch.ids[0].ids[..], &batch.ids[0].offsets), (&[6u32, 8, 9, 6][..], &None));

    // Sum padded with id 0 up to four, each padding counted.
    let title = &batch.ids[4];
    assert_eq!(title.offsets.as_deref(), Some(&[0, 4, 5, 8, 12][..]));
    assert_eq!(title.ids, [4, 5, 6, 7, 0, 3, 1, 0, 4, 5, 6, 7]);
    let weights = [1.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(title.weights.as_deref(), Some(&weights[..]));

    let tags = &batch.ids[5];
    assert_eq!(tags.offsets.as_deref(), Some(&[0, 3, 3, 5, 8][..]));
    assert_eq!(tags.ids, [7, 7, 5, 3, 1, 7, 7, 5]);
    let third = 1.0 / 3.0;
    assert_eq!(tags.weights.as_deref(), Some(&[third, third, third, 0.5, 0.5, third, third, third][..]));

    // A plain sum keeps the column's own weights.
    let genres = &batch.ids[6];
    assert_eq!(genres.ids, tags.ids);
    assert_eq!(genres.weights.as_deref(), Some(&[0.25, 0.75, 1.0, 0.5, 1.5, 0.25, 0.75, 1.0][..]));

    // The most recent five, in time order, nothing behind them.
    let history = &batch.sequences[0];
    assert_eq!(history.lens, [4, 0, 5, 4]);
    assert_eq!(history.ids.ids, [4, 3, 2, 1, 3, 4, 5, 6, 7, 4, 3, 2, 1]);
    assert_eq!((&history.ids.offsets, &history.ids.weights), (&None, &None));

    assert_eq!(batch.reals, [0.4, 40.0, 0.2, 20.0, 0.1, 10.0, 0.4, 40.0]);
    assert_eq!(batch.labels, [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(batch.scenario, [1, 0, 1, 1]);
}

#[test]
fn batches_made_ahead_equal_those_gathered_directly() {
    let data = dataset(103, 1);
    let rows: Vec<u32> = (0..103).rev().step_by(2).collect();
    let feed = Feed::new(data.clone(), rows.clone());
    let direct: Vec<Batch> = rows.chunks(8).map(|chunk| gather(&data, chunk).unwrap()).collect();
    assert_eq!(feed.in_order(8).map(Result::unwrap).collect::<Vec<_>>(), direct);
    assert_eq!((feed.batches(8), direct.len(), direct[6].rows), (7, 7, 4));
}

#[test]
fn shuffling_sees_every_row_once_and_depends_on_the_stream_only() {
    let data = dataset(200, 1);
    // A column by which each row is known.
    let known = |batches: Batches| -> Vec<f32> { batches.flat_map(|b| b.unwrap().reals).collect() };
    let feed = all(&data);
    let shuffled = |seed| known(feed.shuffled(32, &mut stream(seed, "s")));
    let (a, b, other) = (shuffled(1), shuffled(1), shuffled(2));
    assert_eq!(a, b);
    assert_ne!(a, other);
    let mut rng = stream(1, "s");
    let two_epochs = [0, 1].map(|_| known(feed.shuffled(32, &mut rng)));
    assert_ne!(two_epochs[0], two_epochs[1], "each epoch has an order of its own");
    let sorted = |mut v: Vec<f32>| {
        v.sort_by(f32::total_cmp);
        v
    };
    let in_order = known(feed.in_order(32));
    assert_ne!(a, in_order);
    assert_eq!(sorted(a), sorted(in_order));
}

#[test]
fn a_consumer_that_stops_early_ends_the_thread() {
    let data = dataset(4000, 1);
    let feed = all(&data);
    let owners = Arc::strong_count(&data);
    let mut batches = feed.in_order(1);
    assert!(batches.next().is_some());
    assert!(
        Arc::strong_count(&data) > owners,
        "the thread waits, far from its end; batches that wait know their data"
    );
    drop(batches);
    // The thread lets go of the data when it ends; it is not joined, so it may take a moment.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while Arc::strong_count(&data) != owners {
        assert!(std::time::Instant::now() < patience, "the thread is still there");
        std::thread::yield_now();
    }
}

#[test]
fn columns_that_do_not_fit_the_schema_are_refused() {
    let spoiled = |spoil: &dyn Fn(&mut scenarec_data::Dataset)| {
        let mut data = (*by_hand()).clone();
        spoil(&mut data);
        feed::check(&data).unwrap_err().to_string()
    };
    assert!(feed::check(&by_hand()).is_ok());
    let message = spoiled(&|d| columns(d)[0] = Column::Id(vec![9, 8, 40, 6]));
    assert_eq!(message, "synthetic: field \"item_id\": id 40, but its table has 40 rows");
    let message = spoiled(&|d| columns(d)[0] = Column::Id(vec![9, 8]));
    assert_eq!(message, "synthetic: field \"item_id\": 2 rows of 4");
    let message = spoiled(&|d| columns(d)[0] = Column::Real(vec![0.0; 4]));
    assert_eq!(message, "synthetic: field \"item_id\": it is Id, but its column is of another kind");
    let message = spoiled(&|d| columns(d)[8] = Column::Real(vec![0.0, f32::NAN, 0.0, 0.0]));
    assert_eq!(message, "synthetic: field \"hour\": NaN or infinity");
    let message = spoiled(&|d| {
        columns(d).pop();
    });
    assert_eq!(message, "synthetic: 10 fields but 9 columns");
}

#[test]
#[should_panic(expected = "field \"item_id\" is Id, but its column is of another kind")]
fn a_column_of_another_kind_is_named() {
    let mut data = (*by_hand()).clone();
    columns(&mut data)[0] = Column::Real(vec![0.0; 4]);
    gather(&Arc::new(data), &[0]).unwrap();
}

#[test]
fn rows_share_a_list_of_tokens_of_several_ids() {
    let mut data = by_hand();
    let history = data.schema.field("history").unwrap().0;
    let spans = Spans { start: vec![0, 0, 1, 3], end: vec![1, 3, 3, 3] };
    let tokens = Tokens {
        offsets: Some(vec![0, 2, 2, 3]),
        values: vec![7, 8, 9],
        weights: Some(vec![0.5, 0.25, 1.0]),
    };
    columns(Arc::make_mut(&mut data))[history] =
        Column::Sequence(Sequence { spans: Arc::new(spans), tokens: Arc::new(tokens) });
    feed::check(&data).unwrap();
    let whole = gather(&data, &[1, 3, 2, 0]).unwrap();
    let all = &whole.sequences[0];
    assert_eq!(all.lens, [3, 0, 2, 1]);
    assert_eq!(all.ids.ids, [7, 8, 9, 9, 7, 8]);
    assert_eq!(all.ids.weights.as_deref(), Some(&[0.5, 0.25, 1.0, 1.0, 0.5, 0.25][..]));
    assert_eq!(all.ids.offsets.as_deref(), Some(&[0, 2, 2, 3, 3, 4, 6][..]));

    let none = gather(&data, &[3, 3]).unwrap();
    assert_eq!((&none.sequences[0].lens[..], &none.sequences[0].ids.ids[..]), (&[0, 0][..], &[][..]));
    // Pieces are of rows of similar length, in the batch's order.
    let [(short, a), (long, b)] = &whole.split(2)[..] else { panic!("two pieces") };
    assert_eq!((&short[..], &long[..]), (&[1, 3][..], &[0, 2][..]));
    assert_eq!((a, b), (&gather(&data, &[3, 0]).unwrap(), &gather(&data, &[1, 2]).unwrap()));
    assert_eq!(whole.split(4), [((0..4).collect(), whole.clone())]);

    let column = &mut columns(Arc::make_mut(&mut data))[history];
    let Column::Sequence(sequence) = column else { unreachable!() };
    sequence.spans = Arc::new(Spans { start: vec![0, 0, 1, 3], end: vec![1, 3, 4, 3] });
    let message = feed::check(&data).unwrap_err().to_string();
    assert_eq!(message, "synthetic: field \"history\": the sequence of row 2 lies outside its 3 tokens");
}
