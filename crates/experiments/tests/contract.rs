//! What every model of the registry must do, in its default configuration.
use scenarec_data::{Column, Columns, Dataset, Field, Kind as FieldKind, Sequence, Tokens};
use scenarec_experiments::models::{build, model, models};
use scenarec_train::{
    Backend, Build, Feed, Mode, ModelEntry, Net, OptimSpec, Optimizer, State,
    feed::gather,
    labels, loss, metrics, predict,
    testing::{all, changed, dataset, distance, magnitude, model_config, schema, scramble, without_reals},
};
use serde_yaml::Value;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// A model's configuration in the file of its name.
pub fn default_config(model: &ModelEntry) -> Value {
    model_config(models(), &model.name.replace('_', "-"))
}

/// Parameters whose gradient is rightly nothing but rounding. They must have such a gradient.
fn without_gradient(model: &str, net: &mut Net) -> Vec<String> {
    let state = net.weights.state();
    // Batch norm subtracts the batch's mean, and with it the bias of the layer before.
    let layers = state.keys().filter_map(|name| name.strip_suffix("norm.running_mean"));
    let biases = layers.map(|layer| format!("{layer}linear.bias")).filter(|bias| state.contains_key(bias));
    // A gate over the one shared expert: its only weight is 1.
    let gate = state.keys().filter(|name| model == "m3oe" && name.starts_with("gate.")).cloned();
    biases.chain(gate).collect()
}

/// Number of tasks of the data for a model: two, unless it refuses them.
fn tasks(name: &str) -> usize {
    let two = build(&with_tasks(name, 2).schema, &default_config(model(name).unwrap()), Build::cpu(1));
    if two.is_ok() { 2 } else { 1 }
}

/// 120 rows for a model, of two scenarios but where it has one, without real numbers where it has no place for them.
pub fn data(model: &str) -> Arc<Dataset> {
    Arc::new(with_tasks(model, tasks(model)))
}

fn with_tasks(model: &str, tasks: usize) -> Dataset {
    let mut data = Arc::unwrap_or_clone(dataset(120, tasks));
    if model == "mlp" {
        data.schema.scenarios.truncate(1);
        data.scenario.fill(0);
    }
    if ["sfpnet", "sacn"].contains(&model) {
        without_reals(&mut data);
    }
    if model == "sacn" {
        with_attributes(&mut data);
    }
    data
}

/// The years and the genres of the items in the history, as sequences of attributes.
fn with_attributes(data: &mut Dataset) {
    let place = data.schema.fields.iter().position(|f| matches!(f.kind, FieldKind::Sequence { .. }));
    let place = place.expect("a sequence");
    let mut columns = data.resident().unwrap().to_vec();
    let Column::Sequence(Sequence { spans, tokens }) = columns[place].clone() else { panic!("a sequence") };
    let field = data.schema.fields[place].clone();
    for (table, rows) in [("year", 5), ("genre", 8)] {
        let values = tokens.values.iter().map(|item| item % rows).collect();
        let tokens = Arc::new(Tokens { values, ..(*tokens).clone() });
        columns.push(Column::Sequence(Sequence { spans: spans.clone(), tokens }));
        let own = Field { name: format!("past_{table}s"), table: Some(table.into()), ..field.clone() };
        data.schema.fields.push(own);
    }
    data.columns = Columns::Resident(columns);
}

/// A model in its default configuration, with data for it.
struct Case {
    name: &'static str,
    config: Value,
    data: Arc<Dataset>,
}

/// A case for every entry of the registry, its configuration from configs/models.
fn cases() -> Vec<Case> {
    let case = |m: &ModelEntry| Case { name: m.name, config: default_config(m), data: data(m.name) };
    models().map(case).collect()
}

impl Case {
    fn net(&self, seed: u64) -> Net {
        build(&self.data.schema, &self.config, Build::cpu(seed)).unwrap()
    }

