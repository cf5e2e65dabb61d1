//! The clocks of this machine.
#![allow(clippy::disallowed_methods, reason = "this is where time is taken")]

use std::time::{Duration, Instant, SystemTime};

use rustix::time::{ClockId, clock_gettime};

use crate::model::BootTime;

/// `CLOCK_BOOTTIME`, now.
pub fn boot_now() -> BootTime {
    let t = clock_gettime(ClockId::Boottime);
    let (s, ns) = (u64::try_from(t.tv_sec).unwrap_or(0), u64::try_from(t.tv_nsec).unwrap_or(0));
    BootTime(s * 1000 + ns / 1_000_000)
}

/// `CLOCK_MONOTONIC`, now, in microseconds: the time that the journal's entries carry besides wall time.
pub fn monotonic_micros() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    let (s, ns) = (u64::try_from(t.tv_sec).unwrap_or(0), u64::try_from(t.tv_nsec).unwrap_or(0));
    s * 1_000_000 + ns / 1000
}

/// A past time of [`boot_now`]'s on the clock of [`monotonic_micros`]. While the machine sleeps only the former goes on:
/// across that, the answer is too early.
pub fn to_monotonic(past: BootTime) -> u64 {
    let ago = boot_now().since(past);
    monotonic_micros().saturating_sub(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX))
}

/// Wall time in UTC as RFC 3339 with whole seconds: for people, never for decisions.
pub fn wall() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// A time of the file system's as RFC 3339 in UTC with whole seconds.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// An RFC 3339 time in seconds since 1970; `None` if it is none.
pub fn unix(rfc3339: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(rfc3339).ok()?;
    Some(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
}

/// How long ago an RFC 3339 time was, rounded to seconds; `None` if it lies ahead or is not one.
pub fn ago(rfc3339: &str) -> Option<Duration> {
    let then = humantime::parse_rfc3339(rfc3339).ok()?;
    let past = SystemTime::now().duration_since(then).ok()?;
    Some(Duration::from_secs(past.as_secs()))
}

/// A stopwatch.
pub fn start() -> Instant {
    Instant::now()
}

/// Waits.
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}
