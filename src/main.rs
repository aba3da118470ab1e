//! The `pipeline` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    hybrid_pipeline::cli::main()
}
