//! Ids to vectors, rows read and written, gradients.
use scenarec_train::{
    Backend, Batch, Build, Embedded, FeatureEmbedding, Init, InitScheme, Mode, OptimSpec, Optimizer,
    ParamSet, State, Weights,
    batch::gather,
    optim::OptimName,
    testing::{DIM, FIRST_NEW, ITEMS, dataset, distance, magnitude, schema},
    to_vec,
};
use tch::{Device, Kind, Tensor};

const BACKENDS: [Backend; 2] = [Backend::Deferred, Backend::Dense];

fn weights(backend: Backend) -> Weights {
    let Build { seed, device, .. } = Build::cpu(3);
    let tables =
        FeatureEmbedding::new(&schema(1), |_| true, "t.", DIM, InitScheme::Torch, seed, device, backend)
            .unwrap();
    Weights { tables, params: ParamSet::new(device, seed, InitScheme::Torch) }
}

fn sgd(lr: f64) -> OptimSpec {
    OptimSpec { name: OptimName::Sgd, ..OptimSpec::adam(lr, 0.0) }
}

fn batch() -> Batch {
    gather(&dataset(30, 1), &(3..19).collect::<Vec<_>>())
}

/// Σ over everything embedded, each vector times a number of its own.
fn some_sum(x: &Embedded) -> Tensor {
    let weigh = |t: &Tensor| {
        let n = t.numel() as i64;
        (t.flatten(0, -1) * (Tensor::arange(n, (Kind::Float, Device::Cpu)) + 1.0).sin()).sum(Kind::Float)
    };
    weigh(&x.fields) + weigh(&x.sequences[0].x) * 0.5
}

#[test]
fn a_fields_vector_is_the_weighted_sum_of_its_tables_rows() {
    let batch = batch();
    for backend in BACKENDS {
        let mut w = weights(backend);
        let state = w.tables.state();
        let row = |table: &str, id: u32| to_vec(&state[table].get(i64::from(id)));
        for (track, frozen) in [(false, false), (true, false), (true, true)] {
            let _guard = frozen.then(|| w.freeze(&["t.word", "t.item_id"], Mode::Eval).unwrap());
            let x = w.tables.embed_with(&batch, track, None);
            assert_eq!(x.fields.size(), [16, 7, DIM as i64]);
            let tables = ["t.item_id", "t.user_id", "t.item_id", "t.year", "t.word", "t.word", "t.genre"];
            for (f, (table, ids)) in tables.iter().zip(&batch.ids).enumerate() {
                for b in 0..batch.rows {
                    let range = match &ids.offsets {
                        None => b..b + 1,
                        Some(offsets) => offsets[b] as usize..offsets[b + 1] as usize,
                    };
                    let mut expected = vec![0f32; DIM];
                    for j in range {
                        let weight = ids.weights.as_ref().map_or(1.0, |w| w[j]);
                        for (e, v) in expected.iter_mut().zip(row(table, ids.ids[j])) {
                            *e += weight * v;
                        }
                    }
                    let found = x.fields.get(b as i64).get(f as i64);
                    let error = distance(&found, &Tensor::from_slice(&expected));
                    assert!(error < 1e-5, "{backend:?}: field {f}, row {b}: {error}");
                }
            }
            let history = &x.sequences[0];
            assert_eq!((history.x.size(), history.mask.size()), (vec![16, 5, DIM as i64], vec![16, 5]));
            for (at, id) in batch.sequences[0].ids.iter().enumerate() {
                let (b, l) = ((at / 5) as i64, (at % 5) as i64);
                assert_eq!(to_vec(&history.x.get(b).get(l)), row("t.item_id", *id));
                assert_eq!(history.mask.double_value(&[b, l]), f64::from(u8::from(*id != 0)));
            }
            assert_eq!(to_vec(&x.reals), batch.reals);
            assert_eq!(Vec::<i64>::try_from(&x.scenario).unwrap(), batch.scenario);
        }
    }
}

