//! The command line for the SFPNet paper's tables: `sfpnet run table1`.
fn main() -> std::process::ExitCode {
    scenarec_experiments::cli::main(Some("sfpnet"))
}
