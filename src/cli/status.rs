//! `nqd status`.

use super::flags::Place;
use super::usage;
use crate::app::App;
use crate::effects::gather::Purpose;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::HostName;
use crate::report::reporter::{Form, print_json};
use crate::report::status_text;

/// Shows what a machine runs, what it boots next, its last transaction, and whether one is running.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd status             this machine
  nqd status web db      two hosts
  nqd status web --json  for programs")]
pub(super) struct Args {
    /// Hosts; this machine if none is named
    hosts: Vec<String>,
    #[command(flatten)]
    place: Place,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let hosts: Vec<Option<&str>> = if self.hosts.is_empty() {
            vec![None]
        } else {
            self.hosts.iter().map(|h| Some(h.as_str())).collect()
        };
        let mut exits = Vec::new();
        for host in hosts {
            let (name, place, escalate) = app.find(host, &self.place).map_err(usage)?;
            exits.push(match app.reach(&name, &place, escalate).and_then(|t| show(app, &name, t.as_ref())) {
                Ok(()) => Exit::Ok,
                Err(failure) => {
                    app.reporter.fail(Some(&name), &failure);
                    failure.exit
                }
            });
        }
        Ok(Exit::worst(exits))
    }
}

fn show(app: &App, name: &HostName, target: &dyn crate::effects::target::Target) -> Result<(), Failure> {
    let facts = target.gather(Purpose::Status)?;
    if app.reporter.form() == Form::Json {
        let status = facts.status.as_ref();
        let value = serde_json::json!({
            "v": 1, "host": name, "hostName": facts.host_name, "runs": facts.triple.running, "profile": facts.triple.profile,
            "boots": facts.triple.boot_default, "diverged": facts.triple.diverged(&facts.profile_specialisations),
            "running": status.is_some_and(|s| s.alive), "transaction": status.and_then(|s| s.record.as_ref()),
        });
        print_json(&value.to_string());
    } else {
        app.reporter.print(&status_text::render(name.as_str(), &facts));
    }
    Ok(())
}
