//! The command line for all tables.
fn main() -> std::process::ExitCode {
    scenarec_experiments::cli::main(None)
}