    /// With weights that no initialisation chose: some start so small that nothing shows.
    fn scrambled(&self, seed: u64) -> Net {
        let mut net = self.net(seed);
        scramble(&mut net.weights, seed);
        net
    }

    /// With weights so large that logits are, too.
    fn large(&self, seed: u64) -> Net {
        let mut net = self.net(seed);
        (seed..seed + 9).for_each(|seed| scramble(&mut net.weights, seed));
        net
    }

    fn feed(&self, rows: &[u32]) -> Feed {
        Feed::new(self.data.clone(), rows.to_vec())
    }

    /// `[rows, T]` in evaluation mode, from one batch.
    fn logits(&self, net: &mut Net, rows: &[u32]) -> Tensor {
        logits(net, &self.feed(rows))
    }

    /// The training loss of all rows.
    fn loss(&self, net: &mut Net) -> Tensor {
        let batch = all(&self.data).in_order(self.data.rows()).next().unwrap().unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        loss(&net.forward(&x, true), &labels(&batch, Device::Cpu))
    }

    /// The default configuration without dropout.
    fn without_dropout(mut self) -> Self {
        if self.config.get("dropout").is_some() {
            self.config["dropout"] = 0.0.into();
        }
        self
    }
}

fn logits(net: &mut Net, feed: &Feed) -> Tensor {
    let by_task = predict(net, feed, feed.rows().len()).unwrap();
    Tensor::stack(&by_task.iter().map(|l| Tensor::from_slice(l)).collect::<Vec<_>>(), 1)
}

fn first(n: u32) -> Vec<u32> {
    (0..n).collect()
}

#[test]
fn every_model_is_known_by_its_name() {
    assert!(models().count() > 20);
    for case in cases() {
        assert_eq!(model(case.name).unwrap().name, case.name);
        let mut wrong = case.config.clone();
        wrong["no_such_key"] = 1.into();
        let error = model(case.name).unwrap().resolve(wrong).unwrap_err().to_string();
        assert!(error.contains("no_such_key"), "{error}");
        let again = model(case.name).unwrap().resolve(case.config.clone()).unwrap();
        assert_eq!(again, case.config, "{}: a resolved configuration is complete", case.name);
    }
    // What a model cannot be built for is said, and not built.
    for case in cases() {
        let mut none = case.config.clone();
        none["dim"] = 0.into();
        assert!(model(case.name).unwrap().resolve(none).is_err(), "{}: a width of 0", case.name);
    }
    let error = model("deepfn").unwrap_err().to_string();
    assert!(error.starts_with("unknown model \"deepfn\"; known are deepfm"), "{error}");
}

#[test]
fn logits_have_a_column_per_task_in_both_modes() {
    for case in cases() {
        let mut net = case.large(1);
        for train in [true, false] {
            let x = net.weights.tables.embed(&gather(&case.data, &first(17)).unwrap());
            let output = net.forward(&x, train);
            assert_eq!(output.logits.size(), [17, case.data.labels.len() as i64], "{}", case.name);
            assert!(output.aux.iter().all(|(_, loss)| loss.size().is_empty()), "{}", case.name);
        }
        // Never a sigmoid: logits have both signs and leave [0, 1], in one net or another.
        let of_nets = [1, 101, 201].map(|seed| case.logits(&mut case.large(seed), &first(120)));
        let logits = Tensor::cat(&of_nets, 0);
        let (low, high) = (logits.min().double_value(&[]), logits.max().double_value(&[]));
        assert!(low < -0.5 && high > 1.1, "{}: {low} to {high}", case.name);
    }
}

#[test]
fn one_row_is_a_batch_in_evaluation() {
    for case in cases() {
        let mut net = case.scrambled(1);
        let logits = case.logits(&mut net, &[5]);
        assert_eq!(logits.size(), [1, case.data.labels.len() as i64]);
        assert!(magnitude(&logits).is_finite() && magnitude(&logits) > 0.0, "{}", case.name);
    }
}

