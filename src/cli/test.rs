//! `nqd test`.

use std::path::PathBuf;
use std::time::Duration;

use super::flags::time;
use super::trial::{self, Built, How};
use super::usage;
use crate::app::App;
use crate::effects::files;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::Trial;
use crate::model::HostName;
use crate::nix::{FlakeHost, FlakeRef};
use crate::report::reporter::{Form, print_json};
use crate::report::{gate_text, junit};

/// Boots a host's virtual machine (config.system.build.vm) and runs the health checks that the host will be deployed
/// with. A VM that says nothing in its time is not known to be healthy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd test web                          the host web of the flake here
  nqd test web db --timeout 20m         two hosts, one after another
  nqd test web -v                       shows its console as it boots
  nqd test web --keep                   its disk, console and record stay, and it is said where
  nqd test --vm ./result --name web     a VM that is built already: without Nix and without a home, as in a build

The host's configuration must import nixosModules.default and set quickDeploy.enable: it has the unit that tells.
QEMU_OPTS is passed on. Exit codes: 0 healthy, 10 degraded, 25 unhealthy, 22 not known, 30 refused.")]
pub(super) struct Args {
    /// Hosts: names in the flake's nixosConfigurations, or FLAKE#HOST
    #[arg(value_name = "[FLAKE#]HOST", required_unless_present = "vm", conflicts_with_all = ["vm", "name"])]
    hosts: Vec<String>,
    /// The flake of hosts that are named alone
    #[arg(long, value_name = "FLAKE", env = "NQD_FLAKE", default_value = ".", value_parser = FlakeRef::parse)]
    flake: FlakeRef,
    /// A VM that is built already; nothing is evaluated
    #[arg(long, value_name = "PATH", requires = "name")]
    vm: Option<PathBuf>,
    /// What its host is called
    #[arg(long, value_name = "HOST", value_parser = HostName::parse, requires = "vm")]
    name: Option<HostName>,
    /// How long a VM has to boot and to pass its checks
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    timeout: Duration,
    /// Keep its disk, console and record, and say where
    #[arg(long)]
    keep: bool,
    /// Save what its console says here [default: ~/.local/state/nqd/vm/HOST.log]
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Arguments for Nix: --override-input, --impure, -L, …
    #[arg(last = true, value_name = "NIX-ARGUMENTS")]
    for_nix: Vec<String>,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        if let (Some(vm), Some(name)) = (&self.vm, &self.name) {
            let built = Built { host: name.clone(), vm: vm.clone(), replaced: None, derivation: None };
            return self.one(app, built);
        }
        if self.hosts.len() > 1 && (self.console.is_some() || self.junit.is_some()) {
            return Err(usage("--console and --junit are for one host"));
        }
        let hosts: Result<Vec<FlakeHost>, _> =
            self.hosts.iter().map(|text| FlakeHost::parse(text, &self.flake)).collect();
        let tried = hosts.map_err(usage)?.into_iter().map(|host| {
            let tried = if app.stopped() {
                Err(Failure::refused("interrupted"))
            } else {
                trial::build(app, &host, &self.for_nix).and_then(|built| self.one(app, built))
            };
            // One that fails keeps no other from being tried.
            tried.unwrap_or_else(|failure| {
                app.reporter.fail(Some(&host.host), &failure);
                failure.exit
            })
        });
        Ok(Exit::worst(tried.collect::<Vec<_>>()))
    }

    fn one(&self, app: &App, built: Built) -> Result<Exit, Failure> {
        let how = How { time: self.timeout, keep: self.keep, console: self.console.clone() };
        let trial = trial::try_it(app, built, &how)?;
        self.show(app, &trial)?;
        Ok(trial.verdict)
    }

    fn show(&self, app: &App, trial: &Trial) -> Result<(), Failure> {
        if let Some(file) = &self.junit {
            let report = match &trial.examination {
                Some(examination) => junit::render(examination),
                None => junit::nothing(trial.host.as_str(), &trial.summary()),
            };
            files::write_durable(file, report.as_bytes(), 0o644).map_err(usage)?;
        }
        if app.reporter.form() == Form::Json {
            let json =
                serde_json::to_string(trial).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
            print_json(&json);
        } else {
            app.reporter.print(&gate_text::render(trial));
        }
        Ok(())
    }
}
