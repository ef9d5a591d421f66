//! `predict`: the file holds what the run was evaluated on.
use crate::project::Project;
use arrow::{
    array::{Array, Float32Array, RecordBatch, StringArray, UInt8Array, UInt32Array},
    compute::concat_batches,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scenarec_train::{Measure, metrics::auc};
use std::{collections::BTreeSet, fs, path::PathBuf};

fn read(file: PathBuf) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(|b| b.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> &'a T {
    batch.column_by_name(name).unwrap().as_any().downcast_ref().unwrap()
}

#[test]
fn predictions_have_the_runs_auc() {
    let project = Project::new();
    let table = ["sfpnet-table3", "--quick", "--only", "model=shared-bottom-sfpnet"];
    project.ok(&[&["run"], &table[..], &["--set", "run.keep_nets=true"]].concat());
    let runs = fs::read_dir(project.path("runs")).unwrap().map(|e| e.unwrap().path());
    let run = runs.into_iter().find(|r| r.join("net.safetensors").is_file()).unwrap();
    let net = run.join("net.safetensors");
    let to = ["--net", net.to_str().unwrap(), "--out", "predictions.parquet"];
    let said = project.ok(&[&["predict"], &table[..], &to].concat());
    assert!(said.contains("simulated data") && said.contains("rows of the part test"), "{said}");

    let all = read(project.path("predictions.parquet"));
    let rows: &UInt32Array = column(&all, "row");
    assert_eq!(rows.values().iter().collect::<BTreeSet<_>>().len(), all.num_rows(), "every row once");
    let (labels, logits): (&UInt8Array, &Float32Array) =
        (column(&all, "label.click"), column(&all, "logit.click"));
    let probabilities: &Float32Array = column(&all, "probability.click");
    for (logit, p) in logits.values().iter().zip(probabilities.values()) {
        assert!((p - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
    }
    let scenarios: &StringArray = column(&all, "scenario");
    let text = fs::read_to_string(run.join("measures.jsonl")).unwrap();
    let mut compared = 0;
    for m in text.lines().map(|line| serde_json::from_str::<Measure>(line).unwrap()) {
        if m.metric != "auc" || m.stage != "evaluate" || m.scenario == "all" {
            continue;
        }
        let own: Vec<usize> = (0..all.num_rows()).filter(|i| scenarios.value(*i) == m.scenario).collect();
        let logits: Vec<f32> = own.iter().map(|i| logits.value(*i)).collect();
        let labels: Vec<u8> = own.iter().map(|i| labels.value(*i)).collect();
        assert_eq!(auc(&logits, &labels).unwrap(), Some(m.value), "{}", m.scenario);
        compared += 1;
    }
    assert!(compared > 3, "{compared} scenarios");

    let wrong = project.error(&[&["predict"], &table[..], &to, &["--part", "noon"]].concat());
    assert!(wrong.contains("no split part \"noon\" (there are: all, train, valid, test)"), "{wrong}");
    let other = ["sfpnet-table3", "--quick", "--only", "model=sfpnet"];
    let wrong = project.error(&[&["predict"], &other[..], &to].concat());
    assert!(wrong.starts_with("error: ") && project.path("predictions.parquet").is_file(), "{wrong}");
}
