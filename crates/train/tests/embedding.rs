//! Ids to vectors, rows read and written, gradients.
use scenarec_train::{
    Backend, Batch, Build, Embedded, FeatureEmbedding, Init, InitScheme, Mode, OptimSpec, Optimizer,
    ParamSet, State, Weights,
    batch::SequenceIds,
    feed::gather,
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

/// The same with a scalar weight per id.
fn with_linear(backend: Backend, scheme: InitScheme) -> Weights {
    let Build { seed, device, .. } = Build::cpu(3);
    let tables =
        FeatureEmbedding::new(&schema(1), |_| true, "t.", DIM, scheme, seed, device, backend).unwrap();
    let tables = tables.with_linear(&schema(1), "l.", scheme, seed, backend).unwrap();
    Weights { tables, params: ParamSet::new(device, seed, scheme) }
}

fn sgd(lr: f64) -> OptimSpec {
    OptimSpec { name: OptimName::Sgd, ..OptimSpec::adam(lr, 0.0) }
}

fn batch() -> Batch {
    gather(&dataset(30, 1), &(3..19).collect::<Vec<_>>()).unwrap()
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
            let SequenceIds { ids, lens } = &batch.sequences[0];
            assert_eq!(history.x.size(), [ids.ids.len() as i64, DIM as i64]);
            for (token, id) in ids.ids.iter().enumerate() {
                assert_eq!(to_vec(&history.x.get(token as i64)), row("t.item_id", *id));
            }
            let counts: Vec<f32> = lens.iter().map(|n| *n as f32).collect();
            assert_eq!(to_vec(&history.rows.count().squeeze_dim(1)), counts);
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
            let x = w.tables.embed_with(&gather(&dataset(30, 1), &rows).unwrap(), true, None);
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
        let batches =
            [gather(&dataset(30, 1), &[1, 2, 3]).unwrap(), gather(&dataset(30, 1), &[2, 4]).unwrap()];
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

/// Dense tables take ids from columns on their device, of whichever dataset the batch is.
#[test]
fn dense_tables_find_a_batchs_ids_in_the_column() {
    let mut w = weights(Backend::Dense);
    let (long, short) = (dataset(30, 1), dataset(20, 2));
    for (data, rows) in [(&long, [3, 1, 29]), (&long, [0, 0, 9]), (&short, [3, 1, 19]), (&long, [3, 1, 29])] {
        let batch = gather(data, &rows).unwrap();
        let mut plain = batch.clone();
        plain.ids.iter_mut().for_each(|ids| ids.source = None);
        let wanted = to_vec(&w.tables.embed(&plain).fields);
        assert_eq!(to_vec(&w.tables.embed(&batch).fields), wanted);
        // Without a look at the ids: they are not sent.
        let mut unread = batch.clone();
        unread.ids[0].ids = vec![0; 3];
        assert_eq!(to_vec(&w.tables.embed(&unread).fields), wanted);
        unread.ids[0].source = None;
        assert_ne!(to_vec(&w.tables.embed(&unread).fields), wanted);
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

const LINEAR: [&str; 5] = ["l.genre", "l.item_id", "l.user_id", "l.word", "l.year"];

#[test]
fn a_fields_weight_is_pooled_as_its_vector_is() {
    let batch = batch();
    for backend in BACKENDS {
        let mut plain = weights(backend);
        assert_eq!(plain.tables.embed(&batch).linear.size(), [16, 0]);
        let mut w = with_linear(backend, InitScheme::Torch);
        // Vectors whose first numbers are the scalar weights.
        let mut state = w.state();
        for table in LINEAR {
            let values = state[table].copy();
            let vectors = state.get_mut(&table.replace("l.", "t.")).unwrap();
            let rest = vectors.narrow(1, 1, DIM as i64 - 1);
            *vectors = Tensor::cat(&[values, rest], 1);
        }
        w.load(&state, "").unwrap();
        for (track, frozen) in [(false, false), (true, false), (true, true)] {
            let _guard = frozen.then(|| w.freeze(&["l.word", "t.item_id"], Mode::Eval).unwrap());
            let x = w.tables.embed_with(&batch, track, None);
            assert_eq!(x.linear.size(), [16, 7]);
            assert!(magnitude(&x.linear) > 0.1);
            assert!(distance(&x.linear, &x.fields.select(2, 0)) < 1e-6, "{backend:?}");
        }
        // Another vector is no other id.
        let vector = Tensor::full([16, DIM as i64], 7.0, (Kind::Float, Device::Cpu));
        let x = w.tables.embed(&batch);
        assert_eq!(x.with_field(3, &vector).linear, x.linear);
        assert_eq!(w.tables.embed_with(&batch, false, Some((3, &vector))).linear, x.linear);
    }
}

#[test]
fn scalar_weights_are_learned_frozen_and_kept_by_name() {
    for backend in BACKENDS {
        let mut w = with_linear(backend, InitScheme::Torch);
        let batch = batch();
        let loss = |x: &Embedded| (x.linear.sin() * 2.0).sum(Kind::Float);
        let x = w.tables.embed_with(&batch, true, None);
        let gradients = w.gradients(&loss(&x)).unwrap();
        assert_eq!(gradients.keys().map(String::as_str).collect::<Vec<_>>(), LINEAR, "{backend:?}");
        let before = w.state();
        let guard = w.freeze(&["l.word"], Mode::Eval).unwrap();
        let mut optimizer = Optimizer::new(sgd(1.0), &mut w);
        let x = w.tables.embed_with(&batch, true, None);
        optimizer.step(&loss(&x), &mut w).unwrap();
        drop(guard);
        let after = w.state();
        for (name, value) in &before {
            let moved = match gradients.get(name).filter(|_| name != "l.word") {
                Some(gradient) => value - gradient,
                None => value.copy(),
            };
            assert!(distance(&after[name], &moved) < 1e-6, "{backend:?}: {name}");
        }
        let some = w.tables.get_rows("l.item_id", &[39, 0]).unwrap();
        let expected = after["l.item_id"].index_select(0, &Tensor::from_slice(&[39i64, 0]));
        assert_eq!((some.size(), to_vec(&some)), (vec![2, 1], to_vec(&expected)));
        w.tables.set_rows("l.item_id", &[3], &Tensor::from_slice(&[5f32]).unsqueeze(1)).unwrap();
        assert_eq!(to_vec(&w.tables.get_rows("l.item_id", &[3]).unwrap()), [5.0]);
        let mut fresh = with_linear(backend, InitScheme::Uniform(0.01));
        fresh.load(&after, "").unwrap();
        assert!(fresh.state().iter().all(|(name, value)| distance(value, &after[name]) == 0.0));
    }
}

/// 98 rows in five tables, of which every draw is one of a matrix of 98 rows.
#[test]
fn tables_can_begin_as_one_xavier_matrix() {
    let mut w = with_linear(Backend::Deferred, InitScheme::JointXavier);
    let state = w.state();
    let of = |prefix: &str| -> Vec<f32> {
        state.iter().filter(|(n, _)| n.starts_with(prefix)).flat_map(|(_, t)| to_vec(t)).collect()
    };
    for (prefix, dim) in [("t.", DIM), ("l.", 1)] {
        let values = of(prefix);
        assert_eq!(values.len(), 98 * dim);
        let bound = (6.0 / (98.0 + dim as f32)).sqrt();
        let most = values.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(most <= bound && most > 0.95 * bound, "{prefix}: {most} of {bound}");
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let deviation = bound / (3.0 * values.len() as f32).sqrt();
        assert!(mean.abs() < 4.0 * deviation, "{prefix}: {mean}");
    }
}
