//! Trains two towers on MovieLens-100K. Called in this folder; nothing is written outside it.
use anyhow::{Result, ensure};
use own_model::{test, train};
use scenarec_data::Roots;
use scenarec_train::Silent;
use std::path::Path;

fn main() -> Result<()> {
    let (dataset, net_file) = (Path::new("clicks.yaml"), Path::new("target/two-towers.safetensors"));
    let roots = Roots { raw: "../../data/raw".into(), cache: "target/cache".into() };
    std::fs::create_dir_all("target")?;
    let report = train(dataset, &roots, 1, net_file, &Silent)?;
    for (epoch, auc) in report.valid.iter().enumerate() {
        println!("epoch {}: validation AUC {auc:.4}", epoch + 1);
    }
    println!("test, {} data: AUC {:.4}, logloss {:.4}", report.provenance, report.auc, report.logloss);

    let again = test(dataset, &roots, net_file)?;
    ensure!(again == (report.auc, report.logloss), "the net that was read back says {again:?}");
    println!("saved as {}; read back, it says the same", net_file.display());
    Ok(())
}
