//! The terminal of the operator.

use std::io::{self, IsTerminal};

/// Whether a person sits there who can be asked.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a secret on the terminal, without showing it.
pub fn ask_secret(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}
