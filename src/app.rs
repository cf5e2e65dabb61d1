//! The composition root of `nqd`: what commands work with, and the way from arguments to an exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::cli::Cli;
use crate::deploy::request::{PlaceArg, Reach};
use crate::effects::gather::Purpose;
use crate::effects::host::Host;
use crate::effects::nix::Nix;
use crate::effects::nix_cli::NixCli;
use crate::effects::runner::{Observer, Ran, Runner};
use crate::effects::target::Target;
use crate::effects::transport::{Escalate, Password, Place, Transport};
use crate::effects::{clock, env, files, scratch, terminal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::{Address, HostName, TxId};
use crate::report::event::Event;
use crate::report::reporter::{Form, Reporter};

/// What commands work with.
pub struct App {
    /// Shows events and results.
    pub reporter: Arc<Reporter>,
    /// `user@machine` of whoever runs this.
    pub operator: String,
    interrupt: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    password: Mutex<Option<Password>>,
    scratch: scratch::Dir,
}

/// Runs `nqd`.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(colours) = cli.output().colours() {
        console::set_colors_enabled(colours);
        console::set_colors_enabled_stderr(colours);
    }
    let reporter = Arc::new(Reporter::new(cli.output().form(), cli.has_events()));
    let result = App::new(reporter.clone()).and_then(|app| cli.run(&app));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            reporter.fail(None, &failure);
            failure.exit.into()
        }
    }
}

impl App {
    fn new(reporter: Arc<Reporter>) -> Result<Self, Failure> {
        let (interrupt, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            for flag in [&interrupt, &stop] {
                signal_hook::flag::register(signal, flag.clone())
                    .map_err(|e| internal("listening for signals", e))?;
            }
        }
        let scratch =
            scratch::Dir::new().map_err(|e| internal("making a directory for the connection", e))?;
        Ok(Self { reporter, operator: env::operator(), interrupt, stop, password: Mutex::default(), scratch })
    }

    /// Whether anybody ever asked us to stop: what has not begun is not begun any more.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether somebody has asked us to stop. Asking answers the request: what comes after it may run.
    pub fn interrupted(&self) -> bool {
        self.interrupt.swap(false, Ordering::Relaxed)
    }

    /// A runner for what concerns a host.
    pub fn runner(&self, name: &HostName) -> Runner {
        Runner::new(self.interrupt.clone(), Some(self.observer(name)))
    }

    /// Reports every program that is run for a host.
    pub fn observer(&self, name: &HostName) -> Observer {
        let (reporter, name) = (self.reporter.clone(), name.clone());
        Arc::new(move |ran: &Ran| {
            let event = Event::Ran { command: ran.cmd.clone(), from: ran.from.0, to: ran.to.0 };
            reporter.tell(Some(&name), event);
        })
    }

    /// Asks for the sudo password, once.
    pub fn ask_password(&self, wanted: bool) -> Result<(), Failure> {
        if !wanted {
            return Ok(());
        }
        let text = terminal::ask_secret("sudo password: ")
            .map_err(|e| Failure::refused(format!("the password could not be asked for: {e}")))?;
        *self.password.lock().map_err(|e| internal("keeping the password", e))? = Some(Password::new(text));
        Ok(())
    }

    /// The target that is reached so; not connected yet.
    pub fn target(&self, name: &HostName, reach: &Reach) -> Result<Box<dyn Target>, Failure> {
        let place = match &reach.address {
            None => Place::Here,
            Some(address) => Place::There { address: address.clone(), control: self.scratch.socket() },
        };
        let password = self.password.lock().map_err(|e| internal("using the password", e))?.clone();
        let prompts = terminal::is_there() && self.reporter.form() != Form::Json;
        let transport = Transport::new(self.runner(name), place, reach.escalate, password, prompts);
        Ok(Box::new(Host::new(transport)))
    }

    /// The same, connected.
    pub fn reach(
        &self,
        name: &HostName,
        place: &PlaceArg,
        escalate: Escalate,
    ) -> Result<Box<dyn Target>, Failure> {
        let address = if let PlaceArg::There(address) = place { Some(address.clone()) } else { None };
        let target = self.target(name, &Reach { address, escalate })?;
        target.connect()?;
        Ok(target)
    }

