//! One program, timed from start to end.

use std::process::{Command, Stdio};
use std::time::Instant;

/// What a run costs.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Wall time.
    pub millis: f64,
    /// What it had of the processors: steadier than wall time where others work too.
    pub cpu: f64,
    /// The largest resident size.
    pub mib: f64,
}

impl Cost {
    /// The middle of each.
    pub fn median(mut costs: Vec<Self>) -> Self {
        let mut middle = |of: fn(&Self) -> f64| {
            costs.sort_by(|a, b| of(a).total_cmp(&of(b)));
            of(&costs[costs.len() / 2])
        };
        Self { millis: middle(|c| c.millis), cpu: middle(|c| c.cpu), mib: middle(|c| c.mib) }
    }
}

#[allow(clippy::zombie_processes, reason = "it is waited for below, by a call that tells what it used")]
/// Runs a program to its end; a failure of it ends the benchmark.
pub fn measure(argv: &[String], more: &[&str]) -> Cost {
    let started = Instant::now();
    let child = Command::new(&argv[0])
        .args(&argv[1..])
        .args(more)
        .env("NIX_CONFIG", "substituters =")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (status, cpu, mib) = wait(i32::try_from(child.id()).unwrap());
    assert_eq!(status, 0, "{argv:?} failed");
    Cost { millis: started.elapsed().as_secs_f64() * 1000.0, cpu, mib }
}

/// Waits for a child; its status, its milliseconds of processors, and the largest resident size in MiB.
#[allow(unsafe_code, reason = "the standard library does not tell what a child used")]
#[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn wait(pid: i32) -> (i32, f64, f64) {
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`, and both pointers live as long as the call.
    let (reaped, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    assert_eq!(reaped, pid, "waiting for a child");
    let millis = |t: libc::timeval| t.tv_sec as f64 * 1000.0 + t.tv_usec as f64 / 1000.0;
    (status, millis(usage.ru_utime) + millis(usage.ru_stime), usage.ru_maxrss as f64 / 1024.0)
}
