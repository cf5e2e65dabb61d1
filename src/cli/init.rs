//! `nqd init`.

use std::path::{Path, PathBuf};

use super::usage;
use crate::app::App;
use crate::effects::files;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::templates::{TEMPLATES, Template};

/// Writes the files of a template into a directory. A file that is there already is never written over: then nothing is
/// written at all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd init --list               which templates there are
  nqd init host infra           one machine, in the new directory infra
  nqd init existing             what to add to the flake here")]
pub(super) struct Args {
    /// host, fleet or existing
    #[arg(value_name = "TEMPLATE", required_unless_present = "list")]
    template: Option<String>,
    /// Where to; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Show the templates
    #[arg(long, conflicts_with_all = ["template", "dir"])]
    list: bool,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let Some(name) = self.template else {
            app.reporter.print(&list());
            return Ok(Exit::Ok);
        };
        let found = TEMPLATES.iter().find(|t| t.name == name);
        let template = found.ok_or_else(|| usage(format!("there is no template {name:?}")).hint(list()))?;
        refuse_to_overwrite(template, &self.dir)?;
        write(template, &self.dir)?;
        app.reporter.print(&told(template, &self.dir));
        Ok(Exit::Ok)
    }
}

/// The templates, one a line.
fn list() -> String {
    let line = |t: &Template| format!("{:<10}{}", t.name, t.about);
    TEMPLATES.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn refuse_to_overwrite(template: &Template, dir: &Path) -> Result<(), Failure> {
    let mut there = Vec::new();
    for (path, _) in template.files {
        let file = dir.join(path);
        if files::is_there(&file).map_err(|e| cannot(&e))? {
            there.push(file.display().to_string());
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    let what = format!("nothing was written: there is already\n  {}", there.join("\n  "));
    Err(Failure::refused(what).hint("name another directory, or move these away"))
}

fn write(template: &Template, dir: &Path) -> Result<(), Failure> {
    for (path, text) in template.files {
        let file = dir.join(path);
        file.parent().map_or(Ok(()), files::make_dirs).map_err(|e| cannot(&e))?;
        files::write_new(&file, text.as_bytes()).map_err(|e| cannot(&e))?;
    }
    Ok(())
}

fn cannot(e: &std::io::Error) -> Failure {
    Failure::refused(format!("the template could not be written: {e}"))
}

fn told(template: &Template, dir: &Path) -> String {
    let wrote = template.files.iter().map(|(path, _)| format!("  {}", dir.join(path).display()));
    let width = template.next.iter().map(|(_, command)| command.len()).max().unwrap_or(0);
    let next = template.next.iter().map(|(what, command)| format!("  {command:<width$}  # {what}"));
    let change = (dir != Path::new(".")).then(|| format!("  cd {}", dir.display()));
    let lines = std::iter::once(format!("wrote {}:", template.about)).chain(wrote);
    lines.chain(["next:".to_owned()]).chain(change).chain(next).collect::<Vec<_>>().join("\n")
}