    /// Where a host is: as the flags say, else as at its last deployment, else where its name leads. No name is this
    /// machine.
    pub fn find(
        &self,
        host: Option<&str>,
        flags: &crate::cli::Place,
    ) -> Result<(HostName, PlaceArg, Escalate), Failure> {
        let Some(text) = host else {
            let place = flags.place().unwrap_or(PlaceArg::Here);
            let name = if let PlaceArg::There(a) = &place { a.host.clone() } else { "localhost".to_owned() };
            let name = HostName::parse(&name).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
            return Ok((name, place, flags.escalate().unwrap_or_default()));
        };
        let bare = text.rsplit_once('#').map_or(text, |(_, host)| host);
        let bare = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
        let name = HostName::parse(bare).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
        let known = Self::remembered(&name)?;
        let place = match (flags.place(), &known) {
            (Some(place), _) => place,
            (None, Some(Reach { address: Some(address), .. })) => PlaceArg::There(address.clone()),
            (None, Some(Reach { address: None, .. })) => PlaceArg::Here,
            (None, None) => {
                let destination = text.rsplit_once('#').map_or(text, |(_, host)| host);
                PlaceArg::There(
                    Address::parse(destination).map_err(|e| Failure::new(Exit::Usage, e.to_string()))?,
                )
            }
        };
        let escalate = flags.escalate().or(known.map(|k| k.escalate)).unwrap_or_default();
        Ok((name, place, escalate))
    }

    /// Remembers how a host was reached, for commands that do not evaluate its configuration.
    pub fn remember(&self, name: &HostName, reach: &Reach) -> Result<(), Failure> {
        let Some(file) = memory(name) else { return Ok(()) };
        let text = serde_json::to_string(&Remembered { reach: reach.clone() })
            .map_err(|e| internal("remembering a host", e))?;
        file.parent().map_or(Ok(()), files::make_dirs).map_err(|e| internal("remembering a host", e))?;
        files::write_durable(&file, text.as_bytes(), 0o600).map_err(|e| internal("remembering a host", e))
    }

    /// Whether a host of this name was deployed to, or asked, before.
    pub fn knows(&self, word: &str) -> Result<bool, Failure> {
        HostName::parse(word).map_or(Ok(false), |name| Self::remembered(&name).map(|r| r.is_some()))
    }

    /// A runner for what concerns no host.
    pub fn here(&self) -> Result<Runner, Failure> {
        let name = HostName::parse("localhost").map_err(|e| internal("naming this machine", e))?;
        Ok(self.runner(&name))
    }

    fn remembered(name: &HostName) -> Result<Option<Reach>, Failure> {
        let Some(file) = memory(name) else { return Ok(None) };
        let text = files::read_text(&file, 1 << 16).map_err(|e| internal("remembering a host", e))?;
        let known = text.map(|t| serde_json::from_str::<Remembered>(&t)).transpose();
        known.map(|k| k.map(|k| k.reach)).map_err(|e| {
            internal(&format!("reading {}", file.display()), e)
                .hint("remove this file: it only remembers an address")
        })
    }

    /// The report of a target's checks, as JSON; a target without a guard is given one.
    pub fn examine(
        &self,
        name: &HostName,
        target: &dyn Target,
        guard: Option<&Path>,
    ) -> Result<String, Failure> {
        let Some(store) = target.store() else {
            let examination = crate::guard_cli::examine(None)?;
            return serde_json::to_string(&examination).map_err(|e| internal("writing the report", e));
        };
        let facts = target.gather(Purpose::Status)?;
        if facts.status.is_some() && guard.is_none() {
            return target.health(None);
        }
        let system = facts
            .running
            .system
            .ok_or_else(|| Failure::refused("the target does not say which system it is"))?;
        let tell = |event| self.reporter.tell(Some(name), event);
        let nix = NixCli::new(self.runner(name), &tell);
        let guard = nix.guard(&system, guard)?.path;
        nix.copy(std::slice::from_ref(&guard), &store, false)?;
        target.health(Some(&guard))
    }

    /// An id for a transaction that begins now.
    pub fn new_id(&self) -> Result<TxId, Failure> {
        let mut random = [0; 3];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| internal("making an id", e))?;
        Ok(TxId::new(&clock::wall(), random))
    }
}

/// What is remembered of a host.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    reach: Reach,
}

fn memory(name: &HostName) -> Option<PathBuf> {
    env::state_dir().map(|dir| dir.join("hosts").join(format!("{name}.json")))
}

fn internal(what: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, format!("{what}: {why}"))
}
