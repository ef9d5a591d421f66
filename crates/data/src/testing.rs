//! Small datasets for unit tests.
use crate::cache::Header;
use crate::{
    Column, Columns, Dataset, Field, Kind, Part, Pooling, Provenance, Role, Rows, Schema, Sequence, Spans,
    Table, Tokens,
};
use std::sync::Arc;

/// Items and times, nothing else.
pub(crate) fn dataset(items: &[u32], time: &[i64]) -> Dataset {
    let rows = items.iter().max().map_or(0, |m| *m as usize + 1);
    Dataset {
        name: "test".into(),
        provenance: Provenance::Simulated,
        note: String::new(),
        schema: Schema {
            tables: vec![Table { name: "item_id".into(), rows }],
            fields: vec![field("item_id", Kind::Id)],
            tasks: vec!["click".into()],
            scenarios: vec!["all".into()],
            item_id: Some("item_id".into()),
            ..Schema::default()
        },
        columns: Columns::Resident(vec![Column::Id(items.to_vec())]),
        labels: vec![vec![0; items.len()]],
        scenario: vec![0; items.len()],
        time: Some(time.to_vec()),
        session: None,
        part: None,
        item_vocabulary: None,
        click_probability: None,
        fingerprint: "0123456789abcdef".into(),
    }
}

/// Every kind of column.
pub(crate) fn everything(n: usize) -> Dataset {
    let items: Vec<u32> = (0..n as u32).map(|i| i % 97).collect();
    let time: Vec<i64> = (0..n as i64).map(|i| i * 31 % 1009 - 5).collect();
    let mut data = dataset(&items, &time);
    let mut columns = data.resident().expect("in memory").to_vec();
    let mut offsets = vec![0u64];
    let mut values = Vec::new();
    for i in 0..n as u32 {
        values.extend(0..i % 4); // Empty lists too.
        offsets.push(values.len() as u64);
    }
    let weights = Some(values.iter().map(|v| *v as f32 / 3.0).collect());
    for name in ["words", "history", "genres"] {
        data.schema.tables.push(Table { name: name.into(), rows: 4 });
    }
    data.schema.fields.push(field("words", Kind::Bag(Pooling::SumPadded { len: 5 })));
    columns.push(Column::Ragged { offsets, values, weights });
    // Two sequences of one behaviour list, of one id and of any number of ids per token.
    let spans = Spans { start: vec![0; n], end: (0..n as u32).map(|i| i % 4).collect() };
    let plain = Tokens { values: vec![1, 0, 3], ..Tokens::default() };
    let bags =
        Tokens { offsets: Some(vec![0, 2, 2, 3]), values: vec![1, 2, 3], weights: Some(vec![0.5, 0.5, 1.0]) };
    let spans = Arc::new(spans);
    for (name, tokens) in [("history", plain), ("genres", bags)] {
        data.schema.fields.push(field(name, Kind::Sequence { max_len: 3 }));
        columns.push(Column::Sequence(Sequence { spans: spans.clone(), tokens: Arc::new(tokens) }));
    }
    data.schema.fields.push(Field { table: None, ..field("price", Kind::Real) });
    columns.push(Column::Real((0..n).map(|i| i as f32 * 0.1).collect()));
    data.columns = Columns::Resident(columns);
    data.schema.tasks.push("like".into());
    data.labels.push((0..n).map(|i| (i % 3 == 0) as u8).collect());
    data.session = Some(items);
    data.part = Some((0..n).map(|i| Part::ALL[i % 3]).collect());
    data.item_vocabulary = Some(vec![100]);
    data.click_probability = Some(vec![0.25; n]);
    data.note = "a \"note\"".into();
    data
}

/// What a cache file holds of a dataset.
pub(crate) fn parts(data: &Dataset) -> (Header, Rows) {
    let Dataset { name, provenance, note, schema, labels, scenario, time, session, part, .. } = data.clone();
    let Dataset { item_vocabulary, click_probability, fingerprint, .. } = data.clone();
    let columns = data.resident().expect("in memory").to_vec();
    let rows = Rows { columns, labels, scenario, time, session, part, click_probability };
    (Header { name, provenance, note, fingerprint, schema, item_vocabulary }, rows)
}

fn field(name: &str, kind: Kind) -> Field {
    Field { name: name.into(), role: Role::Item, kind, table: Some(name.into()) }
}
