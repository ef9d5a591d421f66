//! Numbers on disk.
use scenarec_train::{CURVES, Epoch, Measure, Recorder, Trained};

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

#[test]
fn a_curve_has_a_line_per_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("measures.jsonl");
    Recorder::create(&path, Measure::default()).unwrap().finish().unwrap();
    assert!(!folder.path().join(CURVES).exists(), "nothing was trained");
    let mut recorder = Recorder::create(&path, Measure::default()).unwrap();
    let scored = Trained { losses: vec![0.7, 0.6], scores: vec![0.5, 0.1 + 0.2], ..Trained::default() };
    recorder.curve("train", "m", &scored).unwrap();
    recorder.curve("fine_tune", "", &Trained { losses: vec![0.4], ..Trained::default() }).unwrap();
    recorder.finish().unwrap();
    let text = std::fs::read_to_string(folder.path().join(CURVES)).unwrap();
    let read: Vec<Epoch> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let point = |stage: &str, phase: &str, epoch, loss, score| Epoch {
        stage: stage.into(),
        phase: phase.into(),
        epoch,
        loss,
        score,
    };
    assert_eq!(
        read,
        [
            point("train", "m", 1, 0.7, Some(0.5)),
            point("train", "m", 2, 0.6, Some(0.1 + 0.2)),
            point("fine_tune", "", 1, 0.4, None)
        ]
    );
}
