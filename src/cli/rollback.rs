//! `nqd rollback`.

use std::time::Duration;

use super::flags::{Place, Transaction, time};
use super::{deploy, planning, usage};
use crate::app::App;
use crate::deploy::request::{Asked, Source};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;

/// Goes back to an earlier generation, or to any system, by a transaction like any other: it is proved, and rolled
/// back itself if it is not healthy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd rollback web            to the newest earlier generation with another system
  nqd rollback web --to 41    to generation 41
  nqd rollback --to /nix/store/…-nixos-system-web-26.05    this machine, to that system")]
pub(super) struct Args {
    /// The host; this machine if none is named
    host: Option<String>,
    /// A generation's number, or a system's store path
    #[arg(long, value_name = "N|PATH", value_parser = to)]
    to: Option<Source>,
    /// Answer yes
    #[arg(short, long)]
    yes: bool,
    /// Activate this specialisation
    #[arg(long, value_name = "NAME")]
    specialisation: Option<String>,
    /// How long to try to reach a machine that cannot be reached any more
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    contact_timeout: Duration,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    transaction: Transaction,
}

fn to(text: &str) -> Result<Source, String> {
    match text.parse() {
        Ok(number) => Ok(Source::Generation(number)),
        Err(_) => {
            StorePath::parse(text).map(Source::Path).map_err(|e| format!("{e}; a generation is a number"))
        }
    }
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let (name, place, escalate) = app.find(self.host.as_deref(), &self.place).map_err(usage)?;
        let asked = Asked {
            name,
            source: self.to.unwrap_or(Source::Earlier),
            place: Some(place),
            escalate: Some(escalate),
            build_on: None,
            confirm: self.transaction.confirm(),
            settings: self.transaction.settings(self.specialisation, Vec::new(), app.operator.clone()),
        };
        let (planned, failed) = planning::plan_all(app, vec![asked]);
        let how = deploy::How { yes: self.yes, saved: false, patience: self.contact_timeout };
        deploy::go(app, planned, failed, &how)
    }
}
