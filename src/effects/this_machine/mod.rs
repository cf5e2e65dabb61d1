//! The machine that this process runs on, as the guard acts on it.

mod asks;
mod events;
mod heartbeat;
mod ledger;
mod proved;
mod switch;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use self::asks::Asks;
use self::events::EventLog;
use super::machine::Action;
use super::machine::{EtcIdentity, Fault, Machine, Prober, Signal, SwitchEnd, tried};
use super::runner::{Cmd, Runner};
use super::systemd::Systemd;
use super::{clock, etc_identity, files, layout, probe, switch_lock, system_files};
use crate::guard::Record;
use crate::health::{Check, CheckName, Units};
use crate::model::store_path::STORE_DIR;
use crate::model::{BootId, BootTime, Described, StorePath, Triple, TxId, UnitName};
use crate::report::event::Event;

pub use self::asks::{Request, Wanted, ask};
pub use self::events::{follow, observer};
pub use self::heartbeat::Heartbeat;
pub use self::ledger::{
    Journal, journal, last_evidence, prepare, read_bans, read_history, read_journal, write_bans, write_first,
};
pub use self::proved::{keep_proved, proved_roots};

/// Time between two runs of the dead man's timer.
const DEAD_MAN: Duration = Duration::from_secs(15);
/// Time that Nix has for a change to the profile.
const NIX: Duration = Duration::from_secs(120);
/// Longest a wait lasts before the heartbeat is due again.
const WAIT: Duration = Duration::from_millis(500);

/// This machine, for one transaction.
pub struct ThisMachine {
    id: TxId,
    runner: Runner,
    systemd: Systemd,
    tools: StorePath,
    prober: probe::Prober,
    events: EventLog,
    asks: Asks,
    sender: Sender<Signal>,
    signals: Receiver<Signal>,
    heartbeat: Arc<Heartbeat>,
    switches: u32,
}

impl ThisMachine {
    /// For running the transaction `record`, with the tools of the system that ran before it.
    pub fn for_transaction(record: &Record, runner: Runner) -> Result<Self, Fault> {
        let tools = record.previous.clone();
        let dir = layout::of_run(&record.id, "");
        for dir in [Path::new(layout::RUN), dir.as_path()] {
            files::make_dir(dir, 0o700).map_err(tried("making the run directory"))?;
        }
        let (sender, signals) = mpsc::channel();
        // The probes' own programs must not show that we are alive: only our own loop may.
        let prober = probe::Prober::new(Arc::new(Systemd::new(runner.clone(), tools.clone())));
        let heartbeat = Arc::new(Heartbeat::of(&record.id));
        let pulse = heartbeat.clone();
        let runner = runner.with_pulse(Arc::new(move || pulse.show()));
        Ok(Self {
            id: record.id.clone(),
            systemd: Systemd::new(runner.clone(), tools.clone()),
            prober,
            events: EventLog::open(&record.id)?,
            asks: Asks::listen(&record.id, sender.clone())?,
            heartbeat,
            runner,
            tools,
            sender,
            signals,
            switches: 0,
        })
    }

    /// A Nix tool of the system that ran before.
    fn nix(&self, tool: &str) -> Cmd {
        Cmd::new(self.tools.join("sw/bin").join(tool))
            .clear_env()
            .env("HOME", "/root")
            .timeout(NIX)
            .own_group()
    }

    fn run_nix(&mut self, what: &str, cmd: &Cmd) -> Result<(), Fault> {
        self.runner.run(cmd).map(drop).map_err(tried(what))
    }
}

impl Prober for ThisMachine {
    fn now(&self) -> BootTime {
        clock::boot_now()
    }

    fn start_probe(&mut self, name: &CheckName, check: &Check) {
        spawn_probe(&self.prober, &self.sender, name, check);
    }

    fn wait(&mut self, until: BootTime) -> Result<Vec<Signal>, Fault> {
        wait(&self.signals, until, &|| self.heartbeat.show())
    }
}

