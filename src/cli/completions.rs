//! `nqd completions`.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::Cli;
use crate::exit::Exit;

/// Prints completions for a shell on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd completions bash > ~/.local/share/bash-completion/completions/nqd
  nqd completions fish > ~/.config/fish/completions/nqd.fish")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let mut text = Vec::new();
        generate(self.shell, &mut Cli::command(), "nqd", &mut text);
        crate::report::reporter::print(String::from_utf8_lossy(&text).trim_end());
        Exit::Ok
    }
}
