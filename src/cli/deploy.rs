//! `nqd deploy`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::flags::{FlakeHosts, Place, Transaction, time};
use super::planning::{self, Planned};
use super::{trial, usage};
use crate::app::App;
use crate::deploy::Plan;
use crate::deploy::plan::{Kind, VERSION};
use crate::deploy::request::{Asked, Source};
use crate::effects::files;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::nix::FlakeHost;
use crate::report::event::Event;
use crate::report::gate_text;

/// Evaluates and builds a host, shows the plan, asks, copies, activates, proves it healthy, and makes it the boot
/// default; or rolls back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd deploy web                                 the host web of the flake here
  nqd deploy web db --yes                        two hosts, one after another, without asking
  nqd deploy web --target-host root@192.0.2.1    at this address
  nqd deploy laptop --local --escalate sudo      this machine
  nqd deploy web --no-confirm --soak 1m          unattended, with a longer look
  nqd deploy web --vm-test                       only if its virtual machine boots and is healthy
  nqd deploy --plan plan                         execute a plan that `nqd plan --out plan` wrote")]
pub(super) struct Args {
    #[command(flatten)]
    hosts: FlakeHosts,
    /// Execute the plans of this file; nothing is evaluated
    #[arg(long, value_name = "FILE", conflicts_with = "hosts")]
    plan: Option<PathBuf>,
    /// Answer yes
    #[arg(short, long)]
    yes: bool,
    /// How long to try to reach a machine that cannot be reached any more
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    contact_timeout: Duration,
    /// Boot the host's virtual machine first; if it is not healthy there, nothing is copied (30)
    #[arg(long, conflicts_with_all = ["plan", "specialisation", "copy_first"])]
    vm_test: bool,
    /// How long the virtual machine has to boot and to pass its checks
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m", requires = "vm_test")]
    vm_timeout: Duration,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    transaction: Transaction,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        app.ask_password(self.place.ask_sudo_password)?;
        let (planned, failed) = match &self.plan {
            Some(file) => (saved(file, app)?, Vec::new()),
            None => planning::plan_all(app, asked(&self.hosts, &self.place, &self.transaction, app)?),
        };
        let (planned, failed) =
            if self.vm_test { self.gate(app, planned, failed)? } else { (planned, failed) };
        let how = How { yes: self.yes, saved: self.plan.is_some(), patience: self.contact_timeout };
        go(app, planned, failed, &how)
    }

    /// Of what is planned, what is well in its virtual machine.
    fn gate(
        &self,
        app: &App,
        planned: Vec<Planned>,
        mut failed: Vec<Exit>,
    ) -> Result<(Vec<Planned>, Vec<Exit>), Failure> {
        let hosts = self.hosts.hosts.iter().map(|text| FlakeHost::parse(text, &self.hosts.flake));
        let hosts = hosts.collect::<Result<Vec<_>, _>>().map_err(usage)?;
        let mut good = Vec::new();
        for one in planned {
            let host = hosts.iter().find(|h| h.host == one.plan.name);
            let nothing = one.plan.kind == Kind::Nothing;
            match host.filter(|_| !nothing).map_or(Ok(()), |host| self.try_in_vm(app, host, &one.plan)) {
                Ok(()) => good.push(one),
                Err(failure) => {
                    app.reporter.fail(Some(&one.plan.name), &failure);
                    failed.push(failure.exit);
                }
            }
        }
        Ok((good, failed))
    }

    fn try_in_vm(&self, app: &App, host: &FlakeHost, plan: &Plan) -> Result<(), Failure> {
        let built = trial::build(app, host, &self.hosts.nix_args)?;
        if built.derivation != plan.derivation {
            let what = "the flake has changed since the plan was made: its VM would be another system's";
            return Err(Failure::refused(what).hint("run the command again"));
        }
        let how = trial::How { time: self.vm_timeout, keep: false, console: None };
        let trial = trial::try_it(app, built, &how)?;
        app.reporter.tell(Some(&host.host), Event::Notice { text: trial.summary() });
        if matches!(trial.verdict, Exit::Ok | Exit::Degraded) {
            return Ok(());
        }
        app.reporter.print(&gate_text::render(&trial));
        let what = format!("{}; nothing was changed", trial.summary());
        Err(Failure::refused(what)
            .hint(format!("nqd test {host} --keep leaves the VM's disk to be looked at")))
    }
}

/// How plans are executed.
pub(super) struct How {
    /// The question is answered already.
    pub yes: bool,
    /// The plans were saved some time ago.
    pub saved: bool,
    /// How long to try to reach a machine that cannot be reached any more.
    pub patience: Duration,
}

/// Shows the plans, asks, and executes them.
pub(super) fn go(app: &App, planned: Vec<Planned>, mut exits: Vec<Exit>, how: &How) -> Result<Exit, Failure> {
    let plans: Vec<&Plan> = planned.iter().map(|p| &p.plan).collect();
    planning::show(app, plans.iter().copied())?;
    if !plans.is_empty() {
        planning::confirm(app, &plans, how.yes)?;
    }
    exits.extend(planning::execute_all(app, planned, how.saved, how.patience));
    Ok(Exit::worst(exits))
}

/// What the flags ask for, for each host.
pub(super) fn asked(
    hosts: &FlakeHosts,
    place: &Place,
    transaction: &Transaction,
    app: &App,
) -> Result<Vec<Asked>, Failure> {
    if hosts.hosts.is_empty() {
        return Err(
            usage("name at least one host").hint("a host is a name in the flake's nixosConfigurations")
        );
    }
    if hosts.hosts.len() > 1 && place.place().is_some() {
        return Err(usage("--target-host and --local are for one host")
            .hint("quickDeploy.deploy.targetHost, or your SSH configuration, says where each host is"));
    }
    let one = |text: &String| {
        let flake_host = FlakeHost::parse(text, &hosts.flake).map_err(usage)?;
        let (special, args) = (hosts.specialisation.clone(), hosts.nix_args.clone());
        Ok(Asked {
            name: flake_host.host.clone(),
            source: Source::Flake(flake_host),
            place: place.place(),
            escalate: place.escalate(),
            build_on: hosts.build_on.clone(),
            confirm: transaction.confirm(),
            settings: transaction.settings(special, args, app.operator.clone()),
        })
    };
    hosts.hosts.iter().map(one).collect()
}

/// Reads saved plans and connects to their targets.
fn saved(file: &Path, app: &App) -> Result<Vec<Planned>, Failure> {
    let name = file.display();
    let text = files::read_text(file, 256 << 20)
        .map_err(usage)?
        .ok_or_else(|| usage(format!("{name}: there is no such file")))?;
    let plans: Vec<Plan> =
        serde_json::from_str(&text).map_err(|e| usage(format!("{name} is no plan of this version: {e}")))?;
    let connect = |plan: Plan| {
        if plan.version != VERSION {
            return Err(usage(format!(
                "{name}: the plan is of version {}, this program reads {VERSION}",
                plan.version
            )));
        }
        let target = app.target(&plan.name, &plan.reach)?;
        target.connect()?;
        Ok(Planned { plan, target })
    };
    plans.into_iter().map(connect).collect()
}
