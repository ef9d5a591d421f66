//! The procedure around a generator, with the plainest one: a linear map of the side information.
use crate::generator_contract::{self as contract, apply, with_batch};
use anyhow::Result;
use scenarec_data::Schema;
use scenarec_train::{
    Batch, Build, Embedded, InitScheme, Net, ParamSet, Weights, bce,
    cold::{Generator, GeneratorBatch, Plain, Side, SideChoice},
    nn::Linear,
    testing::{DIM, all, changed, dataset, schema},
    to_vec,
};
use tch::Tensor;

struct Map {
    weights: Weights,
    side: Side,
    linear: Linear,
}

fn map(schema: &Schema, dim: usize, build: Build) -> Map {
    let (side, tables) = Side::new(schema, SideChoice::Listed, "count", dim, build).unwrap();
    let mut params = ParamSet::new(build.device, build.seed, InitScheme::Torch);
    let linear = Linear::new(&mut params.root().sub("linear"), side.width(), dim as i64);
    Map { weights: Weights { tables, params }, side, linear }
}

impl Generator for Map {
    fn weights(&mut self) -> &mut Weights {
        &mut self.weights
    }

    fn loss(&mut self, net: &Net, batch: &GeneratorBatch<'_>) -> Result<Tensor> {
        let s = self.side.vector(&mut self.weights.tables, batch.batch, true);
        Ok(bce(&batch.logits_with(net, &self.linear.forward(&s)), batch.labels))
    }

    fn generate(&mut self, batch: &Batch, _: &Embedded) -> Result<Tensor> {
        let s = self.side.vector(&mut self.weights.tables, batch, false);
        Ok(self.linear.forward(&s))
    }
}

#[test]
fn every_parameter_learns() {
    contract::every_parameter_learns(&map, &[]);
}

#[test]
fn the_net_gets_new_rows_only() {
    contract::the_net_gets_new_rows_only(&map);
}

#[test]
fn a_seed_decides_everything() {
    contract::a_seed_decides_everything(&map);
}

#[test]
fn the_loss_falls() {
    contract::the_loss_falls(&map, 0.93);
}

#[test]
fn generation_is_a_function_of_the_row() {
    contract::generation_is_a_function_of_the_row(&map, 0.0);
}

#[test]
fn the_backbone_as_it_is_stays_as_it_is() {
    for phase in [None, Some("warm_a")] {
        let effect = apply(&mut Plain, phase);
        assert_eq!(changed(&effect.before, &effect.after), Vec::<String>::new());
        assert_eq!((effect.steps, effect.measures.len()), (0, 0));
    }
}

#[test]
fn side_information_is_the_chosen_fields_in_the_schemas_order() {
    let (data, build) = (dataset(20, 1), Build::cpu(1));
    let batch = all(&data).in_order(20).next().unwrap().unwrap();
    for (choice, fields, last) in [
        (SideChoice::Listed, vec!["item_id", "year", "title", "genres"], 9),
        (SideChoice::FeaturesOnly, vec!["year", "title", "tags", "genres"], 9),
    ] {
        let (side, mut tables) = Side::new(&data.schema, choice, "count", DIM, build).unwrap();
        assert_eq!(side.width(), (fields.len() * DIM + 1) as i64);
        let slots: Vec<Option<usize>> = fields.iter().map(|f| tables.slot(f)).collect();
        assert_eq!(slots, (0..fields.len()).map(Some).collect::<Vec<_>>());
        let s = side.vector(&mut tables, &batch, false);
        let x = tables.embed(&batch);
        assert_eq!(to_vec(&s.narrow(1, 0, 16)), to_vec(&x.fields));
        let column = &data.resident().unwrap()[last];
        let scenarec_data::Column::Real(count) = column else { panic!("count is a real field") };
        assert_eq!(&to_vec(&s.narrow(1, 16, 1)), count);
        assert_eq!(&to_vec(&side.frequency(&x.reals)), count);
    }
    let error = Side::new(&schema(1), SideChoice::Listed, "cuont", DIM, build).unwrap_err().to_string();
    assert_eq!(error, "no real field is called \"cuont\"");
}

/// The net runs as the recipe's guard says; here in training mode, so its statistics move.
#[test]
fn logits_are_those_of_the_net_with_the_generated_vector_in_place() {
    let data = dataset(60, 1);
    let mut net = contract::trained_net(&data);
    with_batch(&mut net, &all(&data), |net, batch| {
        assert!(batch.net_train);
        let own = batch.item_embedding();
        assert_eq!(to_vec(&own), to_vec(&batch.embedded.fields.select(1, batch.item)));
        let eval = GeneratorBatch { net_train: false, ..*batch };
        assert_eq!(to_vec(&eval.logits_with(net, &own)), to_vec(&net.forward(batch.embedded, false).logits));
        assert_ne!(
            to_vec(&eval.logits_with(net, &(own + 1.0))),
            to_vec(&net.forward(batch.embedded, false).logits)
        );
    });
}
