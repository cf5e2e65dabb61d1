//! `nqd test`: what a host's virtual machine says about itself, and what that means. No I/O.

pub mod console;
pub mod replaced;

use serde::Serialize;

use crate::exit::Exit;
use crate::health::examination::{self, Examination};
use crate::model::{HostName, StorePath};

/// The version of [`Trial`].
pub const VERSION: u32 = 1;
/// The name of the virtio port that the VM's gate unit writes its record to: part of the contract with the module.
pub const PORT: &str = "org.nixos-quick-deploy.gate";
/// Bytes that a record may have.
pub const LIMIT: usize = 4 << 20;

/// What became of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It wrote a line to the port: this, without the line's end.
    Record(Vec<u8>),
    /// It wrote more than [`LIMIT`] bytes and no end of a line.
    TooLong,
    /// Nothing, or no whole line, within its time.
    Late {
        /// Bytes that it had written.
        bytes: usize,
    },
    /// It ended before.
    Ended {
        /// How: what its program said last.
        how: String,
        /// Bytes that it had written.
        bytes: usize,
    },
}

/// How a host's VM is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// [`VERSION`].
    pub v: u32,
    /// The host.
    pub host: HostName,
    /// Its VM: what `config.system.build.vm` gave.
    pub vm: String,
    /// `ok`, `degraded`, `unhealthy`, or `inconclusive` where there is no record to rely on.
    pub verdict: Exit,
    /// Why it is inconclusive, if there is no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examination: Option<Examination>,
    /// What is not in the VM as it is on the machine; `None` where only the VM is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Vec<String>>,
    /// Seconds from its start to its record, or to its end.
    pub seconds: f64,
    /// Where what its console said is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// The last lines of it, unless the host is healthy.
    pub console_end: Vec<String>,
}

/// The record of a VM, or why nothing is known. `system` is what the VM was built to run, where that is known.
pub fn read(said: &Said, system: Option<&StorePath>) -> Result<Examination, String> {
    let so_far = |bytes: &usize| match bytes {
        0 => String::new(),
        n => format!("; it had written {n} bytes and no end of a line"),
    };
    match said {
        Said::Record(line) => parse(line, system),
        Said::TooLong => Err(format!("its record is longer than {LIMIT} bytes")),
        Said::Late { bytes } => Err(format!("it wrote no record within its time{}", so_far(bytes))),
        Said::Ended { how, bytes } => {
            Err(format!("it ended before it wrote a record: {how}{}", so_far(bytes)))
        }
    }
}

fn parse(line: &[u8], system: Option<&StorePath>) -> Result<Examination, String> {
    let record: Examination =
        serde_json::from_slice(line).map_err(|e| format!("its record cannot be understood: {e}"))?;
    if record.v != examination::VERSION {
        let known = examination::VERSION;
        return Err(format!("its record is of version {}, this program reads {known}", record.v));
    }
    if let Some(system) = system.filter(|s| **s != record.system) {
        let (is, was) = (system.short(), record.system.short());
        return Err(format!("its record is about {was}, the VM was built to run {is}"));
    }
    let shown = examination::verdict(&record.checks);
    let better = |a: Exit, b: Exit| Exit::worst([a, b]) == b && a != b;
    match record.verdict {
        Exit::Ok | Exit::Degraded | Exit::Unhealthy | Exit::Inconclusive
            if !better(record.verdict, shown) =>
        {
            Ok(record)
        }
        _ => Err("its record contradicts itself: the verdict is not what its checks say".to_owned()),
    }
}

