//! The command line for the SACN paper's tables: `sacn run table1`.
fn main() -> std::process::ExitCode {
    scenarec_experiments::cli::main(Some("sacn"))
}
