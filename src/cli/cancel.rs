//! `nqd cancel`.

use super::flags::Place;
use super::usage;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// Has the transaction that runs on a machine rolled back now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nqd cancel web    then: nqd follow web shows how it ended")]
pub(super) struct Args {
    /// The host; this machine if none is named
    host: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let (name, place, escalate) = app.find(self.host.as_deref(), &self.place).map_err(usage)?;
        let said = app.reach(&name, &place, escalate)?.cancel(&app.operator)?;
        app.reporter.print(&format!("{name}: {said}"));
        Ok(Exit::Ok)
    }
}
