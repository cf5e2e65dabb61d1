//! `nqd history`.

use super::flags::OneHost;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::Evidence;
use crate::model::text::printable;
use crate::report::event::Event;
use crate::report::history_text;
use crate::report::reporter::{Form, print_json};

/// Shows the transactions of a machine, as it recorded them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd history               this machine
  nqd history web -n 5      the last five of web
  nqd history web --json    one record a line, as docs/FORMATS.md describes it")]
pub(super) struct Args {
    #[command(flatten)]
    one: OneHost,
    /// At most so many, the newest
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let (name, target) = self.one.meet(app)?;
        let (lines, torn) = target.history(self.limit)?;
        if torn > 0 {
            let text = format!("{torn} lines of the history were torn by a crash and are left out");
            app.reporter.tell(Some(&name), Event::Warning { text });
        }
        if app.reporter.form() == Form::Json {
            for line in &lines {
                print_json(line);
            }
            return Ok(Exit::Ok);
        }
        if lines.is_empty() {
            app.reporter.print(&format!("{name}: there has never been a transaction on this machine"));
        }
        for line in &lines {
            match serde_json::from_str::<Evidence>(line) {
                Ok(evidence) => app.reporter.print(&history_text::render(&evidence)),
                Err(e) => {
                    let what = format!("a record of another version ({e})");
                    app.reporter.print(&printable(&what, false));
                }
            }
        }
        Ok(Exit::Ok)
    }
}