#[test]
fn one_field_is_replaced_and_nothing_else() {
    let mut w = weights(Backend::Deferred);
    let x = w.tables.embed(&batch());
    let vector = Tensor::full([16, DIM as i64], 7.0, (Kind::Float, Device::Cpu));
    for slot in [0, 3, 6] {
        let y = x.with_field(slot, &vector);
        assert_eq!(y.fields.size(), x.fields.size());
        for f in 0..7 {
            let expected = if f == slot { vector.shallow_clone() } else { x.fields.select(1, f) };
            assert_eq!(to_vec(&y.fields.select(1, f)), to_vec(&expected), "field {f} of {slot}");
        }
        assert_eq!(
            (to_vec(&y.reals), to_vec(&y.sequences[0].x)),
            (to_vec(&x.reals), to_vec(&x.sequences[0].x))
        );
        let replaced = w.tables.embed_with(&batch(), false, Some((slot as usize, &vector)));
        assert_eq!(to_vec(&replaced.fields), to_vec(&y.fields), "replaced while embedding");
    }
}

#[test]
fn a_replaced_fields_table_gets_no_gradient() {
    for backend in BACKENDS {
        let mut w = weights(backend);
        let vector = Tensor::full([16, DIM as i64], 7.0, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let slot = w.tables.slot("genres").unwrap();
        let x = w.tables.embed_with(&batch(), true, Some((slot, &vector)));
        let loss = some_sum(&x);
        let to_vector = Tensor::run_backward(&[&loss], &[&vector], true, false);
        assert!(magnitude(&to_vector[0]) > 0.1, "{backend:?}");
        let gradients = w.gradients(&loss).unwrap();
        let names: Vec<&str> = gradients.keys().map(String::as_str).collect();
        assert_eq!(names, ["t.item_id", "t.user_id", "t.word", "t.year"], "{backend:?}");
    }
}

#[test]
fn rows_are_read_and_written_by_number() {
    for backend in BACKENDS {
        let mut w = weights(backend);
        // Under way, so that a deferred table owes moves.
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.1, 1e-2), &mut w);
        for rows in [[1, 2, 3], [4, 5, 6]] {
            let x = w.tables.embed_with(&gather(&dataset(30, 1), &rows), true, None);
            optimizer.step(&some_sum(&x), &mut w).unwrap();
        }
        let got = w.tables.get_rows("t.item_id", &[39, 0, 17, 0]).unwrap();
        let before = w.tables.state();
        let expected = before["t.item_id"].index_select(0, &Tensor::from_slice(&[39i64, 0, 17, 0]));
        assert_eq!(to_vec(&got), to_vec(&expected), "{backend:?}");

        let values = Tensor::arange(2 * DIM as i64, (Kind::Float, Device::Cpu)).reshape([2, DIM as i64]);
        w.tables.set_rows("t.item_id", &[17, FIRST_NEW], &values).unwrap();
        let after = w.tables.state();
        for (name, table) in &before {
            for r in 0..table.size()[0] {
                let new = match r {
                    17 if name == "t.item_id" => Some(0),
                    r if name == "t.item_id" && r == i64::from(FIRST_NEW) => Some(1),
                    _ => None,
                };
                let expected = new.map_or_else(|| table.get(r), |i| values.get(i));
                assert_eq!(to_vec(&after[name].get(r)), to_vec(&expected), "{backend:?}: {name}, row {r}");
            }
        }
        assert_eq!(w.tables.rows("t.item_id").unwrap(), ITEMS);
        let error = w.tables.get_rows("t.item", &[0]).unwrap_err().to_string();
        assert!(error.starts_with("no table \"t.item\" among t.item_id, t.user_id"), "{error}");
        let error = w.tables.set_rows("t.item_id", &[1, 2, 3], &values).unwrap_err().to_string();
        assert_eq!(error, "3 rows, values [2, 4]");
    }
}

