//! The `toft` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    toft::cli::main()
}
