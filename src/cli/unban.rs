//! `nqd unban`.

use super::flags::OneHost;
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
    #[command(flatten)]
    one: OneHost,
    /// Only this system
    system: Option<StorePath>,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let (name, target) = self.one.meet(app)?;
        let lifted = target.unban(self.system.as_ref())?;
        if lifted.is_empty() {
            app.reporter.print(&format!("{name}: nothing was banned"));
        }
        for system in lifted {
            app.reporter.print(&format!("{name}: {system} may be deployed again"));
        }
        Ok(Exit::Ok)
    }
}