/// Plain gradient descent moves weights by lr times the gradient, so movements show gradients.
#[test]
fn look_ups_before_one_step_add_up_and_none_survives_it() {
    for backend in BACKENDS {
        let batches = [gather(&dataset(30, 1), &[1, 2, 3]), gather(&dataset(30, 1), &[2, 4])];
        let mut w = weights(backend);
        let start = w.tables.state();
        let gradient = |which: &[usize]| -> State {
            let mut fresh = weights(backend);
            let parts: Vec<Tensor> =
                which.iter().map(|i| some_sum(&fresh.tables.embed_with(&batches[*i], true, None))).collect();
            fresh.gradients(&parts.iter().sum()).unwrap()
        };
        let (first, second, both) = (gradient(&[0]), gradient(&[1]), gradient(&[0, 1]));
        let mut optimizer = Optimizer::new(sgd(1.0), &mut w);
        let x = batches.each_ref().map(|b| w.tables.embed_with(b, true, None));
        optimizer.step(&(some_sum(&x[0]) + some_sum(&x[1])), &mut w).unwrap();
        let after = w.tables.state();
        for name in start.keys() {
            let sum = &first[name] + &second[name];
            assert!(magnitude(&first[name]) > 0.1 && magnitude(&second[name]) > 0.1, "{name}");
            assert!(distance(&both[name], &sum) < 1e-5, "{backend:?}: {name}");
            assert!(
                distance(&(&start[name] - &sum), &after[name]) < 1e-5,
                "{backend:?}: {name} moved otherwise"
            );
        }
        // The next step uses what was looked up for it, and nothing older.
        let x = w.tables.embed_with(&batches[1], true, None);
        optimizer.step(&some_sum(&x), &mut w).unwrap();
        let last = w.tables.state();
        for name in start.keys() {
            assert!(
                distance(&(&after[name] - &second[name]), &last[name]) < 1e-5,
                "{backend:?}: {name} leaks"
            );
        }
    }
}

#[test]
fn reading_gradients_leaves_none_behind() {
    for backend in BACKENDS {
        let mut w = weights(backend);
        let mut read = || {
            let x = w.tables.embed_with(&batch(), true, None);
            w.gradients(&some_sum(&x)).unwrap()
        };
        let (first, second) = (read(), read());
        assert_eq!(first.len(), 5);
        for name in first.keys() {
            assert!(magnitude(&first[name]) > 0.1);
            assert_eq!(distance(&first[name], &second[name]), 0.0, "{backend:?}: {name}");
        }
        let start = w.tables.state();
        let mut optimizer = Optimizer::new(sgd(1.0), &mut w);
        let x = w.tables.embed_with(&batch(), true, None);
        w.gradients(&some_sum(&x)).unwrap();
        let x = w.tables.embed_with(&batch(), true, None);
        optimizer.step(&some_sum(&x), &mut w).unwrap();
        for (name, after) in w.tables.state() {
            assert!(
                distance(&(&start[&name] - &first[&name]), &after) < 1e-5,
                "{backend:?}: {name} moved twice"
            );
        }
    }
}

#[test]
#[should_panic(expected = "table t.item_id has 40 rows, but 1 of 16 ids are out of range: ids[2] = 40")]
fn an_id_beyond_its_table_is_named() {
    let mut batch = batch();
    batch.ids[0].ids[2] = 40;
    weights(Backend::Deferred).tables.embed(&batch);
}

#[test]
fn tables_start_normal_and_fields_that_name_one_table_share_it() {
    let mut w = weights(Backend::Deferred);
    let names: Vec<&str> = w.tables.names().collect();
    assert_eq!(names, ["t.item_id", "t.user_id", "t.year", "t.word", "t.genre"]);
    assert_eq!((w.tables.slot("last_item"), w.tables.slot("history")), (Some(2), None));
    let state = w.tables.state();
    let values = Tensor::cat(&state.values().map(|t| t.flatten(0, -1)).collect::<Vec<_>>(), 0);
    let (mean, std) = (values.mean(Kind::Float).double_value(&[]), values.std(true).double_value(&[]));
    assert!(mean.abs() < 0.2 && (std - 1.0).abs() < 0.2, "{mean}, {std}");
    let scheme = InitScheme::Uniform(0.01);
    let backend = Backend::Dense;
    let some = |field: &str| ["year", "title"].contains(&field);
    let mut small =
        FeatureEmbedding::new(&schema(1), some, "s.", 3, scheme, 1, Device::Cpu, backend).unwrap();
    assert_eq!(small.names().collect::<Vec<_>>(), ["s.year", "s.word"]);
    let most = small.state().values().map(magnitude).fold(0.0, f64::max);
    assert!(most <= 0.01 && most > 0.009, "{most}");
    assert_eq!(Init::Constant(2.0).draw(2, &mut scenarec_train::rng::stream(1, "c")), [2.0, 2.0]);
}
