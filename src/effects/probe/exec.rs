//! `exec`: a program exits with 0, in a cgroup of its own. Other kinds run their programs in the same way.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Services;
use crate::effects::runner::{Output, RunError};
use crate::health::ProbeResult;
use crate::health::kind::Exec;

/// What a program may print.
const OUTPUT: usize = 64 << 10;
/// Processes and threads that it may have.
const TASKS: u32 = 128;
/// How much longer than its time systemd lets it run.
const GRACE: Duration = Duration::from_secs(3);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A program, and how it is run.
pub(super) struct Program<'a> {
    /// Its absolute path and its arguments.
    pub(super) argv: &'a [String],
    /// As whom; a user that exists only for it if not given.
    pub(super) user: Option<&'a str>,
    /// Memory that it may use, in bytes.
    pub(super) memory: u64,
    /// `NAME=value` for its environment.
    pub(super) env: &'a [String],
}

pub(super) fn probe(services: &dyn Services, name: &str, exec: &Exec, time: Duration) -> ProbeResult {
    let program =
        Program { argv: &exec.command, user: exec.user.as_deref(), memory: exec.memory_max_bytes, env: &[] };
    match run(services, name, &program, time) {
        Ok(_) => ProbeResult::pass(format!("{} exited with 0", first(&exec.command))),
        Err(result) => result,
    }
}

/// Runs a program for the check `name`. `Err` is the answer of a probe whose program did not exit with 0.
pub(super) fn run(
    services: &dyn Services,
    name: &str,
    program: &Program<'_>,
    time: Duration,
) -> Result<Output, ProbeResult> {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let unit = format!("nqd-probe-{}-{n}-{name}.service", std::process::id());
    let mut properties = vec![
        // We stop it in time ourselves; this is for when we cannot.
        format!("RuntimeMaxSec={}", (time + GRACE).as_secs_f32()),
        "TimeoutStopSec=1".to_owned(),
        format!("MemoryMax={}", program.memory),
        format!("TasksMax={TASKS}"),
    ];
    match program.user {
        Some(user) => properties.push(format!("User={user}")),
        // A user of its own can be held by its number of processes too, where cgroups do not count tasks.
        None => properties.extend(["DynamicUser=yes".to_owned(), format!("LimitNPROC={TASKS}")]),
    }
    properties.extend(program.env.iter().map(|set| format!("Environment={set:?}")));
    let first = first(program.argv);
    services.run_to_end(&unit, &properties, program.argv, (time, OUTPUT)).map_err(|e| match e {
        RunError::Failed { how, stderr, .. } => {
            let said = last_words(&stderr).map_or_else(String::new, |l| format!(": {l}"));
            ProbeResult::fail(format!("{first} {how}{said}"))
        }
        stopped @ (RunError::TimedOut { .. } | RunError::Flooded { .. }) => {
            // systemd-run is gone, what it started may not be.
            let killed = services.kill(&unit).map_err(|e| format!(", and could not be killed: {e}"));
            let what = if matches!(stopped, RunError::Flooded { .. }) {
                format!("printed more than {OUTPUT} bytes")
            } else {
                format!("did not end within {} s", time.as_secs_f32())
            };
            ProbeResult::fail(format!("{first} {what}{}", killed.err().unwrap_or_default()))
        }
        e => ProbeResult::unknown(e.to_string()),
    })
}

/// The last line, with the line that it continues.
fn last_words(stderr: &[String]) -> Option<String> {
    let from = stderr.iter().rposition(|l| !l.is_empty() && !l.starts_with([' ', '\t']))?;
    Some(stderr.get(from..)?.iter().map(|l| l.trim()).collect::<Vec<_>>().join(" "))
}

fn first(command: &[String]) -> &str {
    command.first().map_or("", String::as_str)
}
