//! Time on the target: `CLOCK_BOOTTIME` with the boot it belongs to, never wall time, which people set.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Milliseconds since boot, time asleep included. Comparable only within one [`BootId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootTime(pub u64);

impl BootTime {
    /// This time and `later`.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// `/proc/sys/kernel/random/boot_id`: one for each boot of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BootId(String);

/// Why a text is not a boot id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a boot id")]
pub struct BootIdError(String);

impl BootId {
    /// Parses a UUID in lower case, as the kernel prints it.
    pub fn parse(text: &str) -> Result<Self, BootIdError> {
        let text = text.trim_end();
        let ok = text.len() == 36 && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
        if ok { Ok(Self(text.to_owned())) } else { Err(BootIdError(text.chars().take(60).collect())) }
    }
}

super::string_newtype!(BootId, BootIdError);

/// A duration in seconds with a fraction, as manifests and plans write it; from 0 to 30 days.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(f64);

/// Why a number is not a duration.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{0} is not a duration in seconds from 0 to 2592000")]
pub struct SecondsError(f64);

impl Seconds {
    /// Whole seconds.
    pub const fn whole(seconds: u32) -> Self {
        Self(seconds as f64)
    }

    /// As the standard library has it.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl TryFrom<f64> for Seconds {
    type Error = SecondsError;
    fn try_from(s: f64) -> Result<Self, Self::Error> {
        if (0.0..=2_592_000.0).contains(&s) { Ok(Self(s)) } else { Err(SecondsError(s)) }
    }
}

impl From<Seconds> for f64 {
    fn from(s: Seconds) -> Self {
        s.0
    }
}

impl TryFrom<Duration> for Seconds {
    type Error = SecondsError;
    fn try_from(d: Duration) -> Result<Self, Self::Error> {
        Self::try_from(d.as_secs_f64())
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_times_neither_wrap_nor_go_negative() {
        let t = BootTime(1_000);
        assert_eq!(t.plus(Duration::from_secs(2)), BootTime(3_000));
        assert_eq!(t.since(BootTime(4_000)), Duration::ZERO);
        assert_eq!(BootTime(u64::MAX).plus(Duration::MAX), BootTime(u64::MAX));
    }

    #[test]
    fn seconds_refuse_nonsense() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert!(Seconds::try_from(bad).is_err(), "{bad} was taken");
        }
        assert_eq!(Seconds::try_from(0.5).unwrap().duration(), Duration::from_millis(500));
    }
}