#[test]
fn every_parameter_gets_a_gradient() {
    for case in cases() {
        // From U(-0.01, 0.01) gradients of the lowest layers can be as small as rounding: there they need only exist.
        for (mut net, least) in [(case.net(1), 0.0), (case.scrambled(1), 1e-4)] {
            let loss = case.loss(&mut net);
            let gradients = net.weights.gradients(&loss).unwrap();
            let listed = without_gradient(case.name, &mut net);
            let names = net.weights.names();
            let (rounding, open): (Vec<&str>, Vec<&str>) =
                names.into_iter().partition(|name| listed.iter().any(|own| own == name));
            assert_eq!(rounding.len(), listed.len(), "{}: {listed:?}", case.name);
            let size = |name: &str| {
                let gradient =
                    gradients.get(name).unwrap_or_else(|| panic!("{}: {name} has none", case.name));
                magnitude(gradient)
            };
            for name in open {
                let size = size(name);
                assert!(size > least && size.is_finite(), "{}: {name}: {size:e}", case.name);
            }
            for name in rounding {
                assert!(size(name) < 1e-7, "{}: {name} has a gradient, {:e}", case.name, size(name));
            }
        }
    }
}

/// The rows of a table that no row of the batch names get no gradient.
#[test]
fn a_batch_reaches_the_rows_it_names_and_no_others() {
    for case in cases() {
        let mut net = case.scrambled(1);
        let rows = first(6);
        let batch = gather(&case.data, &rows).unwrap();
        let x = net.weights.tables.embed_with(&batch, true, None);
        // Not the loss, of which rows with large logits have a gradient of exactly 0.
        let sum = net.forward(&x, true).logits.sum(Kind::Float);
        let gradients = net.weights.gradients(&sum).unwrap();
        let Some(Column::Id(users)) = case.data.column("user_id") else { panic!("users are ids") };
        let named: Vec<i64> =
            (0..25).filter(|u| rows.iter().any(|r| users[*r as usize] == *u as u32)).collect();
        let gradient = &gradients["embedding.user_id"];
        let reached: Vec<i64> = (0..25).filter(|u| magnitude(&gradient.get(*u)) > 0.0).collect();
        assert_eq!(reached, named, "{}", case.name);
    }
}

#[test]
fn what_is_frozen_does_not_move() {
    for case in cases() {
        let names: Vec<String> = case.net(1).weights.names().into_iter().map(String::from).collect();
        let mut net = case.scrambled(1);
        for name in &names {
            let _guard = net.weights.freeze(&[name], Mode::Train).unwrap();
            let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
            let before = net.weights.state();
            let loss = case.loss(&mut net);
            optimizer.step(&loss, &mut net.weights).unwrap();
            let moved = changed(&before, &net.weights.state());
            let still: Vec<&String> = names.iter().filter(|n| !moved.contains(n)).collect();
            assert_eq!(still, [name], "{}", case.name);
        }
    }
}

#[test]
fn sixty_four_rows_can_be_learned_by_heart() {
    for case in cases().into_iter().map(Case::without_dropout) {
        let mut net = case.net(1);
        let feed = case.feed(&first(64));
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 0.0), &mut net.weights);
        let auc = |net: &mut Net| -> Vec<f64> {
            let logits = predict(net, &feed, 64).unwrap();
            let labels = case.data.labels.iter().map(|l| &l[..64]);
            logits.iter().zip(labels).map(|(l, y)| metrics::auc(l, y).unwrap().unwrap()).collect()
        };
        let before = auc(&mut net);
        assert!(before.iter().all(|a| *a < 0.9), "{}: there is something to learn: {before:?}", case.name);
        for step in 1..=150 {
            let batch = feed.in_order(64).next().unwrap().unwrap();
            let x = net.weights.tables.embed_with(&batch, true, None);
            let loss = loss(&net.forward(&x, true), &labels(&batch, Device::Cpu));
            optimizer.step(&loss, &mut net.weights).unwrap();
            if step % 10 == 0 && auc(&mut net).iter().all(|a| *a > 0.99) {
                break;
            }
        }
        let after = auc(&mut net);
        assert!(after.iter().all(|a| *a > 0.99), "{}: {after:?}", case.name);
    }
}

