//! What the table promises about its calls.

use super::reference::Pair;
use crate::table::{Bags, EmbeddingTable, Rule};

fn counted(rows: usize, dim: usize) -> EmbeddingTable {
    EmbeddingTable::new((0..rows * dim).map(|k| k as f32).collect(), dim).named("counted")
}

#[test]
fn bags_are_weighted_sums() {
    let mut table = counted(4, 2);
    let mut out = [-1.0; 9];
    let bags = Bags { ids: &[0, 3, 1], offsets: Some(&[0, 2, 2, 3]), weights: Some(&[1.0, 2.0, 0.5]) };
    table.gather(&bags, &mut out, 3);
    assert_eq!(out, [12.0, 15.0, -1.0, 0.0, 0.0, -1.0, 1.0, 1.5, -1.0]);
    assert_eq!(table.mean(), [3.0, 4.0]);
    assert_eq!(table.row(2), [4.0, 5.0]);
}

#[test]
fn gradients_are_summed_per_row_in_order_of_first_touch() {
    let mut table = counted(10, 1);
    table.attach(Rule::sgd(0.0));
    assert!(!table.in_graph());
    table.accumulate(&Bags::ids(&[7, 2, 7]), &[1.0, 10.0, 100.0], 1);
    let bags = Bags { ids: &[2, 9], offsets: Some(&[0, 2]), weights: Some(&[1.0, -1.0]) };
    table.accumulate(&bags, &[1000.0], 1);
    assert!(table.in_graph());
    assert_eq!(table.touched_grad(), (&[7, 2, 9][..], &[101.0, 1010.0, -1000.0][..]));
    assert!(table.step(1.0));
    assert!(!table.in_graph());
    assert_eq!(table.touched_grad(), (&[][..], &[][..]));
    assert_eq!(table.weights(), [0.0, 1.0, -1008.0, 3.0, 4.0, 5.0, 6.0, -94.0, 8.0, 1009.0]);
}

#[test]
fn a_step_without_the_table_is_no_step() {
    let rule = Rule::Sgd { momentum: 0.9, weight_decay: 0.1 };
    let mut pair = Pair::new(5, 3, rule, 1);
    pair.step(0.1);
    let before = pair.table.weights().to_vec();
    assert!(!pair.table.step(0.1));
    assert_eq!(pair.table.clock(), 1);
    assert_eq!(pair.table.weights(), before);
    // A look-up of no ids is part of the graph all the same: gradients of zero, and the decay.
    pair.table.accumulate(&Bags::ids(&[]), &[], 3);
    assert!(pair.table.step(0.1));
    assert_eq!(pair.table.clock(), 2);
    assert!(pair.table.weights() != before);
}

#[test]
fn overwriting_keeps_state_and_detaching_drops_it() {
    let mut pair = Pair::new(20, 4, Rule::adam(0.0), 2);
    for _ in 0..50 {
        pair.step(1e-2);
    }
    pair.table.set_weights(&[0.5; 80]);
    pair.dense.w.fill(0.5);
    pair.exact.w.fill(0.5);
    for _ in 0..50 {
        pair.step(1e-2);
    }
    assert!(pair.error() < 1e-5);
    pair.table.detach();
    assert_eq!(pair.table.rule(), None);
    let weights = pair.table.weights().to_vec();
    pair.table.attach(Rule::adam(0.0));
    assert_eq!(pair.table.clock(), 0);
    assert_eq!(pair.table.weights(), weights);
}

#[test]
fn discarded_gradients_do_not_count() {
    let mut table = counted(3, 1);
    table.attach(Rule::sgd(0.0));
    table.accumulate(&Bags::ids(&[1]), &[5.0], 1);
    table.discard_grad();
    assert!(!table.step(1.0));
    assert_eq!(table.weights(), [0.0, 1.0, 2.0]);
}

#[test]
fn empty_tables_and_batches() {
    let mut table = EmbeddingTable::new(vec![], 4);
    table.attach(Rule::adam(1e-3));
    table.gather(&Bags::ids(&[]), &mut [], 4);
    assert_eq!(table.weights(), [0.0; 0]);
}

#[test]
#[should_panic(
    expected = "table counted has 3 rows, but 2 of 4 ids are out of range: ids[1] = 3, ids[3] = 9"
)]
fn ids_out_of_range_are_named() {
    counted(3, 2).gather(&Bags::ids(&[0, 3, 2, 9]), &mut [0.0; 8], 2);
}

#[test]
#[should_panic(expected = "a step without an optimiser")]
fn a_step_needs_an_optimiser() {
    counted(3, 2).step(0.1);
}

#[test]
fn denormals_are_back_after_a_call() {
    let mut pair = Pair::new(5, 3, Rule::adam(1e-3), 1);
    pair.step(0.1);
    let tiny = std::hint::black_box(f32::MIN_POSITIVE);
    assert!(tiny / 2.0 > 0.0);
}
