//! `nqd doctor`.

use super::flags::OneHost;
use crate::app::App;
use crate::effects::gather::Purpose;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::doctor_text;

/// Says what is wrong with a machine's deployments, and the commands that get it out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nqd doctor web    ends with 21 if web is held, 30 if something else needs a person, 0 if nothing does")]
pub(super) struct Args {
    #[command(flatten)]
    one: OneHost,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let (name, target) = self.one.meet(app)?;
        let facts = target.gather(Purpose::Status)?;
        let (text, exit) = doctor_text::examine(&self.one.words(&name), &target.login(), &facts);
        app.reporter.print(&text);
        Ok(exit)
    }
}
