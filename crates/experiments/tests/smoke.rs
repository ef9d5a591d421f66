//! Every table and figure of the repository runs in quick mode, on simulated data.
use crate::project::{Project, repository};
use scenarec_experiments::spec::Catalog;

#[test]
fn every_table_runs_in_quick_mode() {
    let tables = Catalog::open(&repository().join("configs")).names("table");
    // One project: what tables share is computed once.
    let project = Project::new();
    for table in &tables {
        let shown = project.ok(&["run", table, "--quick"]);
        assert!(shown.contains("quick, simulated"), "{shown}");
        let csv = project.read(&format!("runs/reports/{table}-quick.csv"));
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().unwrap().clone();
        let column = |name: &str| header.iter().position(|h| h == name).unwrap();
        let (status, provenance) = (column("status"), column("provenance"));
        let mut cells = 0;
        for cell in reader.records().map(Result::unwrap) {
            assert_eq!((&cell[status], &cell[provenance]), ("done", "simulated"), "{table}: {cell:?}");
            cells += 1;
        }
        assert!(cells > 0, "{table} has no cell");
    }
}
