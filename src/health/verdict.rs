//! The verdict: pure, over the reports of all checks.

use super::report::Comparison;
use super::{CheckReport, Level, Standing};

/// What all checks together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A check that decides is not decided itself.
    Open,
    /// Every required and wanted check is as it should be.
    Healthy,
    /// Every required check is as it should be; these wanted ones are not.
    Degraded(Vec<CheckReport>),
    /// These required checks are not as they should be; the first is the reason.
    Unhealthy(Vec<CheckReport>),
}

/// Judges. Under `strict`, a required check that failed before counts like a regression.
///
/// A verdict of `Unhealthy` is given as soon as it is certain; `Healthy` and `Degraded` only once every required and
/// wanted check is decided. Unknown is never healthy: a check that could not be probed has regressed.
pub fn judge(reports: &[CheckReport], strict: bool) -> Verdict {
    let against = |level: Level| {
        let bad = move |r: &&CheckReport| match r.comparison() {
            Comparison::Regressed => r.level == level,
            Comparison::PreExisting => r.level == level && strict,
            _ => false,
        };
        reports.iter().filter(bad).cloned().collect::<Vec<_>>()
    };
    let mut required = against(Level::Required);
    if !required.is_empty() {
        // A skipped check is the consequence of another one: name the cause first.
        required.sort_by_key(|r| r.standing == Standing::Skipped);
        return Verdict::Unhealthy(required);
    }
    let open = |r: &CheckReport| r.level != Level::Info && r.comparison() == Comparison::Open;
    if reports.iter().any(open) {
        return Verdict::Open;
    }
    let wanted = against(Level::Wanted);
    if wanted.is_empty() { Verdict::Healthy } else { Verdict::Degraded(wanted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Baseline;

    fn report(name: &str, level: Level, baseline: Baseline, standing: Standing) -> CheckReport {
        CheckReport { name: name.into(), level, baseline: Some(baseline), standing, message: String::new() }
    }

    #[test]
    fn only_required_regressions_are_unhealthy() {
        use Baseline::{Failed, New, Passed};
        use Level::{Info, Required, Wanted};
        use Standing::{Failing, Passing, Pending};
        let r = |l, b, s| judge(&[report("a", l, b, s), report("b", Required, Passed, Passing)], false);
        assert_eq!(r(Required, Passed, Passing), Verdict::Healthy);
        assert!(matches!(r(Required, Passed, Failing), Verdict::Unhealthy(_)));
        assert!(
            matches!(r(Required, New, Failing), Verdict::Unhealthy(_)),
            "a new check is never pre-existing"
        );
        assert_eq!(r(Required, Failed, Failing), Verdict::Healthy);
        assert!(matches!(r(Wanted, Passed, Failing), Verdict::Degraded(_)));
        assert_eq!(r(Info, Passed, Failing), Verdict::Healthy);
        assert_eq!(r(Required, Passed, Pending), Verdict::Open);
        assert_eq!(r(Info, Passed, Pending), Verdict::Healthy);
    }

    #[test]
    fn strict_refuses_what_failed_before() {
        let failed = [report("a", Level::Required, Baseline::Failed, Standing::Failing)];
        assert!(matches!(judge(&failed, true), Verdict::Unhealthy(_)));
        assert_eq!(judge(&failed, false), Verdict::Healthy);
    }

    #[test]
    fn unknown_is_never_healthy() {
        let unknown = [report("a", Level::Required, Baseline::Passed, Standing::Unknown)];
        assert!(matches!(judge(&unknown, false), Verdict::Unhealthy(_)));
    }

    #[test]
    fn a_regression_is_certain_although_others_are_open_and_its_cause_comes_first() {
        let reports = [
            report("dependent", Level::Required, Baseline::Passed, Standing::Skipped),
            report("open", Level::Required, Baseline::Passed, Standing::Pending),
            report("cause", Level::Required, Baseline::Passed, Standing::Failing),
        ];
        let Verdict::Unhealthy(reasons) = judge(&reports, false) else { panic!("not unhealthy") };
        assert_eq!(reasons[0].name, "cause");
    }
}
