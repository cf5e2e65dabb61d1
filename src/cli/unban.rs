//! `nqd unban`.

use super::flags::Place;
use super::usage;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;

/// Lets systems that were rolled back and are known to be bad be deployed again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd unban web                          all that web has banned
  nqd unban web /nix/store/…-nixos-…     only this one")]
pub(super) struct Args {
    /// The host; this machine if none is named
    host: Option<String>,
    /// Only this system
    system: Option<StorePath>,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let (name, place, escalate) = app.find(self.host.as_deref(), &self.place).map_err(usage)?;
        let lifted = app.reach(&name, &place, escalate)?.unban(self.system.as_ref())?;
        if lifted.is_empty() {
            app.reporter.print(&format!("{name}: nothing was banned"));
        }
        for system in lifted {
            app.reporter.print(&format!("{name}: {system} may be deployed again"));
        }
        Ok(Exit::Ok)
    }
}
