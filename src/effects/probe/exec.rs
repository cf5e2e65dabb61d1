//! `exec`: a program exits with 0, in a cgroup of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::effects::runner::RunError;
use crate::effects::systemd::Systemd;
use crate::health::ProbeResult;

/// What a program may print.
const OUTPUT: usize = 64 << 10;
/// Processes and threads that it may have.
const TASKS: u32 = 128;
/// How much longer than its time systemd lets it run.
const GRACE: Duration = Duration::from_secs(3);

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(super) fn probe(
    systemd: &Systemd,
    name: &str,
    command: &[String],
    (user, memory): (Option<&str>, u64),
    time: Duration,
) -> ProbeResult {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let unit = format!("nqd-probe-{}-{n}-{name}.service", std::process::id());
    let mut properties = vec![
        // We stop it in time ourselves; this is for when we cannot.
        format!("RuntimeMaxSec={}", (time + GRACE).as_secs_f32()),
        "TimeoutStopSec=1".to_owned(),
        format!("MemoryMax={memory}"),
        format!("TasksMax={TASKS}"),
    ];
    match user {
        Some(user) => properties.push(format!("User={user}")),
        // A user of its own can be held by its number of processes too, where cgroups do not count tasks.
        None => properties.extend(["DynamicUser=yes".to_owned(), format!("LimitNPROC={TASKS}")]),
    }
    match systemd.run_to_end(&unit, &properties, command, (time, OUTPUT)) {
        Ok(_) => ProbeResult::pass(format!("{} exited with 0", first(command))),
        Err(RunError::Failed { how, stderr, .. }) => {
            let said = stderr.last().map_or_else(String::new, |l| format!(": {l}"));
            ProbeResult::fail(format!("{} {how}{said}", first(command)))
        }
        Err(stopped @ (RunError::TimedOut { .. } | RunError::Flooded { .. })) => {
            // systemd-run is gone, what it started may not be.
            let killed = systemd.kill(&unit).map_err(|e| format!(", and could not be killed: {e}"));
            let what = if matches!(stopped, RunError::Flooded { .. }) {
                format!("printed more than {OUTPUT} bytes")
            } else {
                format!("did not end within {} s", time.as_secs_f32())
            };
            ProbeResult::fail(format!("{} {what}{}", first(command), killed.err().unwrap_or_default()))
        }
        Err(e) => ProbeResult::unknown(e.to_string()),
    }
}

fn first(command: &[String]) -> &str {
    command.first().map_or("", String::as_str)
}
