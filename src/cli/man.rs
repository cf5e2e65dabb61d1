//! `nqd man`.

use std::path::PathBuf;

use clap::CommandFactory;
use clap::builder::Resettable;
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
    std::iter::once(root).chain(commands).map(page).collect()
}

fn page(command: clap::Command) -> std::io::Result<(String, Vec<u8>)> {
    let notes = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.after_help(Resettable::Reset)).manual("nixos-quick-deploy");
    let mut text = Vec::new();
    man.render(&mut text)?;
    text.extend(notes.iter().flat_map(|notes| as_it_is(notes).into_bytes()));
    Ok((man.get_filename(), text))
}

/// A section whose lines roff leaves alone: examples are no paragraphs.
fn as_it_is(notes: &str) -> String {
    // roff takes a backslash for the beginning of an escape, and a dot or an apostrophe that begins a line for a request.
    let escaped = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}\n") } else { format!("{line}\n") }
    };
    let lines: String = notes.lines().map(escaped).collect();
    format!(".SH EXAMPLES\n.nf\n{lines}.fi\n")
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
        for part in
            [".TH nqd-unban 1", "\\fBnqd unban\\fR", ".SH OPTIONS", ".SH EXAMPLES\n.nf\n", "\n  nqd unban"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("EXTRA"), "{page}");
        assert!(text_of("nqd-deploy.1").contains("\\-\\-target\\-host root@192.0.2.1"));
        assert_eq!(as_it_is(".x\\y"), ".SH EXAMPLES\n.nf\n\\&.x\\ey\n.fi\n");
    }
}
