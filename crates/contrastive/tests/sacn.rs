//! SACN: what padding, other rows and empty histories may not do.
use scenarec_contrastive::MODELS;
use scenarec_data::{Field, Kind, Role, Schema, Table};
use scenarec_train::{
    Batch, Build, Net,
    batch::{Ids, SequenceIds},
    labels, loss,
    testing::{distance, magnitude, model_config, scramble},
};
use serde_yaml::Value;
use tch::{Device, Tensor};

const MOST: usize = 6;

fn schema() -> Schema {
    let table = |(name, rows): (&str, usize)| Table { name: name.into(), rows };
    let field = |(name, role): (&str, Role)| Field {
        name: name.into(),
        role,
        kind: Kind::Id,
        table: Some(name.into()),
    };
    let sequence = |table: &str| Field {
        name: format!("behaviours.{table}"),
        role: Role::User,
        kind: Kind::Sequence { max_len: MOST as u32 },
        table: Some(table.into()),
    };
    let fields = [("item_id", Role::Item), ("brand", Role::Item), ("price", Role::Item)];
    Schema {
        tables: [("item_id", 30), ("brand", 9), ("price", 5)].map(table).to_vec(),
        fields: fields.map(field).into_iter().chain(["item_id", "brand", "price"].map(sequence)).collect(),
        tasks: vec!["click".into()],
        scenarios: ["a", "b", "c"].map(String::from).to_vec(),
        item_id: Some("item_id".into()),
        ..Schema::default()
    }
}

/// Rows with these histories of items, whose brand and price follow from the item.
fn batch(histories: &[Vec<u32>]) -> Batch {
    let rows = histories.len();
    let ids = |rows_of: u32| Ids {
        ids: (0..rows as u32).map(|r| (7 * r + 3) % 29 % rows_of).collect(),
        ..Ids::default()
    };
    let sequence = |of: u32| {
        let ids = histories.iter().flatten().map(|item| item % of).collect();
        let lens = histories.iter().map(|h| h.len() as u32).collect();
        SequenceIds { ids: Ids { ids, ..Ids::default() }, lens }
    };
    Batch {
        rows,
        ids: [30, 9, 5].map(ids).to_vec(),
        sequences: [30, 9, 5].map(sequence).to_vec(),
        reals: vec![],
        labels: (0..rows).map(|r| (r % 2) as f32).collect(),
        scenario: (0..rows).map(|r| (r % 3) as i64).collect(),
    }
}

fn histories() -> Vec<Vec<u32>> {
    vec![vec![], vec![4, 9, 17], vec![3], vec![1, 2, 3, 4, 5], vec![28, 28], vec![]]
}

fn config(attributes: &str) -> Value {
    let mut config = model_config(MODELS.iter(), "sacn");
    config["dim"] = 8.into();
    config["attributes"] = attributes.into();
    config
}

const VARIANTS: [&str; 4] = ["scenario_attention", "dif_sr", "asif", "none"];

fn net(attributes: &str) -> Net {
    let entry = &MODELS[0];
    let mut net = entry.build(&schema(), config(attributes), Build::cpu(1)).unwrap();
    scramble(&mut net.weights, 1);
    net
}

/// Logits, and the training loss with its parts.
fn numbers(net: &mut Net, batch: &Batch) -> (Tensor, Tensor) {
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(batch);
    let logits = net.forward(&x, false).logits;
    let loss = loss(&net.forward(&x, true), &labels(batch, Device::Cpu));
    (logits, loss)
}

#[test]
fn padding_changes_nothing() {
    for variant in VARIANTS {
        let mut net = net(variant);
        let (logits, _) = numbers(&mut net, &batch(&histories()));
        // Beside a longer row all others are padded further.
        let more = [histories(), vec![vec![7; MOST]]].concat();
        let (wide, _) = numbers(&mut net, &batch(&more));
        let (off, most) = (distance(&logits, &wide.narrow(0, 0, 6)), magnitude(&logits));
        assert!(off < 1e-5 * most.max(1.0), "{variant}: logits up to {most} are {off} apart");
    }
}

/// Losses are means over a batch's rows, so those of its pieces, by their shares, are the batch's.
#[test]
fn pieces_of_a_batch_add_up() {
    for variant in VARIANTS {
        let mut net = net(variant);
        let whole = batch(&histories());
        let (_, loss) = numbers(&mut net, &whole);
        let mut piece = |piece: Batch| numbers(&mut net, &piece).1 * (piece.rows as f64 / whole.rows as f64);
        let pieces: Vec<Tensor> = whole.split(4).into_iter().map(|(_, rows)| piece(rows)).collect();
        assert_eq!(pieces.len(), 2);
        let (off, most) = (distance(&loss, &pieces.iter().sum::<Tensor>()), magnitude(&loss));
        assert!(off < 1e-5 * most.max(1.0), "{variant}: losses of {most} are {off} apart");
    }
}

