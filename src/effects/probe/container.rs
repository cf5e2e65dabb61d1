//! `container`: podman or docker says that a container runs, and is healthy if it has a health check.

use std::time::Duration;

use serde::Deserialize;

use super::{Services, exec};
use crate::health::ProbeResult;
use crate::health::kind::Container;

/// What the program may take: it is started anew each time, and is large.
const MEMORY: u64 = 512 << 20;
/// Where NixOS has the set-uid programs with which rootless podman makes its namespaces.
const PATH: &str = "PATH=/run/wrappers/bin:/run/current-system/sw/bin";

/// A container's state, as both programs print it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    started_at: String,
    /// podman 3 has another name for it. Without a health check it is not there, null, or empty.
    #[serde(default, alias = "Healthcheck")]
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    #[serde(default)]
    status: String,
}

pub(super) fn probe(
    services: &dyn Services,
    name: &str,
    container: &Container,
    time: Duration,
) -> ProbeResult {
    let argv = argv(container);
    let user = container.user.as_deref().or(Some("root"));
    let program = exec::Program { argv: &argv, user, memory: MEMORY, env: &[PATH.to_owned()] };
    match exec::run(services, name, &program, time) {
        Ok(out) => judge(&container.name, &out.stdout),
        Err(result) => result,
    }
}

/// `inspect` only reads; the format is Go's, and the same for both programs.
fn argv(container: &Container) -> Vec<String> {
    let program = container.program.display().to_string();
    let fixed = ["inspect", "--type", "container", "--format", "{{json .State}}"];
    std::iter::once(program)
        .chain(fixed.map(str::to_owned))
        .chain(std::iter::once(container.name.clone()))
        .collect()
}

fn judge(name: &str, output: &[u8]) -> ProbeResult {
    let state: State = match serde_json::from_slice(output) {
        Ok(state) => state,
        Err(e) => return ProbeResult::unknown(format!("what is said of {name} cannot be understood: {e}")),
    };
    let health = state.health.map_or_else(String::new, |h| h.status);
    let word = state.status.as_str();
    match (word, health.as_str()) {
        ("running", "" | "none") => running(name, "runs", state.started_at),
        ("running", "healthy") => running(name, "runs and is healthy", state.started_at),
        ("running", "starting") => ProbeResult::pending(format!("{name} runs; its health check starts")),
        ("running", other) => ProbeResult::fail(format!("{name} runs and is {other}")),
        ("created" | "configured" | "initialized", _) => ProbeResult::pending(format!("{name} is {word}")),
        ("exited" | "stopped", _) => {
            ProbeResult::fail(format!("{name} is {word}, with status {}", state.exit_code))
        }
        _ => ProbeResult::fail(format!("{name} is {word}")),
    }
}

/// As with units: one that is restarted after it has passed is not well.
fn running(name: &str, how: &str, started: String) -> ProbeResult {
    let pass = ProbeResult::pass(format!("{name} {how}"));
    if started.is_empty() { pass } else { pass.with_fingerprint(started) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass, Pending, Unknown};

    #[test]
    fn states_of_podman_and_docker() {
        let rows = [
            // docker 20, podman 4 (always has Health), podman 3.
            (r#"{"Status":"running","Running":true,"Pid":7,"ExitCode":0,"StartedAt":"t1"}"#, Pass),
            (r#"{"Status":"running","StartedAt":"t1","Health":null}"#, Pass),
            (
                r#"{"Status":"running","StartedAt":"t1","Health":{"Status":"","FailingStreak":0,"Log":null}}"#,
                Pass,
            ),
            (r#"{"Status":"running","Health":{"Status":"none"}}"#, Pass),
            (r#"{"Status":"running","Health":{"Status":"healthy"}}"#, Pass),
            (r#"{"Status":"running","Healthcheck":{"Status":"unhealthy"}}"#, Fail),
            (r#"{"Status":"running","Health":{"Status":"starting"}}"#, Pending),
            (r#"{"Status":"running","Health":{"Status":"unhealthy","FailingStreak":3}}"#, Fail),
            (r#"{"Status":"running","Health":{"Status":"ecstatic"}}"#, Fail),
            (r#"{"Status":"created"}"#, Pending),
            (r#"{"Status":"exited","ExitCode":137}"#, Fail),
            (r#"{"Status":"restarting"}"#, Fail),
            (r#"{"Status":"paused"}"#, Fail),
            ("{}", Unknown),
            ("[]", Unknown),
            ("", Unknown),
        ];
        for (state, expected) in rows {
            let got = judge("web", state.as_bytes());
            assert_eq!(got.status, expected, "{state}: {}", got.message);
        }
        assert_eq!(
            judge("web", br#"{"Status":"exited","ExitCode":137}"#).message,
            "web is exited, with status 137"
        );
    }

    #[test]
    fn a_container_that_was_restarted_is_another() {
        let of = |started: &str| {
            judge("web", format!(r#"{{"Status":"running","StartedAt":"{started}"}}"#).as_bytes()).fingerprint
        };
        assert_eq!(of("t1"), of("t1"));
        assert!(of("t1").is_some() && of("t1") != of("t2"));
    }

    #[test]
    fn what_is_run() {
        let container = Container { name: "web".into(), program: "/bin/podman".into(), user: None };
        assert_eq!(
            argv(&container),
            ["/bin/podman", "inspect", "--type", "container", "--format", "{{json .State}}", "web"]
        );
    }
}