impl Trial {
    /// In one line: healthy, or the first check that speaks against it.
    pub fn summary(&self) -> String {
        let word = match self.verdict {
            Exit::Ok => return "healthy in its VM".to_owned(),
            Exit::Degraded => "degraded in its VM",
            Exit::Unhealthy => "not healthy in its VM",
            _ => "nothing is known from its VM",
        };
        let bad = self.examination.iter().flat_map(|e| &e.checks).filter(|c| c.speaks_against());
        // A required one says more than one that is only wanted.
        let first = bad.min_by_key(|c| c.level).map(|c| format!("check {} {}", c.name, c.message));
        let why = self.why.clone().or(first);
        why.map_or_else(|| word.to_owned(), |why| format!("{word}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{CheckReport, Level, Standing};

    const SYSTEM: &str = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-web-1";

    fn record(verdict: Exit, standing: Standing) -> Examination {
        Examination {
            v: 1,
            at: "2026-11-22T06:03:01Z".into(),
            host: "web".into(),
            system: StorePath::parse(SYSTEM).unwrap(),
            verdict,
            checks: vec![CheckReport {
                name: "site".into(),
                level: Level::Required,
                baseline: None,
                standing,
                message: "http 500".into(),
            }],
        }
    }

    fn of(record: &Examination) -> Result<Exit, String> {
        let line = serde_json::to_vec(record).unwrap();
        read(&Said::Record(line), Some(&StorePath::parse(SYSTEM).unwrap())).map(|e| e.verdict)
    }

    #[test]
    fn records_that_can_be_relied_on() {
        assert_eq!(of(&record(Exit::Ok, Standing::Passing)), Ok(Exit::Ok));
        assert_eq!(of(&record(Exit::Unhealthy, Standing::Failing)), Ok(Exit::Unhealthy));
        assert_eq!(of(&record(Exit::Inconclusive, Standing::Unknown)), Ok(Exit::Inconclusive));
        // Stricter than its checks it may be.
        assert_eq!(of(&record(Exit::Unhealthy, Standing::Passing)), Ok(Exit::Unhealthy));
    }

    #[test]
    fn what_is_no_record_is_never_healthy() {
        for (contradicting, standing) in [
            (Exit::Ok, Standing::Failing),
            (Exit::Degraded, Standing::Failing),
            (Exit::Ok, Standing::Unknown),
            (Exit::Ok, Standing::Pending),
            (Exit::RolledBack, Standing::Passing),
        ] {
            let e = of(&record(contradicting, standing)).unwrap_err();
            assert!(e.contains("contradicts"), "{contradicting:?} {standing:?}: {e}");
        }
        let other = StorePath::parse(&SYSTEM.replace("web", "old")).unwrap();
        let e = of(&Examination { system: other, ..record(Exit::Ok, Standing::Passing) }).unwrap_err();
        assert!(e.contains("old-1, the VM was built to run"), "{e}");
        assert!(
            of(&Examination { v: 2, ..record(Exit::Ok, Standing::Passing) })
                .unwrap_err()
                .contains("version 2")
        );
        let whole = serde_json::to_vec(&record(Exit::Ok, Standing::Passing)).unwrap();
        for cut in 0..whole.len() {
            assert!(read(&Said::Record(whole[..cut].to_vec()), None).is_err(), "torn at {cut}");
        }
        for said in [
            Said::Record(b"\xff\xfe\0".to_vec()),
            Said::Record(b"{\"verdict\":\"ok\"}".to_vec()),
            Said::TooLong,
            Said::Late { bytes: 0 },
            Said::Late { bytes: 7 },
            Said::Ended { how: "exited with 1".into(), bytes: 0 },
        ] {
            assert!(read(&said, None).is_err(), "{said:?}");
        }
    }

    #[test]
    fn one_line_names_the_check() {
        let trial = |verdict, standing| Trial {
            v: VERSION,
            host: HostName::parse("web").unwrap(),
            vm: "/vm".into(),
            verdict,
            why: None,
            examination: Some(record(verdict, standing)),
            replaced: None,
            seconds: 1.0,
            console: None,
            console_end: Vec::new(),
        };
        assert_eq!(trial(Exit::Ok, Standing::Passing).summary(), "healthy in its VM");
        let bad = trial(Exit::Unhealthy, Standing::Failing).summary();
        assert_eq!(bad, "not healthy in its VM: check site http 500");
        let unknown = Trial {
            why: Some("it is late".into()),
            examination: None,
            ..trial(Exit::Inconclusive, Standing::Unknown)
        };
        assert_eq!(unknown.summary(), "nothing is known from its VM: it is late");
    }
}