#[test]
fn rows_do_not_depend_on_one_another() {
    for variant in VARIANTS {
        let mut net = net(variant);
        let (all, _) = numbers(&mut net, &batch(&histories()));
        let mut others = histories();
        others[3] = vec![20, 21];
        let (changed, _) = numbers(&mut net, &batch(&others));
        let moved: Vec<f64> = (0..6).map(|r| distance(&all.get(r), &changed.get(r))).collect();
        for (row, moved) in moved.iter().enumerate() {
            assert_eq!(*moved > 1e-4, row == 3, "{variant}: row {row} moved by {moved}");
        }
    }
}

#[test]
fn nobody_has_a_history() {
    for variant in VARIANTS {
        let mut net = net(variant);
        let batch = batch(&vec![vec![]; 4]);
        let x = net.weights.tables.embed_with(&batch, true, None);
        let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
        let gradients = net.weights.gradients(&loss).unwrap();
        assert!(gradients.values().all(|g| magnitude(g).is_finite()), "{variant}");
    }
}

/// In training preferences are made for all scenarios at once, in evaluation for the row's own.
#[test]
fn both_ways_to_a_preference_agree() {
    let mut net = net("scenario_attention");
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(&batch(&histories()));
    let [all, one] = [true, false].map(|train| net.forward(&x, train).logits);
    assert!(distance(&all, &one) < 1e-5 * magnitude(&one), "{} of {}", distance(&all, &one), magnitude(&one));
    assert!(magnitude(&one) > 0.1);
}

/// With weights of 1 for all scenarios a preference is not the same in two of them, and for two equal scenarios it is.
#[test]
fn a_preference_depends_on_the_scenario() {
    let mut net = net("scenario_attention");
    let _guard = tch::no_grad_guard();
    let x = net.weights.tables.embed(&batch(&histories()));
    let views = net.representations(&x);
    let names: Vec<&str> = views.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["item.0", "item.1", "item.2"]);
    assert_eq!(magnitude(&views[0].1.get(0)), 0.0, "no history, no preference");
    assert!(distance(&views[0].1.get(1), &views[1].1.get(1)) > 1e-3);
    let mut state = net.weights.state();
    let domain = state.get_mut("domain").unwrap();
    domain.get(1).copy_(&domain.get(0));
    net.weights.load(&state, "").unwrap();
    let x = net.weights.tables.embed(&batch(&histories()));
    let views = net.representations(&x);
    assert!(distance(&views[0].1, &views[1].1) < 1e-6);
}

#[test]
fn what_the_data_lack_is_said() {
    let refused = |change: &dyn Fn(&mut Schema)| {
        let mut schema = schema();
        change(&mut schema);
        MODELS[0].build(&schema, config("scenario_attention"), Build::cpu(1)).unwrap_err().to_string()
    };
    let keep = |keep: fn(&Field) -> bool| move |schema: &mut Schema| schema.fields.retain(keep);
    let message = refused(&keep(|f| f.name != "behaviours.item_id"));
    assert_eq!(message, "sacn: the data have no sequence of items");
    let message = refused(&keep(|f| !f.name.starts_with("behaviours.") || f.name.ends_with("item_id")));
    assert_eq!(message, "sacn: the data have no sequence of an attribute");
    let message = refused(&keep(|f| f.name != "brand"));
    assert_eq!(message, "sacn: the target has no field in the table of the sequence \"behaviours.brand\"");
    let message = refused(&|schema| {
        schema.fields.last_mut().unwrap().kind = Kind::Sequence { max_len: 3 };
    });
    assert_eq!(message, "sacn: the sequences are kept at different lengths");
}

#[test]
fn settings_that_make_no_sense() {
    let refused = |key: &str, value: Value| {
        let mut config = config("asif");
        match key.split_once('.') {
            Some((section, key)) => config[section][key] = value,
            None => config[key] = value,
        }
        MODELS[0].resolve(config).unwrap_err().to_string()
    };
    assert_eq!(refused("heads", 3.into()), "heads: 3 does not divide the width 8");
    assert_eq!(refused("contrast.temperature", 0.0.into()), "contrast.temperature: 0 is not above 0");
    assert_eq!(refused("contrast.weight", (-1.0).into()), "contrast.weight: -1 is below 0");
    assert_eq!(refused("alignment.temperature", 0.0.into()), "alignment.temperature: 0 is not above 0");
}
