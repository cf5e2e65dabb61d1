//! `nqd cancel`.

use super::flags::OneHost;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::text::printable;

/// Has the transaction that runs on a machine rolled back now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nqd cancel web    then: nqd follow web shows how it ended")]
pub(super) struct Args {
    #[command(flatten)]
    one: OneHost,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let (name, target) = self.one.meet(app)?;
        let said = target.cancel(&app.operator)?;
        app.reporter.print(&format!("{name}: {}", printable(&said, false)));
        Ok(Exit::Ok)
    }
}
