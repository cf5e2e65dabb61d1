//! The terminal of the operator.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether a person sits there who can be asked.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Columns of the terminal that results go to; 80 where that is a file or a pipe.
pub fn width() -> usize {
    console::Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns).max(40))
}

/// Asks for a secret on the terminal, without showing it.
pub fn ask_secret(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}

/// The line that somebody types; `None` if they would rather stop.
pub fn answer(stopped: &dyn Fn() -> bool) -> io::Result<Option<String>> {
    let stdin = io::stdin();
    let tick = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !stopped() {
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&tick)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                let mut line = String::new();
                stdin.read_line(&mut line)?;
                return Ok(Some(line));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(None)
}
