//! `nqd man`.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use super::Cli;
use crate::app::App;
use crate::effects::files;
use crate::exit::Exit;
use crate::failure::Failure;

/// Writes the manual pages nqd.1 and nqd-COMMAND.1 into a directory, which is made.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nqd man share/man/man1")]
pub(super) struct Args {
    /// The directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let io = |e: std::io::Error| Failure::new(Exit::Internal, format!("writing the manual: {e}"));
        files::make_dirs(&self.dir).map_err(io)?;
        let pages = pages().map_err(io)?;
        for (name, page) in &pages {
            files::write_durable(&self.dir.join(name), page, 0o644).map_err(io)?;
        }
        app.reporter.print(&format!("{} pages in {}", pages.len(), self.dir.display()));
        Ok(Exit::Ok)
    }
}

/// File names and contents: one page for the program, one for each command that is not hidden.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = Cli::command();
    // Gives commands the names that they have among all programs: `nqd-deploy`.
    root.build();
    let commands: Vec<clap::Command> = root.get_subcommands().filter(|c| !c.is_hide_set()).cloned().collect();
    let page = |command| {
        let man = Man::new(command).manual("nixos-quick-deploy");
        let mut text = Vec::new();
        man.render(&mut text)?;
        Ok((man.get_filename(), text))
    };
    std::iter::once(root).chain(commands).map(page).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(name: &str) -> String {
        let page = pages().unwrap().into_iter().find(|(n, _)| n == name);
        String::from_utf8(page.unwrap_or_else(|| panic!("there is no {name}")).1).unwrap()
    }

    #[test]
    fn each_command_has_a_page_and_no_hidden_one_has() {
        for command in Cli::command().get_subcommands() {
            let name = format!("nqd-{}.1", command.get_name());
            assert_eq!(pages().unwrap().iter().any(|(n, _)| *n == name), !command.is_hide_set(), "{name}");
        }
        assert!(text_of("nqd.1").contains("nqd\\-deploy"));
    }

    #[test]
    fn a_page() {
        let page = text_of("nqd-unban.1");
        for part in [".TH nqd-unban 1", "\\fBnqd unban\\fR", ".SH OPTIONS", "nqd unban"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
