//! `nqd plan`.

use std::path::PathBuf;

use super::flags::{FlakeHosts, Place, Transaction};
use super::{deploy, planning, usage};
use crate::app::App;
use crate::deploy::Plan;
use crate::effects::files;
use crate::exit::Exit;
use crate::failure::Failure;

/// Evaluates, builds, asks the target how it is, and shows what a deployment would do. Changes nothing on the target.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd plan web                              the host web of the flake here
  nqd plan github:me/infra#web --out plan   keep it: nqd deploy --plan plan executes exactly this
  nqd plan web --copy-first                 copy the system too, so that the plan says what restarts
  nqd plan web -- --override-input nixpkgs ../nixpkgs")]
pub(super) struct Args {
    #[command(flatten)]
    hosts: FlakeHosts,
    /// Write the plans to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    transaction: Transaction,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let asked = deploy::asked(&self.hosts, &self.place, &self.transaction, app)?;
        let (planned, failed) = planning::plan_all(app, asked);
        planning::show(app, planned.iter().map(|p| &p.plan))?;
        let plans: Vec<&Plan> = planned.iter().map(|p| &p.plan).collect();
        if let (Some(file), true) = (&self.out, failed.is_empty()) {
            let text = serde_json::to_string_pretty(&plans)
                .map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
            files::write_durable(file, text.as_bytes(), 0o644).map_err(usage)?;
        }
        Ok(Exit::worst(failed))
    }
}
