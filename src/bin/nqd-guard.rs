//! The guard: see [`nqd::guard_cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    nqd::guard_cli::main()
}
