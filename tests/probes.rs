//! Probes against what they probe: Debian's PostgreSQL, a program that speaks as podman does, podman itself, and the
//! official Python SDK of the Model Context Protocol. What is not installed is skipped, on a line that says so; where
//! `NQD_REQUIRE_MACHINES` is set, as scripts/test sets it, that is a failure. podman may be forbidden to run anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "probes/container.rs"]
mod container;
#[path = "probes/mcp.rs"]
mod mcp;
#[path = "probes/metrics.rs"]
mod metrics;
#[path = "probes/postgres.rs"]
mod postgres;

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use nqd::effects::probe::{Prober, Services};
use nqd::effects::runner::{Cmd, Output, RunError, Runner};
use nqd::health::{Check, Manifest, ProbeResult, UnitState};
use nqd::model::UnitName;

/// What scripts/setup does not install: promtool comes with the whole of Prometheus, which is started.
const OPTIONAL: [&str; 1] = ["metrics_as_promtool_reads_them"];

/// A test, and why it cannot run here, if so.
type Row = (&'static str, fn(), Option<String>);

fn main() {
    let args = Arguments::from_args();
    let rows = [container::rows(), mcp::rows(), metrics::rows(), postgres::rows()].concat();
    let required = std::env::var_os("NQD_REQUIRE_MACHINES").is_some();
    let mut trials = Vec::new();
    for (name, test, missing) in rows {
        match missing {
            Some(why) if required && !OPTIONAL.contains(&name) && !why.starts_with(container::CANNOT) => {
                panic!("{name} is required here, but {why}")
            }
            Some(why) => println!("SKIPPED: {name}, because {why}"),
            None => trials.push(Trial::test(name, move || {
                test();
                Ok(())
            })),
        }
    }
    libtest_mimic::run(&args, trials).exit();
}

/// Runs programs as the unit would: as its user, with its environment and nothing else. There is no systemd here.
struct Direct;

impl Services for Direct {
    fn unit(&self, _: &UnitName) -> Result<UnitState, RunError> {
        Err(RunError::Missing("systemd".to_owned()))
    }

    fn run_to_end(
        &self,
        _: &str,
        properties: &[String],
        argv: &[String],
        (time, output): (Duration, usize),
    ) -> Result<Output, RunError> {
        let value = |name: &'static str| {
            properties.iter().filter_map(move |p| p.strip_prefix(name)?.strip_prefix('='))
        };
        let user = value("User").next().expect("these kinds run as somebody");
        let unquoted = |set: &str| set.trim_matches('"').to_owned();
        let mut cmd = Cmd::new(argv[0].clone());
        if is_root() {
            cmd =
                Cmd::new("setpriv").args([format!("--reuid={user}"), format!("--regid={}", group_of(user))]);
            cmd = cmd.args(["--clear-groups", "--", "env", "-i", "PATH=/usr/bin:/bin"]);
            cmd = cmd.args(value("Environment").map(unquoted)).arg(argv[0].clone());
        }
        let cmd = cmd.args(&argv[1..]).own_group().timeout(time).output_limit(output);
        Runner::default().run(&cmd)
    }

    fn kill(&self, _: &str) -> Result<(), RunError> {
        // The runner has killed its process group.
        Ok(())
    }

    fn journal(&self, _: &[String], _: (Duration, usize)) -> Result<Output, RunError> {
        Err(RunError::Missing("journalctl".to_owned()))
    }
}

/// Makes the probe that a manifest would ask for.
pub fn probe(kind: &serde_json::Value, timeout: f32) -> ProbeResult {
    let text = serde_json::json!({ "version": 1, "checks": { "c": { "probe": kind, "timeout": timeout } } });
    let manifest = Manifest::parse(&text.to_string()).unwrap();
    let check: &Check = &manifest.checks["c"];
    Prober::new(Arc::new(Direct)).probe(&"c".to_owned(), check)
}

pub fn is_root() -> bool {
    output("id", &["-u"]) == "0"
}

fn group_of(user: &str) -> String {
    output("id", &["-g", user])
}

/// What a program prints; panics unless it succeeds.
pub fn output(program: &str, args: &[&str]) -> String {
    let out = std::process::Command::new(program).args(args).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{program} {args:?}: {}\n{stdout}\n{stderr}", out.status);
    stdout.trim().to_owned()
}
