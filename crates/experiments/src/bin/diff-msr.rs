//! The command line for the Diff-MSR paper's tables: `diff-msr run table1`.
fn main() -> std::process::ExitCode {
    scenarec_experiments::cli::main(Some("diff-msr"))
}
