//! The operator's command: see [`nqd::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    nqd::app::main()
}