/// Logits differ enough between rows that a row's dependence on others would show.
fn spread(logits: &Tensor) -> f64 {
    logits.std(true).double_value(&[])
}

#[test]
fn in_evaluation_a_row_does_not_depend_on_the_others() {
    for case in cases() {
        let mut net = case.scrambled(1);
        let rows = first(32);
        let together = case.logits(&mut net, &rows);
        assert!(spread(&together) > 0.1, "{}", case.name);
        // Networks without normalisation have large logits, and rounding with them.
        let near = 1e-4_f64.max(3e-5 * magnitude(&together));
        let alone: Vec<Tensor> = rows.iter().map(|r| case.logits(&mut net, &[*r])).collect();
        let off = distance(&together, &Tensor::cat(&alone, 0));
        assert!(off < near, "{}: {off}, not {near}", case.name);
        let mut order: Vec<u32> = rows.iter().rev().copied().collect();
        order.swap(3, 20);
        let index: Vec<i64> = order.iter().map(|r| i64::from(*r)).collect();
        let permuted = case.logits(&mut net, &order);
        let expected = together.index_select(0, &Tensor::from_slice(&index));
        assert!(distance(&permuted, &together) > 0.1, "{}: the order matters", case.name);
        assert!(distance(&permuted, &expected) < near, "{}", case.name);
    }
}

#[test]
fn one_scenarios_rows_do_not_depend_on_anothers() {
    for case in cases().into_iter().filter(|c| c.data.schema.scenarios.len() > 1) {
        let mut net = case.scrambled(1);
        let scenario = &case.data.scenario;
        let of = |s: u16| first(120).into_iter().filter(move |r| scenario[*r as usize] == s);
        let (own, others): (Vec<u32>, Vec<u32>) = (of(0).take(10).collect(), of(1).collect());
        let beside = |other: &[u32]| [&own, other].concat();
        let a = case.logits(&mut net, &beside(&others[..10]));
        let b = case.logits(&mut net, &beside(&others[10..20]));
        assert!(distance(&a.narrow(0, 10, 10), &b.narrow(0, 10, 10)) > 0.1, "{}: other rows", case.name);
        assert!(distance(&a.narrow(0, 0, 10), &b.narrow(0, 0, 10)) < 1e-5, "{}", case.name);
    }
}

#[test]
fn saved_and_loaded_nets_agree_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        let path = folder.path().join(case.name);
        let mut saved = case.scrambled(1);
        saved.save(&path).unwrap();
        let mut loaded = case.net(2);
        let rows = first(120);
        assert_ne!(case.logits(&mut saved, &rows), case.logits(&mut loaded, &rows), "{}", case.name);
        loaded.load(&path).unwrap();
        assert_eq!(changed(&saved.weights.state(), &loaded.weights.state()), Vec::<String>::new());
        assert_eq!(case.logits(&mut saved, &rows), case.logits(&mut loaded, &rows), "{}", case.name);
    }
}

#[test]
fn a_seed_decides_the_start_and_the_masks() {
    for case in cases() {
        let trained = |seed| -> State {
            let mut net = case.net(seed);
            let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
            for _ in 0..3 {
                let loss = case.loss(&mut net);
                optimizer.step(&loss, &mut net.weights).unwrap();
            }
            net.weights.state()
        };
        assert_eq!(changed(&trained(1), &trained(1)), Vec::<String>::new(), "{}", case.name);
        assert!(!changed(&trained(1), &trained(2)).is_empty(), "{}", case.name);
    }
}

