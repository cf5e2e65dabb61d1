//! `nqd follow`.

use std::time::Duration;

use super::flags::{OneHost, time};
use super::planning;
use crate::app::App;
use crate::deploy::execute::Executor;
use crate::deploy::transact;
use crate::effects::nix_cli::NixCli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Attaches to the transaction that runs on a machine, confirms it if it waits for that, and ends with its exit code;
/// or shows the last one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd follow web    after the connection, or nqd itself, was lost in the middle of a deployment
  nqd follow        this machine")]
pub(super) struct Args {
    #[command(flatten)]
    one: OneHost,
    /// How long to try to reach a machine that cannot be reached
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    contact_timeout: Duration,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let (name, target) = self.one.meet(app)?;
        let tell = |event| app.reporter.tell(Some(&name), event);
        let nix = NixCli::new(app.runner(&name), &tell);
        let interrupted = || app.interrupted();
        let executor = Executor {
            nix: &nix,
            target: target.as_ref(),
            tell: &tell,
            interrupted: &interrupted,
            saved: false,
            operator: &app.operator,
            patience: self.contact_timeout,
            retry: planning::RETRY,
        };
        match transact::follow(&executor)? {
            Some(outcome) => Ok(planning::conclude(app, &name, Ok(outcome))),
            None => {
                app.reporter.print(&format!("{name}: there has never been a transaction on this machine"));
                Ok(Exit::Ok)
            }
        }
    }
}
