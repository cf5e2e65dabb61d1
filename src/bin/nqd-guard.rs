//! The guard: see [`nqd::guard_cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // A guard that has panicked must not go on with one thread less: its dead man's timer takes over.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        std::process::abort();
    }));
    nqd::guard_cli::main()
}