/// The way on a GPU: dense tables give the same logits and gradients.
#[test]
fn dense_tables_agree_with_deferred_ones() {
    for case in cases().into_iter().map(Case::without_dropout) {
        let with = |backend| {
            let how = Build { seed: 1, device: Device::Cpu, backend };
            build(&case.data.schema, &case.config, how).unwrap()
        };
        let (mut deferred, mut dense) = (with(Backend::Deferred), with(Backend::Dense));
        scramble(&mut deferred.weights, 1);
        dense.weights.load(&deferred.weights.state(), "").unwrap();
        let [a, b] = [&mut deferred, &mut dense].map(|net| {
            let loss = case.loss(net);
            net.weights.gradients(&loss).unwrap()
        });
        assert!(a.keys().eq(b.keys()), "{}", case.name);
        // Sigmoids of sums in the hundreds: the slope's relative error is the sum's absolute one.
        let near = if case.name == "adasparse" { 1e-3 } else { 1e-4 };
        for (name, gradient) in &a {
            let size = magnitude(gradient).max(1e-3);
            assert!(distance(gradient, &b[name]) < near * size, "{}: {name}", case.name);
        }
    }
}

/// What CSDM, CVAR and others do: another vector in the place of the item id's.
#[test]
fn another_item_vector_gives_other_logits() {
    for case in cases() {
        let mut net = case.scrambled(1);
        let batch = gather(&case.data, &first(20)).unwrap();
        let item = net.weights.tables.slot("item_id").unwrap() as i64;
        let x = net.weights.tables.embed(&batch);
        let same = x.with_field(item, &x.fields.select(1, item));
        let vector = x.fields.select(1, item).flip([0]).set_requires_grad(true);
        let other = x.with_field(item, &vector);
        let logits = net.forward(&other, false).logits;
        logits.sum(Kind::Float).backward();
        assert_eq!(net.forward(&same, false).logits, net.forward(&x, false).logits, "{}", case.name);
        assert!(distance(&logits, &net.forward(&x, false).logits) > 1e-2, "{}", case.name);
        assert!(magnitude(&vector.grad()) > 1e-3, "{}: the vector gets a gradient", case.name);
    }
}

/// A model without its real fields: the part that reads them is empty, and nothing else changes.
#[test]
fn data_without_real_fields_will_do() {
    let folder = tempfile::tempdir().unwrap();
    for mut case in cases() {
        let mut data = Arc::unwrap_or_clone(case.data);
        without_reals(&mut data);
        case.data = Arc::new(data);
        assert_eq!(case.data.schema.reals().count(), 0);

        let mut net = case.large(1);
        let mut optimizer = Optimizer::new(OptimSpec::adam(0.01, 1e-3), &mut net.weights);
        let before = case.logits(&mut net, &first(120));
        assert!(spread(&before) > 0.1, "{}", case.name);
        let loss = case.loss(&mut net);
        optimizer.step(&loss, &mut net.weights).unwrap();
        let after = case.logits(&mut net, &first(120));
        assert!(distance(&before, &after) > 1e-3 && magnitude(&after).is_finite(), "{}", case.name);

        let path = folder.path().join(case.name);
        net.save(&path).unwrap();
        let mut loaded = case.net(2);
        loaded.load(&path).unwrap();
        assert_eq!(case.logits(&mut loaded, &first(120)), after, "{}", case.name);
    }
}

#[test]
fn models_of_one_task_refuse_two() {
    for case in cases().iter().filter(|c| tasks(c.name) == 1 && c.name != "mlp") {
        let error = build(&schema(2), &case.config, Build::cpu(1)).unwrap_err().to_string();
        assert_eq!(error, format!("{} has one task, the data have 2", case.name));
    }
}

#[test]
fn an_mlp_refuses_several_pairs_of_a_scenario_and_a_task() {
    let config = default_config(model("mlp").unwrap());
    for tasks in [1, 2] {
        let error = build(&schema(tasks), &config, Build::cpu(1)).unwrap_err().to_string();
        let expected = format!("mlp is for one scenario and one task, not for 2 and {tasks}: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}
