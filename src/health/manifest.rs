//! The manifest: the checks that come with a system, as `etc/nqd/health.json` in its toplevel.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Kind;
use crate::model::Seconds;
use crate::model::text::hex;

/// The version of the format that this program writes and reads.
pub const VERSION: u32 = 1;
/// More checks than this are refused: eight run at a time.
const MAX_CHECKS: usize = 1000;
/// A longer file is refused.
const MAX_BYTES: usize = 4 << 20;
/// Names of the checks that every transaction has.
pub const BUILT_IN: [&str; 2] = ["no-unit-regressed", "operator-reconnect"];

/// A check's name: letters, digits and `.` `_` `-`.
pub type CheckName = String;

/// The declared checks of one system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// By name.
    pub checks: BTreeMap<CheckName, Check>,
}

/// One declared check. Defaults: DESIGN rule 10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// What is looked at.
    pub probe: Kind,
    /// What a failure means.
    #[serde(default)]
    pub level: Level,
    /// Time between two probes.
    #[serde(default = "period")]
    pub period: Seconds,
    /// Time that one probe has.
    #[serde(default = "timeout")]
    pub timeout: Seconds,
    /// Time from its first probe within which it must have passed.
    #[serde(default = "start_deadline")]
    pub start_deadline: Seconds,
    /// Consecutive successes that make it pass.
    #[serde(default = "success_threshold")]
    pub success_threshold: u32,
    /// Consecutive failures, after it has passed, that make it fail.
    #[serde(default = "failure_threshold")]
    pub failure_threshold: u32,
    /// Checks that must pass before this one is probed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<CheckName>,
}

/// What a check's failure means for the deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// The candidate is rolled back.
    #[default]
    Required,
    /// The candidate is committed as degraded.
    Wanted,
    /// It is recorded.
    Info,
}

fn period() -> Seconds {
    Seconds::whole(2)
}
fn timeout() -> Seconds {
    Seconds::whole(5)
}
fn start_deadline() -> Seconds {
    Seconds::whole(60)
}
fn success_threshold() -> u32 {
    2
}
fn failure_threshold() -> u32 {
    3
}

impl Check {
    /// A required check with every number at its default.
    pub fn new(probe: Kind) -> Self {
        Self {
            probe,
            level: Level::default(),
            period: period(),
            timeout: timeout(),
            start_deadline: start_deadline(),
            success_threshold: success_threshold(),
            failure_threshold: failure_threshold(),
            after: Vec::new(),
        }
    }
}

