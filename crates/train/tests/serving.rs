//! Modules for serving: what they take, and what is refused. The registries' models are exported in `experiments`.
use scenarec_data::{Column, Columns, Dataset, Pooling, Schema, Sequence, Tokens};
use scenarec_train::{
    Build, CtrModel, Embedded, Feed, InitScheme, Net, Output, Params,
    net::predict,
    nn::Linear,
    serving::{Exported, Holds, Size, TOLERANCE, export, largest_difference},
    testing::{all, dataset, net, scramble},
};
use std::sync::Arc;
use tch::{CModule, Tensor};

/// Every field's vector, a sequence's mean among them, through a layer; and what a test adds.
struct Model {
    layer: Linear,
    add: fn(&Embedded) -> Tensor,
}

impl Model {
    fn net(schema: &Schema, add: fn(&Embedded) -> Tensor) -> Net {
        let width = 4 * (schema.embedded().count() + 1) + schema.reals().count();
        let model = |p: &mut Params<'_>| -> anyhow::Result<Box<dyn CtrModel>> {
            Ok(Box::new(Self { layer: Linear::new(&mut p.sub("layer"), width as i64, 1), add }))
        };
        let mut net = Net::new(schema, 4, InitScheme::Torch, Build::cpu(1), model).unwrap();
        scramble(&mut net.weights, 1);
        net
    }
}

impl CtrModel for Model {
    fn forward(&self, x: &Embedded, _: bool) -> Output {
        let history = x.sequences[0].rows.sum(&x.sequences[0].x);
        let logits = self.layer.forward(&Tensor::cat(&[x.flat(), history], 1)) + (self.add)(x);
        Output { logits, aux: vec![] }
    }
}

fn nothing(x: &Embedded) -> Tensor {
    x.reals.narrow(1, 0, 1) * 0.0
}

fn exported(net: &mut Net, data: &Arc<Dataset>) -> (anyhow::Result<Exported>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let exported = export(net, data, &folder.path().join("net.pt"));
    (exported, folder)
}

#[test]
fn inputs_follow_the_columns() {
    let data = dataset(60, 1);
    let (exported, folder) = exported(&mut Model::net(&data.schema, nothing), &data);
    let Exported { inputs, example, .. } = exported.unwrap();
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let wanted = "ids.item_id ids.user_id ids.last_item ids.year list.title length.title list.tags length.tags list.genres \
                  length.genres weight.genres list.history length.history real.hour real.count scenario";
    assert_eq!(names.join(" "), wanted);
    let of = |name: &str| inputs.iter().find(|input| input.name == name).unwrap();
    assert_eq!(
        (of("ids.last_item").below, of("scenario").below, of("length.tags").below),
        (Some(40), Some(2), None)
    );
    assert_eq!(of("list.title").pooling, Some(Pooling::SumPadded { len: 4 }));
    assert_eq!(
        (&of("list.history").shape[1], of("list.history").argument.as_str()),
        (&Size::Fixed(5), "list_history")
    );

    // The example is enough to see that the module is right, also with another padding.
    let module = CModule::load(folder.path().join("net.pt")).unwrap();
    let given = |padding: i64| -> Vec<Tensor> {
        let tensor = |name: &str| match padding {
            0 => example[name].shallow_clone(),
            _ if name.starts_with("list.title") => example[name].constant_pad_nd([0, padding]),
            _ => example[name].shallow_clone(),
        };
        names.iter().map(|name| tensor(name)).collect()
    };
    for padding in [0, 3] {
        let logits = module.forward_ts(&given(padding)).unwrap();
        assert!(largest_difference(&logits, &example["logits"]).unwrap() <= TOLERANCE);
    }
}

/// Tokens of several ids, some of none, with weights.
#[test]
fn tokens_may_have_several_ids() {
    let mut data = Arc::unwrap_or_clone(dataset(60, 1));
    let mut columns = data.resident().unwrap().to_vec();
    let place = data.schema.sequences().next().unwrap().0;
    let Column::Sequence(Sequence { spans, tokens }) = columns[place].clone() else { panic!("a sequence") };
    let ends = (0..=tokens.values.len() as u32).map(|t| (0..t).map(|t| t % 4).sum());
    let offsets: Vec<u32> = ends.collect();
    let n = *offsets.last().unwrap();
    let several = Tokens {
        offsets: Some(offsets),
        values: (0..n).map(|i| i * 7 % 40).collect(),
        weights: Some((0..n).map(|i| 0.25 + i as f32 / n as f32).collect()),
    };
    columns[place] = Column::Sequence(Sequence { spans, tokens: several.into() });
    data.columns = Columns::Resident(columns);
    scenarec_train::feed::check(&data).unwrap();
    let data = Arc::new(data);

    let mut net = Model::net(&data.schema, nothing);
    let (exported, folder) = exported(&mut net, &data);
    let inputs = exported.unwrap().inputs;
    let weights = inputs.iter().find(|input| input.name == "weight.history").unwrap();
    assert_eq!((weights.holds, &weights.shape[1..]), (Holds::Weights, &[Size::Fixed(5), Size::Any('M')][..]));
    let module = CModule::load(folder.path().join("net.pt")).unwrap();
    let rows: Vec<u32> = (5..40).collect();
    let found = module.forward_ts(&inputs.tensors(&data, &rows, &[0; 35]).unwrap()).unwrap();
    let wanted = &predict(&mut net, &Feed::new(data, rows), 8).unwrap()[0];
    assert!(largest_difference(&found.squeeze_dim(1), &Tensor::from_slice(wanted)).unwrap() <= TOLERANCE);
}

/// A net goes on as it was: with its gradients, in its graph.
#[test]
fn the_net_stays_as_it_is() {
    let data = dataset(60, 2);
    let mut small = net(&data.schema, Build::cpu(1));
    let before = small.weights.state();
    exported(&mut small, &data).0.unwrap();
    assert!(scenarec_train::testing::changed(&before, &small.weights.state()).is_empty());
    assert_eq!(small.weights.params.active().len(), small.weights.params.names().count());
    predict(&mut small, &all(&data), 7).unwrap();
}

#[test]
fn what_depends_on_the_batch_is_refused() {
    let data = dataset(60, 1);
    let refused = |add| format!("{:#}", exported(&mut Model::net(&data.schema, add), &data).0.unwrap_err());
    // On the number of rows.
    let error = refused(|x| nothing(x) + x.fields.size()[0] as f64);
    assert!(error.contains("the module's logits of 1 rows are not the net's"), "{error}");
    // In a shape.
    let error = refused(|x| x.reals.narrow(1, 0, 1).view([x.fields.size()[0], 1]));
    assert!(error.contains("the module fails on 1 rows"), "{error}");
    // On values that the host has read.
    let error = refused(|x| nothing(x) + x.reals.max().double_value(&[]) * 10.0);
    assert!(error.contains("are not the net's"), "{error}");
}
