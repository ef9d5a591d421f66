//! Numbers on disk.
use scenarec_train::{Measure, Recorder};

#[test]
fn a_line_per_number_and_none_that_is_not_finite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("measures.jsonl");
    let common = Measure { dataset: "d".into(), model: "m".into(), seed: 3, ..Measure::default() };
    let mut recorder = Recorder::create(&path, common.clone()).unwrap();
    recorder.record("auc", 0.1 + 0.2, |m| m.phase = "cold".into()).unwrap();
    for (bad, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let error = recorder.record("logloss", bad, |_| {}).unwrap_err().to_string();
        assert_eq!(error, format!("logloss is {text}; the run cannot be trusted"));
    }
    recorder.record("logloss", 1e-300, |m| m.rows = 7).unwrap();
    recorder.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let read: Vec<Measure> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let auc = Measure { metric: "auc".into(), value: 0.1 + 0.2, phase: "cold".into(), ..common.clone() };
    let logloss = Measure { metric: "logloss".into(), value: 1e-300, rows: 7, ..common };
    assert_eq!(read, [auc, logloss], "at full precision");
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let error = Recorder::create(std::path::Path::new("/absent/m.jsonl"), Measure::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot create /absent/m.jsonl");
}