/// Why a text is not a manifest.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is no JSON, or not of this shape.
    #[error("it is not a manifest of version {VERSION}: {0}")]
    Shape(#[from] serde_json::Error),
    /// It was written by a later version.
    #[error("it is of version {0}; this program reads version {VERSION}. Update nixos-quick-deploy")]
    Newer(u32),
    /// It is larger than anyone needs.
    #[error("it is too large: at most {MAX_CHECKS} checks in {MAX_BYTES} bytes")]
    TooLarge,
    /// One check is wrong.
    #[error("check {name:?}: {why}")]
    Check {
        /// The check.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Manifest {
    /// Parses and validates a manifest.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct OfVersion {
            version: u32,
        }
        if text.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let OfVersion { version } = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(ManifestError::Newer(version));
        }
        let manifest: Self = serde_json::from_str(text)?;
        if manifest.checks.len() > MAX_CHECKS {
            return Err(ManifestError::TooLarge);
        }
        manifest.validate()?;
        Ok(manifest)
    }

    /// SHA-256 of the text, in hexadecimal: the journal's proof of which manifest gated.
    pub fn hash(text: &str) -> String {
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// Whether `other` declares this check in the same way: only then is its earlier result comparable.
    pub fn same_check(&self, name: &str, other: &Self) -> bool {
        self.checks.get(name).is_some_and(|c| other.checks.get(name) == Some(c))
    }

    fn validate(&self) -> Result<(), ManifestError> {
        for (name, check) in &self.checks {
            let fault = self.fault(name, check);
            if let Some(why) = fault {
                return Err(ManifestError::Check { name: name.clone(), why });
            }
        }
        match self.in_a_cycle() {
            Some(name) => {
                Err(ManifestError::Check { name, why: "its `after` leads back to itself".to_owned() })
            }
            None => Ok(()),
        }
    }

    fn fault(&self, name: &str, check: &Check) -> Option<String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > 100 || !name.bytes().all(plain) {
            return Some("a name consists of up to 100 letters, digits and . _ -".to_owned());
        }
        if BUILT_IN.contains(&name) {
            return Some("this name belongs to a built-in check".to_owned());
        }
        if let Some(missing) = check.after.iter().find(|a| !self.checks.contains_key(*a)) {
            return Some(format!("`after` names {missing:?}, which is not declared"));
        }
        if check.success_threshold == 0 || check.failure_threshold == 0 {
            return Some("a threshold is at least 1".to_owned());
        }
        let zero = |s: Seconds| s.duration().is_zero();
        if zero(check.period) || zero(check.timeout) || zero(check.start_deadline) {
            return Some("period, timeout and startDeadline must be longer than 0 s".to_owned());
        }
        check.probe.fault()
    }

    /// A check that comes after itself, if there is one: what remains once all that can be ordered are taken away.
    fn in_a_cycle(&self) -> Option<CheckName> {
        let mut ordered: BTreeSet<&str> = BTreeSet::new();
        loop {
            let ready = |(name, check): &(&CheckName, &Check)| {
                !ordered.contains(name.as_str()) && check.after.iter().all(|a| ordered.contains(a.as_str()))
            };
            let next: Vec<&str> = self.checks.iter().filter(ready).map(|(n, _)| n.as_str()).collect();
            if next.is_empty() {
                return self.checks.keys().find(|n| !ordered.contains(n.as_str())).cloned();
            }
            ordered.extend(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(check: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(&format!(r#"{{"version":1,"checks":{{"a":{check}}}}}"#))
    }

    #[test]
    fn defaults_are_the_designs() {
        let m = one(r#"{"probe":{"kind":"tcp","host":"localhost","port":22}}"#).unwrap();
        insta::assert_json_snapshot!(m.checks["a"], @r#"
        {
          "probe": {
            "kind": "tcp",
            "host": "localhost",
            "port": 22
          },
          "level": "required",
          "period": 2.0,
          "timeout": 5.0,
          "startDeadline": 60.0,
          "successThreshold": 2,
          "failureThreshold": 3
        }
        "#);
    }

    #[test]
    fn every_kind_parses_and_survives_a_round_trip() {
        for kind in [
            r#"{"kind":"unit","unit":"nginx.service"}"#,
            r#"{"kind":"http","url":"https://localhost/x","expectStatus":[200,204],"bodyRegex":"ok$","verifyTls":false}"#,
            r#"{"kind":"exec","command":["/bin/true","-x"],"user":"nobody"}"#,
            r#"{"kind":"file","path":"/run/x","is":"socket","contentRegex":"a","maxAgeSeconds":5}"#,
            r#"{"kind":"disk","path":"/","maxUsedPercent":80}"#,
            r#"{"kind":"load","minutes":15,"maxPerCpu":1.5}"#,
            r#"{"kind":"load","maxPerCpu":1}"#,
            r#"{"kind":"memory","minAvailablePercent":10,"maxSwapUsedPercent":50}"#,
            r#"{"kind":"dns","name":"web.example.org.","record":"aaaa","server":"[::1]:5353","expect":["2001:db8::1"]}"#,
            r#"{"kind":"port-closed","host":"localhost","port":23}"#,
            r#"{"kind":"journal","pattern":"(?i)out of memory","unit":"web.service","priority":"err","withinSeconds":60}"#,
            r#"{"kind":"container","name":"web","program":"/bin/podman","user":"alice"}"#,
            r#"{"kind":"postgres","program":"/bin/psql","extensions":["timescaledb","uuid-ossp"]}"#,
            r#"{"kind":"mcp","url":"http://localhost:8000/mcp","tools":["search"],"tokenFile":"/run/token"}"#,
        ] {
            let m = one(&format!(r#"{{"probe":{kind}}}"#)).unwrap();
            assert_eq!(Manifest::parse(&serde_json::to_string(&m).unwrap()).unwrap(), m, "{kind}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bad, says) in [
            (r#"{"probe":{"kind":"tcp","host":"x","port":0}}"#, "port"),
            (r#"{"probe":{"kind":"tcp","host":"x","port":1,"prot":2}}"#, "prot"),
            (r#"{"probe":{"kind":"telepathy"}}"#, "telepathy"),
            (r#"{"probe":{"kind":"unit","unit":"nginx"}}"#, "nginx"),
            (r#"{"probe":{"kind":"http","url":"ftp://x"}}"#, "url"),
            (r#"{"probe":{"kind":"http","url":"http://x","bodyRegex":"("}}"#, "bodyRegex"),
            (r#"{"probe":{"kind":"exec","command":["true"]}}"#, "absolute"),
            (r#"{"probe":{"kind":"file","path":"x"}}"#, "absolute"),
            (r#"{"probe":{"kind":"disk","path":"/","maxUsedPercent":101}}"#, "100"),
            (r#"{"probe":{"kind":"load","minutes":2}}"#, "1, 5 and 15"),
            (r#"{"probe":{"kind":"load","maxPerCpu":0}}"#, "maxPerCpu"),
            (r#"{"probe":{"kind":"memory","minAvailablePercent":101}}"#, "minAvailablePercent"),
            (r#"{"probe":{"kind":"memory","maxSwapUsedPercent":101}}"#, "maxSwapUsedPercent"),
            (r#"{"probe":{"kind":"dns","name":"a..b"}}"#, "host name"),
            (r#"{"probe":{"kind":"dns","name":"192.0.2.1"}}"#, "address already"),
            (r#"{"probe":{"kind":"dns","name":"a","server":"ns.example"}}"#, "server"),
            (r#"{"probe":{"kind":"dns","name":"a","record":"a","expect":["::1"]}}"#, "::1"),
            (r#"{"probe":{"kind":"dns","name":"a","expect":["b"]}}"#, "IP address"),
            (r#"{"probe":{"kind":"port-closed","host":"x","port":0}}"#, "port"),
            (r#"{"probe":{"kind":"journal","pattern":"("}}"#, "pattern"),
            (r#"{"probe":{"kind":"journal","pattern":"x*"}}"#, "everything"),
            (r#"{"probe":{"kind":"journal","pattern":"x","priority":"loud"}}"#, "loud"),
            (r#"{"probe":{"kind":"journal","pattern":"x","unit":"nginx"}}"#, "nginx"),
            (r#"{"probe":{"kind":"journal","pattern":"x","withinSeconds":0}}"#, "withinSeconds"),
            (r#"{"probe":{"kind":"container","name":"-a","program":"/bin/podman"}}"#, "-a"),
            (r#"{"probe":{"kind":"container","name":"a","program":"podman"}}"#, "program"),
            (r#"{"probe":{"kind":"container","name":"a","program":"/bin/podman","user":"a b"}}"#, "a b"),
            (r#"{"probe":{"kind":"postgres","program":"psql"}}"#, "program"),
            (
                r#"{"probe":{"kind":"postgres","program":"/psql","socketDirectory":"example.org"}}"#,
                "socketDirectory",
            ),
            (r#"{"probe":{"kind":"postgres","program":"/psql","port":0}}"#, "port"),
            (r#"{"probe":{"kind":"postgres","program":"/psql","user":"-x"}}"#, "user"),
            (r#"{"probe":{"kind":"postgres","program":"/psql","database":"host=x"}}"#, "database"),
            (r#"{"probe":{"kind":"postgres","program":"/psql","extensions":["a'; DROP"]}}"#, "extension"),
            (r#"{"probe":{"kind":"mcp","url":"ftp://x"}}"#, "url"),
            (r#"{"probe":{"kind":"mcp","url":"http://me:secret@x/mcp"}}"#, "tokenFile"),
            (r#"{"probe":{"kind":"mcp","url":"http://x/mcp","tools":[""]}}"#, "tool"),
            (r#"{"probe":{"kind":"mcp","url":"http://x/mcp","tokenFile":"token"}}"#, "tokenFile"),
            (r#"{"probe":{"kind":"disk","path":"/"},"after":["b"]}"#, "\"b\""),
            (r#"{"probe":{"kind":"disk","path":"/"},"after":["a"]}"#, "itself"),
            (r#"{"probe":{"kind":"disk","path":"/"},"period":0}"#, "period"),
            (r#"{"probe":{"kind":"disk","path":"/"},"period":-1}"#, "duration"),
            (r#"{"probe":{"kind":"disk","path":"/"},"successThreshold":0}"#, "threshold"),
            (r#"{"probe":{"kind":"disk","path":"/"},"levl":"info"}"#, "levl"),
            ("[]", "manifest"),
        ] {
            let e = one(bad).unwrap_err().to_string();
            assert!(e.contains(says), "{bad}: {e}");
        }
    }

    #[test]
    fn cycles_newer_versions_and_reserved_names_are_refused() {
        let disk = r#"{"kind":"disk","path":"/"}"#;
        let cycle = format!(
            r#"{{"version":1,"checks":{{"a":{{"probe":{disk},"after":["b"]}},"b":{{"probe":{disk},"after":["a"]}},"c":{{"probe":{disk}}}}}}}"#
        );
        assert!(Manifest::parse(&cycle).unwrap_err().to_string().contains("itself"));
        assert!(matches!(
            Manifest::parse(r#"{"version":2,"shape":"unknown"}"#),
            Err(ManifestError::Newer(2))
        ));
        let reserved = format!(r#"{{"version":1,"checks":{{"operator-reconnect":{{"probe":{disk}}}}}}}"#);
        assert!(Manifest::parse(&reserved).unwrap_err().to_string().contains("built-in"));
        let many: Vec<String> = (0..=MAX_CHECKS).map(|i| format!(r#""c{i}":{{"probe":{disk}}}"#)).collect();
        let many = format!(r#"{{"version":1,"checks":{{{}}}}}"#, many.join(","));
        assert!(matches!(Manifest::parse(&many), Err(ManifestError::TooLarge)));
    }
}
