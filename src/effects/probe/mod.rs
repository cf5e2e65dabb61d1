//! Makes the probes: one file a kind. What a kind's settings mean is in [`crate::health::kind`].

mod container;
mod disk;
mod dns;
mod exec;
mod file;
mod http;
mod journal;
mod load;
mod mcp;
mod memory;
mod port_closed;
mod postgres;
mod resolve;
mod tcp;

use std::sync::Arc;
use std::time::Duration;

use super::runner::{Output, RunError};
use super::systemd::Systemd;
use crate::health::{Check, CheckName, Kind, ProbeResult, UnitState};
use crate::model::UnitName;

/// What probes ask of the machine's service manager. [`Systemd`] is the one there is; a test has its own.
pub trait Services: Send + Sync {
    /// How a unit is.
    fn unit(&self, name: &UnitName) -> Result<UnitState, RunError>;
    /// Runs a program to its end in a unit of its own, with systemd's properties, for so long and with so much output.
    fn run_to_end(
        &self,
        unit: &str,
        properties: &[String],
        argv: &[String],
        limits: (Duration, usize),
    ) -> Result<Output, RunError>;
    /// Kills all that runs in a unit.
    fn kill(&self, unit: &str) -> Result<(), RunError>;
    /// `journalctl` with arguments, for so long and with so much output.
    fn journal(&self, args: &[String], limits: (Duration, usize)) -> Result<Output, RunError>;
}

impl Services for Systemd {
    fn unit(&self, name: &UnitName) -> Result<UnitState, RunError> {
        self.unit(name)
    }
    fn run_to_end(
        &self,
        unit: &str,
        properties: &[String],
        argv: &[String],
        limits: (Duration, usize),
    ) -> Result<Output, RunError> {
        self.run_to_end(unit, properties, argv, limits)
    }
    fn kill(&self, unit: &str) -> Result<(), RunError> {
        self.kill(unit)
    }
    fn journal(&self, args: &[String], limits: (Duration, usize)) -> Result<Output, RunError> {
        self.journal(args, limits)
    }
}

/// From when on what is logged counts, in microseconds of the monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Since {
    /// A switch of ours began: everything from here on counts, and nothing before.
    pub switch: Option<u64>,
    /// The running system was left in place: what was logged before is another's.
    pub settled: Option<u64>,
}

/// What a probe may use.
#[derive(Clone)]
pub struct Prober {
    services: Arc<dyn Services>,
    since: Since,
}

impl Prober {
    /// Nothing is known of any switch.
    pub fn new(services: Arc<dyn Services>) -> Self {
        Self { services, since: Since::default() }
    }

    /// From now on, with this.
    pub fn set_since(&mut self, since: Since) {
        self.since = since;
    }

    /// Makes one probe. It takes no longer than the check's timeout and a little.
    pub fn probe(&self, name: &CheckName, check: &Check) -> ProbeResult {
        let time = check.timeout.duration();
        let services = &*self.services;
        match &check.probe {
            Kind::Unit { unit } => match services.unit(unit) {
                Ok(state) => state.probe(unit),
                Err(e) => ProbeResult::unknown(e.to_string()),
            },
            Kind::Http(http) => http::probe(http, time),
            Kind::Tcp(tcp) => tcp::probe(&tcp.host, tcp.port, time),
            Kind::PortClosed(tcp) => port_closed::probe(&tcp.host, tcp.port, time),
            Kind::Exec(exec) => exec::probe(services, name, exec, time),
            Kind::File(file) => file::probe(file),
            Kind::Disk(disk) => disk::probe(disk),
            Kind::Load(load) => load::probe(load),
            Kind::Memory(memory) => memory::probe(memory),
            Kind::Dns(dns) => dns::probe(dns, time),
            Kind::Journal(journal) => journal::probe(services, journal, self.since, time),
            Kind::Container(container) => container::probe(services, name, container, time),
            Kind::Postgres(postgres) => postgres::probe(services, name, postgres, time),
            Kind::Mcp(mcp) => mcp::probe(mcp, time),
        }
    }
}

/// Whether a regular expression that the manifest's validation accepted matches; `Err` if it is none after all.
fn matches(regex: &str, text: &str) -> Result<bool, String> {
    regex_lite::Regex::new(regex).map(|r| r.is_match(text)).map_err(|e| format!("{regex:?}: {e}"))
}
