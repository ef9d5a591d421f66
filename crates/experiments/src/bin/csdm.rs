//! The command line for the CSDM paper's tables: `csdm run table1`.
fn main() -> std::process::ExitCode {
    scenarec_experiments::cli::main(Some("csdm"))
}
