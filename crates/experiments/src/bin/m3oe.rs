//! The command line for the M3oE paper's tables: `m3oe run table1`.
fn main() -> std::process::ExitCode {
    scenarec_experiments::cli::main(Some("m3oe"))
}
