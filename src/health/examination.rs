//! The report of `nqd health`: how a system is now, with nothing to compare it with.

use serde::{Deserialize, Serialize};

use super::unit_watch::TIMED_CHECKS;
use super::{CheckReport, Level, Standing, Units, Verdict, judge};
use crate::exit::Exit;
use crate::model::StorePath;

/// The version of [`Examination`].
pub const VERSION: u32 = 1;
/// The name of the built-in check of all units.
pub const NO_FAILED_UNIT: &str = "no-failed-unit";

/// How a system is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    /// [`VERSION`].
    pub v: u32,
    /// When, RFC 3339.
    pub at: String,
    /// The machine.
    pub host: String,
    /// Whose checks were run.
    pub system: StorePath,
    /// `ok`, `degraded`, `unhealthy` or `inconclusive`.
    pub verdict: Exit,
    /// Every check.
    pub checks: Vec<CheckReport>,
}

/// The verdict as an exit code: 0, 10, 25, or 22 where only what could not be probed speaks against it.
pub fn verdict(checks: &[CheckReport]) -> Exit {
    match judge(checks, false) {
        Verdict::Healthy => Exit::Ok,
        Verdict::Degraded(_) => Exit::Degraded,
        Verdict::Open => Exit::Inconclusive,
        Verdict::Unhealthy(bad) if bad.iter().all(|r| r.standing == Standing::Unknown) => Exit::Inconclusive,
        Verdict::Unhealthy(_) => Exit::Unhealthy,
    }
}

/// The built-in check that no unit has failed. Where checks are declared they decide, and this one is only wanted.
pub fn no_failed_unit(units: &Units, declared: bool) -> CheckReport {
    let failed = units.iter().filter(|(_, u)| u.trouble().is_some()).map(|(n, _)| n.as_str());
    let failed: Vec<&str> = failed.filter(|n| *n != TIMED_CHECKS).collect();
    let (standing, message) = if failed.is_empty() {
        (Standing::Passing, "no unit has failed".to_owned())
    } else {
        (Standing::Failing, format!("failed: {}", failed.join(", ")))
    };
    let level = if declared { Level::Wanted } else { Level::Required };
    CheckReport { name: NO_FAILED_UNIT.to_owned(), level, baseline: None, standing, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::UnitState;
    use crate::model::UnitName;

    #[test]
    fn what_the_timer_found_last_is_no_finding_of_its_own() {
        let failed = UnitState { active: "failed".into(), ..UnitState::default() };
        let of = |name| {
            let units = Units::from([(UnitName::parse(name).unwrap(), failed.clone())]);
            no_failed_unit(&units, true).standing
        };
        assert_eq!(of(TIMED_CHECKS), Standing::Passing);
        assert_eq!(of("nginx.service"), Standing::Failing);
    }

    #[test]
    fn verdicts() {
        let of = |level, standing| {
            verdict(&[CheckReport {
                name: "a".into(),
                level,
                baseline: None,
                standing,
                message: String::new(),
            }])
        };
        assert_eq!(of(Level::Required, Standing::Passing), Exit::Ok);
        assert_eq!(of(Level::Required, Standing::Failing), Exit::Unhealthy);
        assert_eq!(of(Level::Required, Standing::Unknown), Exit::Inconclusive);
        assert_eq!(of(Level::Wanted, Standing::Failing), Exit::Degraded);
        assert_eq!(of(Level::Info, Standing::Failing), Exit::Ok);
        assert_eq!(verdict(&[]), Exit::Ok);
    }
}
