//! How old the SSH connection is over which a process was started.

use std::fs;

use rustix::param::clock_ticks_per_second;

use crate::model::BootTime;

/// Programs that serve one SSH connection each in a process of its own.
const SERVERS: [&str; 3] = ["sshd", "sshd-session", "dropbear"];

/// When the nearest SSH server process among the ancestors of `pid` was started: that is when the connection was
/// opened. `None` if there is none, as at the console, or if it cannot be told.
pub fn opened(pid: i32) -> Option<BootTime> {
    let mut pid = pid;
    for _ in 0..64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, parent, started) = parse_stat(&stat)?;
        if SERVERS.contains(&name) {
            return Some(BootTime(started.saturating_mul(1000) / clock_ticks_per_second()));
        }
        if parent <= 1 {
            return None;
        }
        pid = parent;
    }
    None
}

/// The name, the parent's id and the start in clock ticks since boot (proc(5), stat: fields 2, 4 and 22).
fn parse_stat(stat: &str) -> Option<(&str, i32, u64)> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some((name, parent, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stat_even_with_a_malicious_name() {
        let stat = "42 (a) b 1 (x) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 2";
        assert_eq!(parse_stat(stat), Some(("a) b 1 (x", 7, 12345)));
    }

    #[test]
    fn this_process_has_a_start() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let (_, parent, started) = parse_stat(&stat).unwrap();
        assert!(parent > 0 && started > 0);
    }
}
