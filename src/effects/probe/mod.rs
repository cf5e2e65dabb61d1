//! Makes the probes: one file a kind. What a kind's settings mean is in [`crate::health::kind`].

mod disk;
mod exec;
mod file;
mod http;
mod resolve;
mod tcp;

use std::time::Duration;

use super::systemd::Systemd;
use crate::health::{Check, CheckName, Kind, ProbeResult};

/// What a probe may use.
#[derive(Clone)]
pub struct Prober {
    /// The systemd of this machine.
    pub systemd: Systemd,
}

impl Prober {
    /// Makes one probe. It takes no longer than the check's timeout and a little.
    pub fn probe(&self, name: &CheckName, check: &Check) -> ProbeResult {
        let time = check.timeout.duration();
        match &check.probe {
            Kind::Unit { unit } => match self.systemd.unit(unit) {
                Ok(state) => state.probe(unit),
                Err(e) => ProbeResult::unknown(e.to_string()),
            },
            Kind::Http { url, expect_status, body_regex, verify_tls } => {
                http::probe(url, expect_status, body_regex.as_deref(), *verify_tls, time)
            }
            Kind::Tcp { host, port } => tcp::probe(host, *port, time),
            Kind::Exec { command, user, memory_max_bytes } => {
                exec::probe(&self.systemd, name, command, (user.as_deref(), *memory_max_bytes), time)
            }
            Kind::File { path, is, content_regex, max_age_seconds } => {
                file::probe(path, *is, content_regex.as_deref(), max_age_seconds.map(Duration::from_secs))
            }
            Kind::Disk { path, max_used_percent, max_inodes_percent } => {
                disk::probe(path, *max_used_percent, *max_inodes_percent)
            }
        }
    }
}

/// Whether a regular expression that the manifest's validation accepted matches; `Err` if it is none after all.
fn matches(regex: &str, text: &str) -> Result<bool, String> {
    regex_lite::Regex::new(regex).map(|r| r.is_match(text)).map_err(|e| format!("{regex:?}: {e}"))
}