/// Roots of a transaction that never began are kept no longer: its operator died, and nobody else knows of them.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes the garbage collector roots of a transaction, the operator's and ours, and those that were abandoned.
fn release_roots(id: &TxId) -> io::Result<()> {
    let dir = Path::new(layout::ROOTS);
    let prefix = format!("{id}-");
    for entry in fs::read_dir(dir).map_err(files::at(dir))? {
        let entry = entry.map_err(files::at(dir))?;
        let made = fs::symlink_metadata(entry.path()).and_then(|m| m.modified()).map_err(files::at(dir))?;
        // A clock that went back says nothing about age.
        let abandoned = made.elapsed().is_ok_and(|age| age > ABANDONED);
        if abandoned || entry.file_name().to_string_lossy().starts_with(&prefix) {
            files::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Probes outside of a transaction: `nqd health`.
pub struct HealthProber {
    prober: probe::Prober,
    sender: Sender<Signal>,
    signals: Receiver<Signal>,
}

impl HealthProber {
    /// With the tools of `tools`. If a transaction left the running system in place in this boot, it ended at `settled`.
    pub fn new(runner: Runner, tools: StorePath, settled: Option<BootTime>) -> Self {
        let (sender, signals) = mpsc::channel();
        let mut prober = probe::Prober::new(Arc::new(Systemd::new(runner, tools)));
        prober.set_since(probe::Since { switch: None, settled: settled.map(clock::to_monotonic) });
        Self { prober, sender, signals }
    }
}

impl Prober for HealthProber {
    fn now(&self) -> BootTime {
        clock::boot_now()
    }

    fn start_probe(&mut self, name: &CheckName, check: &Check) {
        spawn_probe(&self.prober, &self.sender, name, check);
    }

    fn wait(&mut self, until: BootTime) -> Result<Vec<Signal>, Fault> {
        wait(&self.signals, until, &|| {})
    }
}

fn spawn_probe(prober: &probe::Prober, sender: &Sender<Signal>, name: &CheckName, check: &Check) {
    let (prober, sender, name, check) = (prober.clone(), sender.clone(), name.clone(), check.clone());
    thread::spawn(move || {
        let result = prober.probe(&name, &check);
        // Nobody listens any more once the transaction is over.
        sender.send(Signal::Probe(name, result)).unwrap_or(());
    });
}

/// Waits for the first signals, or until a time, showing meanwhile that we are alive.
fn wait(signals: &Receiver<Signal>, until: BootTime, alive: &dyn Fn()) -> Result<Vec<Signal>, Fault> {
    loop {
        alive();
        let left = until.since(clock::boot_now());
        match signals.recv_timeout(left.min(WAIT)) {
            Ok(first) => return Ok(std::iter::once(first).chain(signals.try_iter()).collect()),
            Err(RecvTimeoutError::Timeout) if left > WAIT => {}
            Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Fault::new("waiting", "no signal can come any more"));
            }
        }
    }
}

impl Machine for ThisMachine {
    fn wall(&self) -> String {
        clock::wall()
    }

    fn boot_id(&self) -> Result<BootId, Fault> {
        system_files::boot_id().map_err(tried("reading the boot id"))
    }

    fn triple(&self) -> Result<Triple, Fault> {
        system_files::triple().map_err(tried("reading what the machine runs and boots"))
    }

    fn running(&self) -> Result<StorePath, Fault> {
        system_files::running().map_err(tried("reading what the machine runs"))
    }

    fn booted(&self) -> Result<Option<StorePath>, Fault> {
        system_files::system_link(layout::BOOTED).map_err(tried("reading what was booted"))
    }

    fn describe(&self, system: &StorePath) -> Result<Described, Fault> {
        system_files::describe(system).map_err(tried("reading the files of a system"))
    }

    fn has_unit(&self, system: &StorePath, unit: &UnitName) -> Result<bool, Fault> {
        let dir = system.join("etc/systemd/system");
        let there = |name: &str| fs::exists(dir.join(name)).map_err(tried("looking for a unit's file"));
        Ok(there(unit.as_str())? || there(&unit.file_name())?)
    }

    fn etc(&self) -> Result<EtcIdentity, Fault> {
        etc_identity::read().map_err(tried("reading what /etc is"))
    }

    fn units(&mut self) -> Result<Units, Fault> {
        self.systemd.units().map_err(tried("asking systemd for its units"))
    }

    fn units_in_short(&mut self) -> Result<Units, Fault> {
        self.systemd.units_in_short().map_err(tried("asking systemd for its units"))
    }

    fn booting(&self) -> Result<bool, Fault> {
        self.systemd.is_booting().map_err(tried("asking systemd whether the boot is over"))
    }

    fn foreign_switch(&self) -> Result<bool, Fault> {
        switch_lock::held().map_err(tried("seeing whether a switch script runs"))
    }

    fn unit_log(&mut self, unit: &UnitName, lines: usize) -> Result<Vec<String>, Fault> {
        self.systemd.log(unit, lines).map_err(tried("reading a unit's log"))
    }

    fn switch(&mut self, system: &StorePath, action: Action, limit: Duration) -> Result<SwitchEnd, Fault> {
        self.run_switch(system, action, limit)
    }

    fn kill_left_over_switch(&mut self) -> Result<(), Fault> {
        self.kill_switches()
    }

    fn point_running_at(&mut self, system: &StorePath) -> Result<(), Fault> {
        files::point_link(Path::new(layout::RUNNING), system.as_path())
            .map_err(tried("pointing /run/current-system"))
    }

    fn sync_store(&mut self) -> Result<(), Fault> {
        let sync = Cmd::new(self.tools.join("sw/bin/sync")).clear_env().args(["-f", STORE_DIR]).own_group();
        self.runner.run(&sync).map(drop).map_err(tried("writing the store to disk"))
    }

    fn set_profile(&mut self, system: &StorePath) -> Result<(), Fault> {
        let cmd = self.nix("nix-env").args(["--profile", layout::PROFILE, "--set", system.as_str()]);
        self.run_nix("setting the system profile", &cmd)
    }

    fn set_generation(&mut self, number: u64) -> Result<(), Fault> {
        let cmd = self.nix("nix-env").args([
            "--profile",
            layout::PROFILE,
            "--switch-generation",
            &number.to_string(),
        ]);
        self.run_nix("putting the system profile back", &cmd)
    }

    fn start_units(&mut self, units: &[UnitName], limit: Duration) -> Result<(), Fault> {
        let names = units.iter().map(UnitName::as_str);
        let cmd = self.systemd.systemctl(["start", "--"]).args(names).timeout(limit);
        self.systemd.run(&cmd).map(drop).map_err(tried("starting units that were active before"))
    }

    fn cancel_jobs(&mut self) -> Result<(), Fault> {
        let cmd = self.systemd.systemctl(["cancel"]);
        self.systemd.run(&cmd).map(drop).map_err(tried("cancelling hung jobs"))
    }

    fn arm(&mut self, record: &Record) -> Result<(), Fault> {
        let token = self.asks.new_token()?;
        let argv = [record.guard.display().to_string(), "tick".to_owned(), record.id.to_string()];
        self.systemd
            .start_timer(&layout::dead_man_unit(&record.id), DEAD_MAN, &argv)
            .map_err(tried("starting the dead man's timer"))?;
        self.emit(Event::Armed { token });
        Ok(())
    }

    fn disarm(&mut self, record: &Record) -> Result<(), Fault> {
        let timer = format!("{}.timer", layout::dead_man_unit(&record.id));
        self.systemd.stop(&timer).map_err(tried("stopping the dead man's timer"))?;
        release_roots(&record.id).map_err(tried("removing the transaction's garbage collector roots"))
    }

    fn reboot(&mut self) -> Result<(), Fault> {
        let cmd = self.systemd.systemctl(["reboot"]);
        self.systemd.run(&cmd).map(drop).map_err(tried("rebooting"))
    }

    fn reply(&mut self, id: u64, answer: Result<String, String>) {
        self.asks.reply(id, answer);
    }

    fn emit(&mut self, event: Event) {
        self.events.append(event);
    }
}
